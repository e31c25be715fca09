import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { platformKeyring } from './keyring.ts'

/** A sign-in kept for one gateway. */
export interface StoredLogin {
  readonly token: string
  /** Milliseconds since the epoch. */
  readonly expires: number
  /** What gets the next token without asking anybody. */
  readonly refresh?: Refresh | undefined
}

/** How a sign-in goes on (RFC 6749 §6). */
export interface Refresh {
  readonly token: string
  /** Configured name of the gateway's issuer. */
  readonly issuer: string
}

/** What the file says of a sign-in: all of it, or that it is in the keyring. */
type Entry = StoredLogin | { readonly keyring: true }

export function configFolder(): string {
  return join(process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'), 'ostiary')
}

function file(): string {
  return join(configFolder(), 'credentials.json')
}

function all(): Record<string, Entry> {
  try {
    return JSON.parse(readFileSync(file(), 'utf8')) as Record<string, Entry>
  } catch {
    return {}
  }
}

/** Owner-only from the first byte, and whole or not at all. */
function save(logins: Record<string, Entry>): void {
  mkdirSync(dirname(file()), { recursive: true, mode: 0o700 })
  const next = `${file()}.${process.pid}`
  writeFileSync(next, JSON.stringify(logins), { mode: 0o600 })
  chmodSync(next, 0o600)
  renameSync(next, file())
}

/** The sign-in for a gateway's admin address, perhaps one that has ended and can be refreshed. */
export async function kept(url: string): Promise<StoredLogin | undefined> {
  const logins = all()
  const entry = Object.hasOwn(logins, url) ? logins[url] : undefined
  if (entry === undefined || !('keyring' in entry)) return entry
  const text = await platformKeyring()?.get(url)
  try {
    return text === undefined ? undefined : (JSON.parse(text) as StoredLogin)
  } catch {
    return undefined // somebody else's
  }
}

/** Keeps a sign-in in the platform's keyring, or else in a file that only its owner can read. Answers where. */
export async function keep(url: string, login: StoredLogin): Promise<string> {
  const keyring = platformKeyring()
  const inKeyring = keyring !== undefined && (await keyring.set(url, JSON.stringify(login)))
  save({ ...all(), [url]: inKeyring ? { keyring: true } : login })
  return inKeyring ? keyring.name : file()
}

/** Forgets it; answers whether there was one. */
export async function forget(url: string): Promise<boolean> {
  const logins = all()
  const entry = Object.hasOwn(logins, url) ? logins[url] : undefined
  if (entry === undefined) return false
  if ('keyring' in entry) await platformKeyring()?.remove(url)
  save(Object.fromEntries(Object.entries(logins).filter(([key]) => key !== url)))
  return true
}
