import type { IssuerBase } from '../../config/schema.ts'
import type { Issuer, IssuerDeps, IssuerKind } from '../issuer.ts'
import { byIssuer } from '../taken.ts'
import { workloadIssuer } from '../workload.ts'
import { kubernetesClaims, readServiceAccount } from './claims.ts'
import { openCluster } from './cluster.ts'
import { kubernetesSchema, type KubernetesConfig } from './schema.ts'

/** `iss` of the tokens that clusters kept in secrets before there were bound ones: of every cluster, and without an end. */
const LEGACY_ISSUER = 'kubernetes/serviceaccount'

/** Service accounts of one Kubernetes cluster, by their bound tokens. */
export const kubernetes: IssuerKind = {
  schema: kubernetesSchema,
  claims: kubernetesClaims,
  takes: byIssuer,
  create: (name, config, deps) => createKubernetes(name, config as IssuerBase & KubernetesConfig, deps),
}

function createKubernetes(name: string, config: KubernetesConfig, deps: IssuerDeps): Issuer {
  const { issuer, jwksUri, ca, tokenFile } = config
  const cluster = openCluster({ ca, tokenFile, origin: new URL(jwksUri ?? issuer).origin }, deps.folder, deps.fetch)
  const workloads = workloadIssuer(
    name,
    config,
    { ...deps, fetch: cluster.fetch },
    {
      kind: 'kubernetes',
      claims: kubernetesClaims,
      jwksUri,
      read: readServiceAccount,
      resembles: (iss) => iss === LEGACY_ISSUER,
      refuse: ({ payload }) => (payload['iss'] === LEGACY_ISSUER ? { outcome: 'rejected', reason: 'legacy-token' } : undefined),
    },
  )
  return {
    ...workloads,
    close() {
      workloads.close()
      void cluster.close()
    },
  }
}
