import { z } from 'zod'
import { duration, secureUrl } from '../../config/fields.ts'
import { issuerBase } from '../../config/schema.ts'
import { algorithmNames } from '../jose/algorithms.ts'

/** Service accounts of a Kubernetes cluster. */
export const kubernetesSchema = issuerBase.extend({
  kind: z.literal('kubernetes').describe('What kind of issuer it is'),
  issuer: secureUrl().describe('The `iss` of its tokens (`--service-account-issuer`), compared byte by byte'),
  jwksUri: secureUrl()
    .optional()
    .describe('Where the keys are, such as `https://kubernetes.default.svc/openid/v1/jwks`; default: where the discovery of `issuer` says'),
  ca: z
    .string()
    .min(1)
    .optional()
    .describe('PEM file of the authorities of that server, in place of the usual ones; read anew when it changes'),
  tokenFile: z
    .string()
    .min(1)
    .optional()
    .describe('File with a bearer token for that server, which is shown to no other; read anew for each request'),
  algorithms: z
    .array(z.enum(algorithmNames))
    .min(1)
    .default(['RS256', 'ES256', 'ES384', 'ES512'])
    .describe('Signature algorithms that are accepted'),
  maxLifetime: duration()
    .default(24 * 3_600_000)
    .describe('Longest life of a token'),
})

export type KubernetesConfig = z.output<typeof kubernetesSchema>
