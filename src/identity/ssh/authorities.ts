import type { AuthorityForm } from '../certificate/authorities.ts'
import { Refusal } from '../jose/refusal.ts'
import { readPublicBlob, type SshKey } from './keys.ts'
import { wireString } from './wire.ts'

/** Public keys of authorities, a line each as in `authorized_keys` or `TrustedUserCAKeys` of sshd. */
export const lineAuthorities: AuthorityForm<SshKey> = { read: readAuthorities, idOf: ({ fingerprint }) => fingerprint }

const LINE = /^([a-z][!-~]*)[ \t]+([A-Za-z0-9+/]+={0,2})(?:[ \t].*)?$/

function readAuthorities(text: string): readonly SshKey[] {
  const keys = new Map<string, SshKey>()
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const content = line.trim()
    if (content === '' || content.startsWith('#')) continue
    const key = readLine(content, index + 1)
    keys.set(key.fingerprint, key)
  }
  if (keys.size === 0) throw new TypeError('there is no public key in it')
  return [...keys.values()]
}

function readLine(line: string, number: number): SshKey {
  const bytes = readBlobLine(line.replace(/^cert-authority[ \t]+/, ''), number)
  let key: SshKey
  try {
    key = readPublicBlob(bytes)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    throw new TypeError(`the key in line ${number} can not be used`, { cause: error })
  }
  if (key.application !== undefined)
    throw new TypeError(`the key in line ${number} is in a FIDO authenticator, which is not accepted for authorities`)
  return key
}

/** The key of `type base64 [comment]` as it is written. Throws a TypeError whose message says what is wrong with the line of this number. */
export function readBlobLine(line: string, number: number): Buffer {
  const [, type = '', encoded = ''] = LINE.exec(line) ?? []
  const bytes = Buffer.from(encoded, 'base64')
  // What narrows a key, such as `principals="…"`, isn't understood here: to pass over it would widen it.
  if (encoded === '' || bytes.toString('base64') !== encoded) throw new TypeError(`line ${number} is no public key, or has options`)
  const named = wireString(type)
  if (!bytes.subarray(0, named.length).equals(named)) throw new TypeError(`line ${number} has a key of another type than it says`)
  return bytes
}
