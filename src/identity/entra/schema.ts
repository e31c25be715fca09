import { z } from 'zod'
import { duration, secureUrl } from '../../config/fields.ts'
import { issuerBase } from '../../config/schema.ts'
import { signInSchema } from '../signin.ts'

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export function isGuid(text: unknown): text is string {
  return typeof text === 'string' && GUID.test(text)
}

/** Microsoft Entra ID. */
export const entraSchema = issuerBase.extend({
  kind: z.literal('entra'),
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
  maxLifetime: duration()
    .default(29 * 3_600_000)
    .describe(
      'Longest life of a token. The default lets those of continuous access evaluation (28 h) and of managed identities (24 h 5 min) pass',
    ),
  signIn: signInSchema.optional(),
})

export type EntraConfig = z.output<typeof entraSchema>
