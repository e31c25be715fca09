import { privateFolder, readIfThere, writePrivate } from '../files.ts'
import { isSigningKey, type SigningKey } from './keys.ts'

const FOLDER = 'demo-idp'
const FILE = 'signing-keys.json'

/** Signing keys across restarts, so that tokens issued before stay good. What can't be read counts as none. */
export function keptKeys(dataDir: string): { readonly keys: readonly SigningKey[]; readonly keep: (keys: readonly SigningKey[]) => void } {
  const folder = privateFolder(dataDir, FOLDER)
  let keys: readonly SigningKey[] = []
  try {
    const stored: unknown = JSON.parse(readIfThere(folder, FILE) ?? '[]')
    if (Array.isArray(stored) && stored.every(isSigningKey)) keys = stored
  } catch {
    // Written by something else, or cut short: new keys are made.
  }
  return { keys, keep: (changed) => writePrivate(folder, FILE, JSON.stringify(changed)) }
}
