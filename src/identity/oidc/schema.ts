import { z } from 'zod'
import { duration, secureUrl } from '../../config/fields.ts'
import { issuerBase } from '../../config/schema.ts'
import { algorithmNames } from '../jose/algorithms.ts'
import { issuerProblem, providerNames } from './providers.ts'
import { signInSchema } from '../signin.ts'
import { eventsSchema } from '../ssf/schema.ts'

/** Any OpenID Connect provider. */
export const oidcSchema = issuerBase
  .extend({
    kind: z.literal('oidc').describe('What kind of issuer it is'),
    provider: z.enum(providerNames).optional().describe('The provider’s ways of writing tokens, by its name; default: those of RFC 9068'),
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
    signIn: signInSchema.optional().describe('How people sign in with a browser, and from the command line'),
    events: eventsSchema.optional().describe('The stream of security events by which it tells that access has to end'),
  })
  .superRefine(({ provider, issuer, acceptPlainJwt }, context) => {
    const problem = issuerProblem(provider, issuer)
    if (problem !== undefined) context.addIssue({ code: 'custom', path: ['issuer'], message: problem })
    if (provider !== undefined && acceptPlainJwt)
      context.addIssue({
        code: 'custom',
        path: ['acceptPlainJwt'],
        message: `leave it out: \`provider: ${provider}\` says how its tokens are marked`,
      })
  })

export type OidcConfig = z.output<typeof oidcSchema>
