import type { KeyVaultConfig } from '../../config/keyvault.ts'
import { clientTokens } from '../clientauth/apptoken.ts'
import { openClientAuth, type ClientAuth, type ClientAuthDeps } from '../clientauth/index.ts'
import { managedIdentity } from '../clientauth/managedidentity.ts'
import type { TokenSource } from '../clientauth/tokensource.ts'
import type { SecretSource } from '../source.ts'
import { KeptSecret } from './kept.ts'
import { vaultCloud, type VaultName } from './name.ts'
import { askVault } from './vault.ts'

/** Secrets of Azure Key Vault, by reference: one source for each, however often it is referred to. */
export interface Vaults {
  source(name: VaultName): SecretSource
  close(): void
}

/** Opens Key Vault as `keyVault:` has it. Nothing is asked before there is a reference. */
export function openVaults(config: KeyVaultConfig, deps: ClientAuthDeps): Vaults {
  const cloud = vaultCloud(config.authority)!
  const { client } = config
  let auth: ClientAuth | undefined
  let tokens: TokenSource | undefined
  const tokenSource = (): TokenSource => {
    if (client === undefined) {
      const settings = { clientId: config.managedIdentity?.clientId }
      return (tokens ??= managedIdentity(settings, { ...deps, env: deps.env ?? process.env }))
    }
    auth ??= openClientAuth({ clientId: client.clientId, owner: 'key vault', clientAuth: client.clientAuth }, deps)
    return (tokens ??= clientTokens(`${cloud.authority}/${client.tenant}/oauth2/v2.0/token`, auth, deps))
  }
  const sources = new Map<string, KeptSecret>()
  return {
    source(name) {
      const label = `keyvault://${name.vault}/${name.name}`
      const known = sources.get(label.toLowerCase())
      if (known !== undefined) return known
      const access = { ...deps, cloud, tenant: client?.tenant, tokens: tokenSource() }
      const made = new KeptSecret({ ...deps, label, refreshEvery: config.refreshEvery, ask: () => askVault(access, name) })
      sources.set(label.toLowerCase(), made)
      return made
    },
    close() {
      for (const source of sources.values()) source.close()
      auth?.close()
    },
  }
}
