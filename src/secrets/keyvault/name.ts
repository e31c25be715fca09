/** A secret in Azure Key Vault, always its newest version. */
export interface VaultName {
  readonly vault: string
  readonly name: string
}

/** Where a vault is, and what of its answers is believed. */
export interface VaultCloud {
  /** `vault.azure.net` */
  readonly suffix: string
  /** `https://login.microsoftonline.com` */
  readonly authority: string
}

const SUFFIXES: Readonly<Record<string, string>> = {
  'https://login.microsoftonline.com': 'vault.azure.net',
  'https://login.microsoftonline.us': 'vault.usgovcloudapi.net',
  'https://login.partner.microsoftonline.cn': 'vault.azure.cn',
}

/** The cloud of an authority; undefined for one that is none of Azure's. */
export function vaultCloud(authority: string): VaultCloud | undefined {
  const suffix = SUFFIXES[authority]
  return suffix === undefined ? undefined : { suffix, authority }
}
