import { z } from 'zod'
import { duration, secureUrl } from '../../config/fields.ts'
import { issuerBase } from '../../config/schema.ts'
import { signInSchema } from '../signin.ts'
import { cloudOf, graphOf, isB2c } from './clouds.ts'
import { graphSchema } from './graph/schema.ts'

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export function isGuid(text: unknown): text is string {
  return typeof text === 'string' && GUID.test(text)
}

/** Microsoft Entra ID. */
export const entraSchema = issuerBase
  .extend({
    kind: z.literal('entra').describe('What kind of issuer it is'),
    authority: secureUrl()
      .default('https://login.microsoftonline.com')
      .transform((url) => url.replace(/\/+$/, ''))
      .describe('Where the tenants are: another for national clouds and External ID'),
    tenants: z
      .array(
        z
          .string()
          .regex(GUID, 'write the tenant id, a GUID; domain names and `common` are not exact')
          .transform((id) => id.toLowerCase()),
      )
      .min(1)
      .describe('Tenants whose tokens are accepted, by id. The first is the one that people sign in at'),
    organizations: z
      .boolean()
      .default(false)
      .describe(
        'Accept every organization’s tenant. Of those that are not in `tenants`, only claims count that their administrators do not choose',
      ),
    policies: z
      .array(z.string().regex(/^[A-Za-z0-9_-]{1,128}$/, 'write the name of a user flow or custom policy, such as `B2C_1_signin`'))
      .min(1)
      .optional()
      .describe('User flows or custom policies of Azure AD B2C. The first is the one that people sign in by'),
    maxLifetime: duration()
      .default(29 * 3_600_000)
      .describe(
        'Longest life of a token. The default lets those of continuous access evaluation (28 h) and of managed identities (24 h 5 min) pass',
      ),
    signIn: signInSchema.optional().describe('How people sign in with a browser, and from the command line'),
    graph: graphSchema.optional().describe('Ask Microsoft Graph for groups that do not fit into a token'),
  })
  .refine(({ policies, authority }) => (policies !== undefined) === isB2c(authority), {
    path: ['policies'],
    error: 'write the policies of an authority at `b2clogin.com`, and of no other',
  })
  .refine(({ organizations, authority }) => !organizations || cloudOf(authority) !== undefined, {
    path: ['organizations'],
    error: 'write the tenants: only clouds of Microsoft Entra ID have `organizations`',
  })
  .refine(({ graph, authority }) => graph === undefined || !isB2c(authority), {
    path: ['graph'],
    error: 'leave it out: tokens of Azure AD B2C name no groups',
  })
  .refine(({ graph, authority }) => graph === undefined || graph.endpoint !== undefined || graphOf(authority) !== undefined, {
    path: ['graph', 'endpoint'],
    error: 'write where Microsoft Graph is: that does not follow from this `authority`',
  })
  .refine(
    ({ graph, signIn }) =>
      graph === undefined || canProve({ clientId: signIn?.clientId, ...graph }) || (graph.clientId === undefined && canProve(signIn)),
    {
      path: ['graph'],
      error: 'write `clientAuth`, here or in `signIn`: a public client can not ask Microsoft Graph',
    },
  )

/** Whether a client can get a token for itself. */
function canProve(
  client: { readonly clientId?: string | undefined; readonly clientAuth?: unknown; readonly clientSecret?: unknown } | undefined,
): boolean {
  return client?.clientId !== undefined && (client.clientAuth !== undefined || client.clientSecret !== undefined)
}

export type EntraConfig = z.output<typeof entraSchema>
