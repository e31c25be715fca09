import { z } from 'zod'
import { duration } from '../../config/fields.ts'
import { issuerBase } from '../../config/schema.ts'
import { algorithmNames } from '../jose/algorithms.ts'
import { readKeys } from './keytext.ts'

const SYMMETRIC = /^HS[0-9]/i

const kid = z.string().min(1).max(256).optional().describe('Id of a PEM key; default: its thumbprint (RFC 7638)')

const inline = z.strictObject({ pem: z.string().min(1).describe('A public key in PEM'), kid }).superRefine(({ pem, kid: id }, context) => {
  const read = readKeys(pem, id)
  if ('refused' in read) context.addIssue({ code: 'custom', path: ['pem'], message: `can not be used: ${read.refused}` })
})

const place = z.union([
  z.strictObject({ file: z.string().min(1).describe('File of PEM public keys, or a JWK Set; read anew when it changes'), kid }),
  inline,
])

/** Services that sign their own tokens with keys that the gateway is given. */
export const jwtSchema = issuerBase.extend({
  kind: z.literal('jwt').describe('What kind of issuer it is'),
  issuer: z.string().min(1).max(1024).describe('The `iss` of its tokens, compared byte by byte'),
  keys: z.array(place).min(1).max(20).describe('Public keys that sign its tokens'),
  algorithms: z
    .array(
      z
        .string()
        .refine((name) => !SYMMETRIC.test(name), {
          error: ({ input }) =>
            `\`${String(input)}\` is symmetric: whoever verifies with it could sign. Have the service sign with ES256 or RS256`,
        })
        .pipe(z.enum(algorithmNames)),
    )
    .min(1)
    .default(['RS256', 'PS256', 'ES256', 'EdDSA'])
    .describe('Signature algorithms that are accepted; asymmetric ones only'),
  type: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe('The `typ` that its tokens must have, without regard to case and `application/`; default: `JWT`, `at+jwt` or none'),
  clientClaim: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe(
      'Claim that names the client, which tokens must have then; default: `client_id` or `azp`, and of a workload without either `sub`',
    ),
  principal: z.enum(['workload', 'human']).default('workload').describe('Of what kind its subjects are'),
  maxLifetime: duration()
    .default(24 * 3_600_000)
    .describe('Longest life of a token'),
})

export type JwtConfig = z.output<typeof jwtSchema>
