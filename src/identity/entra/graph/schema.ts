import { z } from 'zod'
import { anyClientAuth } from '../../../config/clientauth.ts'
import { anySecretReference, duration, secureUrl } from '../../../config/fields.ts'

/** `graph:` of an Entra issuer: who asks Microsoft Graph for the groups that don't fit into a token. */
export const graphSchema = z.strictObject({
  clientId: z.string().min(1).max(256).optional().describe('Client that asks; default: that of `signIn`, which then also proves itself'),
  clientAuth: anyClientAuth().optional().describe('How that client proves itself'),
  clientSecret: anySecretReference().optional().describe('Where its secret is, as a last resort'),
  endpoint: secureUrl()
    .transform((url) => url.replace(/\/+$/, ''))
    .optional()
    .describe('Where Graph is; default: that of the cloud of `authority`'),
  groups: z
    .enum(['security', 'all'])
    .default('security')
    .describe('Which groups count: those that tokens name with `groupMembershipClaims: SecurityGroup`, or all kinds'),
  cacheFor: duration()
    .refine((ms) => ms >= 60_000 && ms <= 3_600_000, 'write one minute to one hour')
    .default(300_000)
    .describe('How long an answer is believed, and so how long somebody who was removed from a group keeps its roles'),
})

export type GraphConfig = z.output<typeof graphSchema>
