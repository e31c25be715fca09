import { z } from 'zod'
import { duration, secureUrl } from '../../config/fields.ts'
import { issuerBase } from '../../config/schema.ts'
import { ownerList } from '../owners.ts'

/** GitHub Actions, by the tokens of its jobs. */
export const githubSchema = issuerBase.extend({
  kind: z.literal('github').describe('What kind of issuer it is'),
  issuer: secureUrl()
    .default('https://token.actions.githubusercontent.com')
    .describe('The `iss` of its tokens: of an enterprise with one of its own, of GHE.com, or of a GitHub Enterprise Server'),
  owners: ownerList('an organisation or user').describe(
    'Organisations and users whose repositories are accepted, by id (`gh api orgs/NAME --jq .id`) rather than by name, which may change hands',
  ),
  maxLifetime: duration().default(3_600_000).describe('Longest life of a token'),
})

export type GithubConfig = z.output<typeof githubSchema>
