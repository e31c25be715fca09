import { compileIstio } from './istio/emit.ts'
import { proveIstio } from './istio/prove.ts'
import { istioSchema, type IstioTarget } from './istio/schema.ts'
import { compileKubernetes } from './kubernetes/emit.ts'
import { proveKubernetes } from './kubernetes/prove.ts'
import { kubernetesSchema, type KubernetesTarget } from './kubernetes/schema.ts'
import { compileKuma } from './kuma/emit.ts'
import { kumaSchema, type KumaTarget } from './kuma/schema.ts'
import { proveKuma } from './kuma/prove.ts'
import type { TargetKind } from './target.ts'

/** Every kind of target that the policy is compiled for. (Envoys that are fed by this gateway are a door's: `doors.envoy`.) */
export const targetKinds: Readonly<Record<string, TargetKind>> = {
  istio: { schema: istioSchema, destination: ({ context }: IstioTarget) => context, compile: compileIstio, prove: proveIstio },
  kubernetes: {
    schema: kubernetesSchema,
    destination: ({ context, azure }: KubernetesTarget) => azure?.cluster.toLowerCase() ?? context,
    compile: compileKubernetes,
    prove: proveKubernetes,
  },
  kuma: {
    schema: kumaSchema,
    destination: ({ controlPlane, mesh }: KumaTarget) => controlPlane && `${controlPlane.url} ${mesh}`,
    compile: compileKuma,
    prove: proveKuma,
  },
}
