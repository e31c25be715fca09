import { OstiaryError } from '../../core/errors.ts'
import { Secret } from '../../core/secret.ts'
import type { TokenSource } from '../clientauth/tokensource.ts'
import { jsonOf, request, type Answer, type RequestDeps, type RequestLimits } from '../request.ts'
import { isOwnResource, readChallenge } from './challenge.ts'
import type { VaultCloud, VaultName } from './name.ts'

/** What a vault answered. */
export interface VaultValue {
  readonly value: Secret
  /** `exp` of the secret, in milliseconds since the epoch. */
  readonly expiresAt: number | undefined
}

export interface VaultAccess extends RequestDeps {
  readonly cloud: VaultCloud
  /** The tenant that the gateway gets its token in; undefined for a managed identity, whose platform knows. */
  readonly tenant: string | undefined
  readonly tokens: TokenSource
}

const API_VERSION = '7.4'
const limits: RequestLimits = { timeout: 5_000, maxBytes: 256 * 1024 }
/** A longer value is no secret, in characters; Key Vault has 25 KiB. */
const MAX_VALUE = 64 * 1024

/**
 * Asks a vault for the newest version of a secret. The first question has no token: the vault says what for it wants one, and that is
 * checked before one is shown. @throws OstiaryError `secrets/vault`, `secrets/managed-identity`, `secrets/app-token`
 */
export async function askVault(access: VaultAccess, name: VaultName): Promise<VaultValue> {
  const failed = (cause: string): OstiaryError => new OstiaryError('secrets/vault', { ...name, cause })
  const host = `${name.vault.toLowerCase()}.${access.cloud.suffix}`
  const url = `https://${host}/secrets/${name.name}?api-version=${API_VERSION}`
  const get = (token?: Secret): Promise<Answer> => {
    const authorization = token === undefined ? {} : { authorization: `Bearer ${token.reveal()}` }
    return request(access, url, { headers: { accept: 'application/json', ...authorization } }, limits)
  }
  const first = await get()
  if (first.outcome === 'failed') throw failed(first.detail)
  if (first.status !== 401) throw failed(`it answered ${first.status} without asking who it is`)
  const challenge = readChallenge(first.headers.get('www-authenticate'))
  if (challenge === undefined) throw failed('its challenge is not understood')
  const { resource, authorization } = challenge
  if (!isOwnResource(resource, host, access.cloud.suffix)) throw failed('it asks for a token of another service')
  if (access.tenant !== undefined && authorization?.toLowerCase() !== `${access.cloud.authority}/${access.tenant}`)
    throw failed('it belongs to another tenant than the gateway')
  let second = await get(await access.tokens.token(resource))
  if (second.outcome === 'answer' && second.status === 401) {
    access.tokens.forget(resource) // ended or revoked before its time
    second = await get(await access.tokens.token(resource))
  }
  if (second.outcome === 'failed') throw failed(second.detail)
  if (second.status !== 200) throw failed(refusal(second.status))
  return valueOf(second.body, host, name, failed)
}

function refusal(status: number): string {
  switch (status) {
    case 401:
      return 'it refuses the token of the gateway (401)'
    case 403:
      return 'the gateway may not read it (403): it needs the role Key Vault Secrets User, and a way through the firewall'
    case 404:
      return 'there is no such secret (404)'
    default:
      return `it answered ${status}`
  }
}

function valueOf(body: Uint8Array, host: string, { name }: VaultName, failed: (cause: string) => OstiaryError): VaultValue {
  const answer = jsonOf(body)
  const { value, id, contentType, attributes } = answer ?? {}
  if (typeof value !== 'string' || value === '' || value.length > MAX_VALUE || typeof id !== 'string' || !URL.canParse(id))
    throw failed('an answer that is not understood')
  const { hostname, pathname } = new URL(id)
  if (hostname !== host || !pathname.toLowerCase().startsWith(`/secrets/${name.toLowerCase()}/`))
    throw failed('it answered with another secret')
  const { enabled, exp } = (typeof attributes === 'object' && attributes !== null ? attributes : {}) as Record<string, unknown>
  if (enabled === false) throw failed('it is disabled')
  if (contentType === 'application/x-pkcs12')
    throw failed('it is a certificate as PKCS#12: make it with the content type application/x-pem-file')
  return { value: new Secret(value), expiresAt: typeof exp === 'number' && Number.isFinite(exp) ? exp * 1000 : undefined }
}
