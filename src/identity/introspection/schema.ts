import { z } from 'zod'
import { duration, secretReference, secureUrl } from '../../config/fields.ts'
import { issuerBase } from '../../config/schema.ts'
import { GATEWAY_PREFIX } from './form.ts'
import { answerProviders } from './judge.ts'

const between = (least: number, most: number, message: string) => duration().refine((ms) => ms >= least && ms <= most, message)

const auth = z.union([
  z.strictObject({
    clientId: z.string().min(1).max(256).describe('Client id of the gateway at the provider'),
    clientSecret: secretReference().describe('Where its secret is; read anew for each request'),
  }),
  z.strictObject({ bearer: secretReference().describe('Where a token is that the endpoint takes; read anew for each request') }),
])

/** A provider that says what its tokens are when it is asked (RFC 7662). */
export const introspectionSchema = issuerBase.extend({
  kind: z.literal('oauth2-introspection').describe('What kind of issuer it is'),
  provider: z.enum(answerProviders).optional().describe('The provider’s ways of answering, by its name; default: those of RFC 7662'),
  issuer: secureUrl().describe('The provider: the `iss` of its answers, where they have one'),
  endpoint: secureUrl().describe('Its introspection endpoint'),
  auth: auth.describe('How the gateway proves itself there: by client id and secret, or by a bearer token'),
  tokenPrefixes: z
    .array(
      z
        .string()
        .regex(/^[A-Za-z0-9._~+/-]{1,64}$/, 'write the characters that its tokens begin with')
        .refine((prefix) => !prefix.startsWith(GATEWAY_PREFIX), `\`${GATEWAY_PREFIX}\` begins tokens of the gateway's own`),
    )
    .min(1)
    .max(20)
    .optional()
    .describe('What its opaque tokens begin with; default: every token that is no JWT is its own'),
  jwts: z.boolean().default(false).describe('Ask also about JWTs whose `iss` is `issuer`, in place of verifying them'),
  cacheFor: between(1_000, 3_600_000, 'write at least `1s` and at most `1h`')
    .default(60_000)
    .describe('How long an answer is believed: so long may a token be used that the provider has revoked'),
  timeout: between(100, 60_000, 'write at least `100ms` and at most `1m`').default(5_000).describe('Longest wait for an answer'),
  maxLifetime: duration().optional().describe('Longest life of a token. With it, answers that do not say when a token ends are accepted'),
})

export type IntrospectionConfig = z.output<typeof introspectionSchema>
