import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { tokenKey } from '../../bin/kubetoken.js'
import { isObject, type JsonValue } from '../core/json.ts'
import { platformKeyring } from './keyring.ts'

/** A sign-in kept for one gateway. */
export interface StoredLogin {
  readonly token: string
  /** Milliseconds since the epoch. */
  readonly expires: number
  /** What gets the next token without asking anybody. */
  readonly refresh?: Refresh | undefined
  readonly workload?: WorkloadSource | undefined
}

/** How a sign-in goes on (RFC 6749 §6). */
export interface Refresh {
  readonly token: string
  /** Configured name of the gateway's issuer. */
  readonly issuer: string
  /** It has been for another audience: what the next token is for has to be said from now on. */
  readonly shared?: true
}

/** What `ostiary login --workload` was told, which gets the next token without asking anybody. */
export interface WorkloadSource {
  readonly audience?: string | undefined
  readonly tokenFile?: string | undefined
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
    const logins = JSON.parse(readFileSync(file(), 'utf8')) as JsonValue
    // It may have been copied, or unpacked: what others can read is theirs no longer.
    if (process.platform !== 'win32' && (statSync(file()).mode & 0o077) !== 0) chmodSync(file(), 0o600)
    return isObject(logins) ? (logins as unknown as Record<string, Entry>) : {}
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
export function kept(url: string): Promise<StoredLogin | undefined> {
  return read(url)
}

/** The token of that sign-in for another audience. */
export function keptToken(url: string, scope: string): Promise<StoredLogin | undefined> {
  return read(tokenKey(url, scope))
}

async function read(key: string): Promise<StoredLogin | undefined> {
  const logins = all()
  const entry = Object.hasOwn(logins, key) ? logins[key] : undefined
  if (entry === undefined || !('keyring' in entry)) return entry
  const text = await platformKeyring()?.get(key)
  try {
    return text === undefined ? undefined : (JSON.parse(text) as StoredLogin)
  } catch {
    return undefined // somebody else's
  }
}

/** Keeps a sign-in in the platform's keyring, or else in a file that only its owner can read. Answers where. */
export function keep(url: string, login: StoredLogin): Promise<string> {
  return write(url, login)
}

/** Keeps a token of a sign-in for another audience beside it, until somebody signs in or out there. */
export async function keepToken(url: string, scope: string, token: StoredLogin): Promise<void> {
  await write(tokenKey(url, scope), token)
}

async function write(key: string, login: StoredLogin): Promise<string> {
  const keyring = platformKeyring()
  const inKeyring = keyring !== undefined && (await keyring.set(key, JSON.stringify(login)))
  save({ ...all(), [key]: inKeyring ? { keyring: true } : login })
  return inKeyring ? keyring.name : file()
}

/** Forgets it, and all that was got by it; answers whether there was one. */
export async function forget(url: string): Promise<boolean> {
  const logins = all()
  const gone = Object.keys(logins).filter((key) => key === url || key.startsWith(tokenKey(url, '')))
  if (gone.length === 0) return false
  for (const key of gone) if ('keyring' in logins[key]!) await platformKeyring()?.remove(key)
  save(Object.fromEntries(Object.entries(logins).filter(([key]) => !gone.includes(key))))
  return gone.includes(url)
}
