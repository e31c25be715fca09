import { applyKubernetes, driftKubernetes } from './clusterroles.ts'
import { applyIstio, driftIstio } from './istio.ts'
import { applyKuma, driftKuma } from './kuma.ts'
import type { Register } from './index.ts'

/** `ostiary apply`. */
export const apply: Register = (root, action) => {
  const group = root.command('apply').description('brings the policy to another enforcement point, and looks whether it is enforced there')
  applyIstio(group, action)
  applyKubernetes(group, action)
  applyKuma(group, action)
}

/** `ostiary drift`. */
export const drift: Register = (root, action) => {
  const group = root.command('drift').description('how another enforcement point differs from the policy; changes nothing')
  driftIstio(group, action)
  driftKubernetes(group, action)
  driftKuma(group, action)
}
