import { z } from 'zod'
import { anySecretReference, secretReference } from './fields.ts'

const algorithm = z
  .enum(['PS256', 'RS256'])
  .default('PS256')
  .describe('PS256 names the certificate by `x5t#S256`; RS256, for older registrations, by `x5t`')

function certificate<T extends z.ZodType>(reference: () => T) {
  return z.strictObject({
    cert: reference().describe('PEM with the certificate that is registered for the client'),
    key: reference().describe('PEM with its private key, RSA, not encrypted; may be the same as `cert`'),
    algorithm,
    keyId: z.string().min(1).max(256).optional().describe('`kid`, where the provider knows the key by one'),
  })
}

const federated = z.strictObject({
  file: z.string().min(1).describe('File into which the platform projects a token of the workload'),
})

const managedIdentity = z.strictObject({
  clientId: z.string().min(1).max(256).optional().describe('Client id of a user-assigned identity; default: the one that the machine has'),
})

const ERROR = { error: 'write one of `certificate`, `federated` and `managedIdentity`' }

function forms<T extends z.ZodType>(reference: () => T) {
  return [
    z.strictObject({ certificate: certificate(reference).describe('By a certificate that is registered for the client') }),
    z.strictObject({ federated: federated.describe('By a token of the workload that the platform projects') }),
    z.strictObject({ managedIdentity: managedIdentity.describe('By a managed identity of the machine, federated with the client') }),
  ] as const
}

/** How the gateway proves which client it is, without a static secret: exactly one of the forms. */
export function clientAuth() {
  return z.union(forms(secretReference), ERROR)
}

/** The same, with a certificate that may be in Azure Key Vault. */
export function anyClientAuth() {
  return z.union(forms(anySecretReference), ERROR)
}

export type ClientAuthConfig = z.output<ReturnType<typeof anyClientAuth>>
