import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

/** A sign-in kept for one gateway. */
export interface StoredLogin {
  readonly token: string
  /** Milliseconds since the epoch. */
  readonly expires: number
}

function file(): string {
  return join(process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'), 'ostiary', 'credentials.json')
}

function all(): Record<string, StoredLogin> {
  try {
    return JSON.parse(readFileSync(file(), 'utf8')) as Record<string, StoredLogin>
  } catch {
    return {}
  }
}

/** Owner-only from the first byte, and whole or not at all. */
function save(logins: Record<string, StoredLogin>): void {
  mkdirSync(dirname(file()), { recursive: true, mode: 0o700 })
  const next = `${file()}.${process.pid}`
  writeFileSync(next, JSON.stringify(logins), { mode: 0o600 })
  chmodSync(next, 0o600)
  renameSync(next, file())
}

/** The sign-in for a gateway's admin address, unless it has expired. */
export function stored(url: string, now = Date.now()): StoredLogin | undefined {
  const logins = all()
  const login = Object.hasOwn(logins, url) ? logins[url] : undefined
  return login !== undefined && login.expires > now ? login : undefined
}

export function keep(url: string, login: StoredLogin): void {
  save({ ...all(), [url]: login })
}

/** Forgets it; answers whether there was one. */
export function forget(url: string): boolean {
  const logins = all()
  const had = Object.hasOwn(logins, url)
  if (had) save(Object.fromEntries(Object.entries(logins).filter(([key]) => key !== url)))
  return had
}
