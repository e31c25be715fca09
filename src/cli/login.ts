import { causeOf } from './admin.ts'
import { keep } from './credentials.ts'
import { OstiaryError } from '../core/errors.ts'

/** What a gateway tells a client that wants to sign in (`GET /.ostiary/client.json` of the admin listener). */
interface ClientDocument {
  readonly issuers: readonly {
    readonly name: string
    readonly discovery: string
    readonly clientId: string
    readonly scopes: readonly string[]
  }[]
}

interface DeviceAnswer {
  readonly device_code: string
  readonly user_code: string
  readonly verification_uri: string
  readonly verification_uri_complete?: string
  readonly expires_in: number
  readonly interval?: number
}

interface TokenAnswer {
  readonly access_token?: string
  readonly expires_in?: number
  readonly error?: string
  readonly error_description?: string
}

async function call<T>(url: string, form?: Readonly<Record<string, string>>): Promise<T> {
  const response = await fetch(url, form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) }).catch(
    (error: unknown) => {
      throw new OstiaryError('cli/no-gateway', { url: new URL(url).origin, cause: causeOf(error) })
    },
  )
  return (await response.json().catch(() => ({}))) as T
}

/** Signs in by the device authorization grant (RFC 8628) and keeps the token on this machine. */
export async function deviceLogin(
  admin: string,
  issuerName: string | undefined,
  say: (line: string) => void,
): Promise<{ readonly subject: string; readonly expires: string }> {
  const { issuers = [] } = await call<Partial<ClientDocument>>(`${admin}/.ostiary/client.json`)
  const issuer = issuers.find(({ name }) => issuerName === undefined || name === issuerName)
  if (issuer === undefined) throw new OstiaryError('cli/no-login', { url: admin })
  const metadata = await call<{ device_authorization_endpoint?: string; token_endpoint?: string }>(issuer.discovery)
  if (metadata.device_authorization_endpoint === undefined || metadata.token_endpoint === undefined)
    throw new OstiaryError('cli/no-login', { url: admin })
  const device = await call<DeviceAnswer & TokenAnswer>(metadata.device_authorization_endpoint, {
    client_id: issuer.clientId,
    scope: issuer.scopes.join(' '),
  })
  if (device.device_code === undefined)
    throw new OstiaryError('cli/login-failed', { reason: device.error_description ?? device.error ?? 'the provider gave no code' })
  say(`open ${device.verification_uri_complete ?? device.verification_uri} and enter the code ${device.user_code}`)
  let wait = (device.interval ?? 5) * 1000
  const deadline = Date.now() + device.expires_in * 1000
  while (Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, wait))
    const answer = await call<TokenAnswer>(metadata.token_endpoint, {
      grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
      device_code: device.device_code,
      client_id: issuer.clientId,
    })
    if (answer.access_token !== undefined) {
      const expires = Date.now() + (answer.expires_in ?? 3600) * 1000
      keep(admin, { token: answer.access_token, expires })
      const me = (await fetch(`${admin}/api/me`, { headers: { authorization: `Bearer ${answer.access_token}` } }).then((response) =>
        response.json(),
      )) as { display?: string; subject?: string; detail?: string }
      return {
        subject: me.display ?? me.subject ?? 'somebody the gateway does not admit to its admin API',
        expires: new Date(expires).toISOString(),
      }
    }
    if (answer.error === 'slow_down') wait += 5000
    else if (answer.error !== 'authorization_pending')
      throw new OstiaryError('cli/login-failed', { reason: answer.error_description ?? answer.error ?? 'no answer' })
  }
  throw new OstiaryError('cli/login-failed', { reason: 'the code has expired' })
}
