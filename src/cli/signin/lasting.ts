import { mkdirSync, rmdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { configFolder, keep, kept, type StoredLogin } from '../credentials.ts'

/** A token is got anew this long before its end, in milliseconds. */
const AHEAD = 60_000
/** A lock that is older was left by a command that was killed, in milliseconds. */
const STALE = 30_000

/** The sign-in for a gateway, refreshed where it has ended and can be; undefined if somebody has to sign in. */
export async function currentLogin(url: string): Promise<StoredLogin | undefined> {
  const login = await kept(url)
  if (login === undefined || login.expires > Date.now() + (login.refresh === undefined ? 0 : AHEAD)) return login
  if (login.refresh === undefined) return undefined
  return locked(async () => {
    // Another command may have been faster, and a refresh token is good once.
    const again = await kept(url)
    if (again?.refresh === undefined) return undefined
    return again.expires > Date.now() + AHEAD ? again : refreshed(url, again)
  })
}

async function refreshed(url: string, login: StoredLogin): Promise<StoredLogin | undefined> {
  const { issuer, token } = login.refresh!
  const still = login.expires > Date.now() ? login : undefined
  try {
    const { refreshTokenGrant } = await import('openid-client')
    const { findProvider, tokensOf } = await import('./provider.ts')
    const { config } = await findProvider(url, issuer)
    const tokens = tokensOf(await refreshTokenGrant(config, token))
    const next = { token: tokens.token, expires: tokens.expires, refresh: { issuer, token: tokens.refresh ?? token } }
    await keep(url, next)
    return next
  } catch {
    return still // whatever is wrong: what there is, is used while it is good
  }
}

/** One command at a time. A folder is made by one alone, on every file system. */
async function locked<T>(work: () => Promise<T>): Promise<T> {
  mkdirSync(configFolder(), { recursive: true, mode: 0o700 })
  const lock = join(configFolder(), 'lock')
  for (;;) {
    try {
      mkdirSync(lock)
      break
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      const since = statSync(lock, { throwIfNoEntry: false })?.mtimeMs
      if (since !== undefined && Date.now() - since > STALE) remove(lock)
      else await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  try {
    return await work()
  } finally {
    remove(lock)
  }
}

function remove(lock: string): void {
  try {
    rmdirSync(lock)
  } catch {
    // another was faster
  }
}
