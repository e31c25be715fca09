import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { SecretReference } from '../config/fields.ts'
import { OstiaryError } from '../core/errors.ts'
import { Secret } from '../core/secret.ts'

/** A longer file is no secret, in bytes. */
const MAX_SECRET = 64 * 1024

/**
 * The secret that a reference names, read anew at each call, so that a rotated one is picked up without a restart. One
 * line break at the end of a file is not part of it. Relative file names start at `folder`.
 * @throws OstiaryError `secrets/not-set`, `secrets/unreadable`
 */
export function resolveSecret(reference: SecretReference, folder: string, env: NodeJS.ProcessEnv = process.env): Secret {
  if ('env' in reference) {
    const value = env[reference.env]
    if (value === undefined || value === '') throw new OstiaryError('secrets/not-set', { name: reference.env })
    return new Secret(value)
  }
  const file = resolve(folder, reference.file)
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch (error) {
    throw new OstiaryError('secrets/unreadable', { file, cause: (error as NodeJS.ErrnoException).code ?? 'unknown' })
  }
  const value = bytes.toString('utf8').replace(/\r?\n$/, '')
  if (value === '') throw new OstiaryError('secrets/unreadable', { file, cause: 'it is empty' })
  if (bytes.length > MAX_SECRET) throw new OstiaryError('secrets/unreadable', { file, cause: `it is larger than ${MAX_SECRET} bytes` })
  return new Secret(value)
}
