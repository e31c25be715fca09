import { z } from 'zod'
import { duration, secureUrl } from '../../config/fields.ts'
import { issuerBase } from '../../config/schema.ts'
import { ownerList } from '../owners.ts'

/** Where everybody may have projects. */
const PUBLIC_HOST = 'gitlab.com'

/** GitLab CI, by the `id_tokens` of its jobs. */
export const gitlabSchema = issuerBase
  .extend({
    kind: z.literal('gitlab').describe('What kind of issuer it is'),
    issuer: secureUrl().default(`https://${PUBLIC_HOST}`).describe('The `iss` of its tokens: the URL of the instance'),
    namespaces: ownerList('a group or user')
      .optional()
      .describe(
        'Groups and users whose projects are accepted, by id or by path; a path covers its subgroups, an id does not. Must be there for gitlab.com',
      ),
    maxLifetime: duration()
      .default(24 * 3_600_000)
      .describe('Longest life of a token; GitLab lets them live as long as the job may run'),
  })
  .refine(({ issuer, namespaces }) => namespaces !== undefined || !isPublic(issuer), {
    path: ['namespaces'],
    message: 'must be there: anybody can have a project on gitlab.com that gets tokens for any audience',
  })

function isPublic(issuer: string): boolean {
  return URL.canParse(issuer) && new URL(issuer).hostname === PUBLIC_HOST
}

export type GitlabConfig = z.output<typeof gitlabSchema>
