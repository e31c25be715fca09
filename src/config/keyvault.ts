import { z } from 'zod'
import { clientAuth } from './clientauth.ts'
import { duration } from './fields.ts'

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** `keyVault:`: how the gateway reads what `keyvault://` references name. */
export const keyVault = z
  .strictObject({
    managedIdentity: z
      .strictObject({
        clientId: z.string().min(1).max(256).optional().describe('Of a user-assigned identity; default: the one that the machine has'),
      })
      .optional()
      .describe('A managed identity of the machine reads; the default, without a key'),
    client: z
      .strictObject({
        tenant: z
          .string()
          .regex(GUID, 'write the tenant id, a GUID')
          .transform((id) => id.toLowerCase())
          .describe('Tenant of the vault and of the client'),
        clientId: z.string().min(1).max(256).describe('The client that reads'),
        clientAuth: clientAuth().describe('How the client proves itself; not by what is in the vault itself'),
      })
      .optional()
      .describe('A client of Microsoft Entra ID reads, in place of a managed identity'),
    authority: z
      .enum(['https://login.microsoftonline.com', 'https://login.microsoftonline.us', 'https://login.partner.microsoftonline.cn'])
      .default('https://login.microsoftonline.com')
      .describe('Cloud that the vaults are in'),
    refreshEvery: duration()
      .refine((ms) => ms >= 60_000 && ms <= 14_400_000, 'write one minute to four hours')
      .default(3_600_000)
      .describe('How often each secret is read anew'),
  })
  .refine(({ managedIdentity, client }) => managedIdentity === undefined || client === undefined, {
    error: 'write either `managedIdentity` or `client`',
  })

export type KeyVaultConfig = z.output<typeof keyVault>
