import type { IssuerBase } from '../../config/schema.ts'
import type { IssuerKind } from '../issuer.ts'
import { listed, withBooleans } from '../owners.ts'
import { byIssuer } from '../taken.ts'
import { workloadIssuer } from '../workload.ts'
import { githubClaims, readJob } from './claims.ts'
import { githubSchema, type GithubConfig } from './schema.ts'

/** Jobs of GitHub Actions, by their OpenID Connect tokens. */
export const github: IssuerKind = {
  schema: githubSchema,
  claims: githubClaims,
  takes: byIssuer,
  create(name, base, deps) {
    const config = base as IssuerBase & GithubConfig
    const owners = listed(config.owners)
    return workloadIssuer(name, { ...config, algorithms: ['RS256'] }, deps, {
      kind: 'github',
      claims: githubClaims,
      read: (payload) => readJob(withBooleans(payload, 'ref_protected'), owners),
    })
  },
}
