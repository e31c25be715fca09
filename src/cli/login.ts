import { OstiaryError } from '../core/errors.ts'
import { causeOf } from './admin.ts'
import { forget, keep, type StoredLogin } from './credentials.ts'
import { byBrowser, hasBrowser } from './signin/browser.ts'
import { byDevice } from './signin/device.ts'
import { locked } from './signin/lock.ts'
import { findProvider } from './signin/provider.ts'

export interface LoginOptions {
  readonly issuer?: string
  readonly browser?: boolean
  readonly device?: boolean
  readonly port?: string
}

export interface SignedIn {
  readonly subject: string
  /** RFC 3339. */
  readonly expires: string
  /** Where it is kept. */
  readonly kept: string
}

/** Signs a person in: with a browser where there is one, else by a code on another machine. */
export async function personLogin(admin: string, options: LoginOptions, say: (line: string) => void): Promise<SignedIn> {
  const provider = await findProvider(admin, options.issuer)
  const metadata = provider.config.serverMetadata()
  const canDevice = metadata['device_authorization_endpoint'] !== undefined
  const browser = options.browser ?? (options.device !== true && (hasBrowser() || !canDevice))
  if (!browser && !canDevice) throw new OstiaryError('cli/login-failed', { reason: 'the provider has no device code; use `--browser`' })
  const { token, expires, refresh } = browser ? await byBrowser(provider, portOf(options.port), say) : await byDevice(provider, say)
  return finish(admin, { token, expires, ...(refresh === undefined ? {} : { refresh: { token: refresh, issuer: provider.issuer } }) })
}

function portOf(text: string | undefined): number {
  const port = text === undefined ? 0 : Number(text)
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port
  throw new OstiaryError('cli/usage', { problem: '`--port` is a number from 1 to 65535', command: 'login' })
}

/** Asks the gateway whom it takes the token for, and keeps it for the commands that ask this gateway. */
export async function finish(admin: string, login: StoredLogin): Promise<SignedIn> {
  const response = await fetch(`${admin}/api/me`, { headers: { authorization: `Bearer ${login.token}` } }).catch((error: unknown) => {
    throw new OstiaryError('cli/no-gateway', { url: admin, cause: causeOf(error) })
  })
  const me = (await response.json().catch(() => ({}))) as { display?: string; subject?: string; detail?: string; title?: string }
  if (response.status !== 200 && response.status !== 403)
    throw new OstiaryError('cli/login-failed', { reason: me.detail ?? me.title ?? 'the gateway did not accept the credentials' })
  // Somebody else's tokens would be left: all go, and nobody renews one meanwhile.
  const where = await locked(async () => {
    await forget(admin)
    return keep(admin, login)
  })
  return {
    subject: me.display ?? me.subject ?? 'somebody the gateway does not admit to its admin API',
    expires: new Date(login.expires).toISOString(),
    kept: where,
  }
}
