import type { SecretReference } from '../config/fields.ts'
import type { Secret } from '../core/secret.ts'
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
