import type { AnySecretReference, SecretReference } from '../config/fields.ts'
import { OstiaryError } from '../core/errors.ts'
import type { Secret } from '../core/secret.ts'
import type { VaultName } from './keyvault/name.ts'
import { resolveSecret } from './references.ts'

/** A secret that may change while the gateway runs. */
export interface SecretSource {
  /** As it is now. @throws OstiaryError of the family `secrets/` */
  read(): Promise<Secret>
  /** Looks for a newer one at once, where it is not read anew each time anyway. Never rejects. */
  refresh(): Promise<void>
}

/** A source that is read anew each time: an environment variable or a file. Relative file names start at `folder`. */
export function localSecret(reference: SecretReference, folder: string): SecretSource {
  return {
    // Not `Promise.resolve`: what is thrown has to be a rejection.
    read: async () => resolveSecret(reference, folder),
    refresh: () => Promise.resolve(),
  }
}

export interface SecretPlaces {
  /** Where relative file names start. */
  readonly folder: string
  readonly vaults?: { source(name: VaultName): SecretSource }
}

/** The source that a reference names. A vault is asked in the background, beginning now. @throws OstiaryError `secrets/vault` */
export function openSecret(reference: AnySecretReference, { folder, vaults }: SecretPlaces): SecretSource {
  if (!('keyVault' in reference)) return localSecret(reference, folder)
  if (vaults === undefined) throw new OstiaryError('secrets/vault', { ...reference.keyVault, cause: 'no vault can be read here' })
  return vaults.source(reference.keyVault)
}
