import { z } from 'zod'
import { duration, secureUrl } from '../../config/fields.ts'
import { issuerBase } from '../../config/schema.ts'
import { algorithmNames } from '../jose/algorithms.ts'
import { signInSchema } from '../signin.ts'

/** Any OpenID Connect provider. */
export const oidcSchema = issuerBase.extend({
  kind: z.literal('oidc'),
  issuer: secureUrl().describe('The `iss` of its tokens, compared byte by byte; its metadata is found below it'),
  algorithms: z
    .array(z.enum(algorithmNames))
    .min(1)
    .default(['RS256', 'PS256', 'ES256', 'EdDSA'])
    .describe('Signature algorithms that are accepted'),
  acceptPlainJwt: z
    .boolean()
    .default(false)
    .describe('Accept access tokens whose `typ` is not `at+jwt` (RFC 9068), for providers that do not mark them'),
  maxLifetime: duration()
    .default(29 * 3_600_000)
    .describe('Longest life of a token'),
  signIn: signInSchema.optional(),
})

export type OidcConfig = z.output<typeof oidcSchema>
