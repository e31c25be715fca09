import { z } from 'zod'
import { secretReference } from './fields.ts'

const certificate = z.strictObject({
  cert: secretReference().describe('PEM with the certificate that is registered for the client'),
  key: secretReference().describe('PEM with its private key, RSA, not encrypted'),
  algorithm: z
    .enum(['PS256', 'RS256'])
    .default('PS256')
    .describe('PS256 names the certificate by `x5t#S256`; RS256, for older registrations, by `x5t`'),
  keyId: z.string().min(1).max(256).optional().describe('`kid`, where the provider knows the key by one'),
})

const federated = z.strictObject({
  file: z.string().min(1).describe('File into which the platform projects a token of the workload'),
})

const managedIdentity = z.strictObject({
  clientId: z.string().min(1).max(256).optional().describe('Client id of a user-assigned identity; default: the one that the machine has'),
})

/** How the gateway proves which client it is, without a static secret: exactly one of the forms. */
export function clientAuth() {
  return z.union([z.strictObject({ certificate }), z.strictObject({ federated }), z.strictObject({ managedIdentity })], {
    error: 'write one of `certificate`, `federated` and `managedIdentity`',
  })
}

export type ClientAuthConfig = z.output<ReturnType<typeof clientAuth>>
