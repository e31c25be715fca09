import type { IssuerBase } from '../../config/schema.ts'
import type { IssuerKind } from '../issuer.ts'
import { listed } from '../owners.ts'
import { byIssuer } from '../taken.ts'
import { workloadIssuer } from '../workload.ts'
import { gitlabClaims, readJob } from './claims.ts'
import { gitlabSchema, type GitlabConfig } from './schema.ts'

/** Jobs of GitLab CI, by their `id_tokens`. */
export const gitlab: IssuerKind = {
  schema: gitlabSchema,
  claims: gitlabClaims,
  takes: byIssuer,
  create(name, base, deps) {
    const config = base as IssuerBase & GitlabConfig
    const namespaces = config.namespaces === undefined ? undefined : listed(config.namespaces)
    return workloadIssuer(name, { ...config, algorithms: ['RS256'] }, deps, {
      kind: 'gitlab',
      claims: gitlabClaims,
      read: (payload) => readJob(payload, namespaces),
    })
  },
}
