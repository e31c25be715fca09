import type { Clock } from '../../core/clock.ts'
import { readBody } from '../body.ts'
import type { ProviderMetadata, SignInSettings } from '../issuer.ts'
import { isObject, readJson, type JsonObject } from '../jose/json.ts'

/** Longest wait for the provider, in milliseconds, and its longest answer, in bytes. */
const TIMEOUT_MS = 10_000
const MAX_ANSWER = 256 * 1024

export interface Redemption {
  readonly fetch: typeof fetch
  readonly clock: Clock
  readonly tokenEndpoint: string
  readonly client: SignInSettings
  readonly secretIn: ProviderMetadata['secretIn']
  readonly code: string
  readonly redirectUri: string
  /** PKCE (RFC 7636). */
  readonly verifier: string
}

/** The ID token that a code gave, or why there is none. `detail` is for the operator: codes of the standards, no text of the provider. */
export type Redeemed =
  | { readonly outcome: 'id-token'; readonly token: string }
  | { readonly outcome: 'refused'; readonly error: string; readonly detail: string }
  | { readonly outcome: 'unavailable'; readonly detail: string }

/** Error codes of RFC 6749 §5.2. */
const ERRORS = new Set([
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
])

/**
 * Redeems an authorization code (RFC 6749 §4.1.3), once: whether or not the answer comes back, the code is used up. What else the
 * answer holds is dropped here: no access or refresh token is kept.
 */
export async function redeem({
  fetch,
  clock,
  tokenEndpoint,
  client,
  secretIn,
  code,
  redirectUri,
  verifier,
}: Redemption): Promise<Redeemed> {
  const form = new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier })
  const headers: Record<string, string> = { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' }
  const secret = client.clientSecret?.().reveal()
  if (secret !== undefined && secretIn === 'header') {
    // Form-encoded before base64 (RFC 6749 §2.3.1): a colon or a percent sign in the secret must survive.
    headers['authorization'] = `Basic ${Buffer.from(`${formEncode(client.clientId)}:${formEncode(secret)}`).toString('base64')}`
  } else {
    form.set('client_id', client.clientId)
    if (secret !== undefined) form.set('client_secret', secret)
  }

  const late = new AbortController()
  const timer = clock.after(TIMEOUT_MS, () => late.abort())
  try {
    const response = await fetch(tokenEndpoint, { method: 'POST', headers, body: form.toString(), redirect: 'error', signal: late.signal })
    const answer = await readAnswer(response)
    if (response.status === 200) {
      const token = answer?.['id_token']
      if (typeof token === 'string') return { outcome: 'id-token', token }
      return { outcome: 'refused', error: 'no_id_token', detail: 'it answered without an ID token; is `openid` among the scopes?' }
    }
    if (response.status === 400 || response.status === 401) return refusal(answer)
    return { outcome: 'unavailable', detail: `it answered ${response.status}` }
  } catch {
    return { outcome: 'unavailable', detail: late.signal.aborted ? `no answer within ${TIMEOUT_MS} ms` : 'no connection' }
  } finally {
    timer.cancel()
  }
}

function refusal(answer: JsonObject | undefined): Redeemed {
  const given = answer?.['error']
  const error = typeof given === 'string' && ERRORS.has(given) ? given : 'unknown'
  const codes = answer?.['error_codes']
  const numbers = Array.isArray(codes) ? codes.filter((one) => Number.isSafeInteger(one)).slice(0, 4) : []
  return {
    outcome: 'refused',
    error,
    detail: numbers.length === 0 ? error : `${error}, ${numbers.map((one) => `AADSTS${String(one)}`).join(' ')}`,
  }
}

async function readAnswer(response: Response): Promise<JsonObject | undefined> {
  const body = await readBody(response, MAX_ANSWER)
  const value = body && readJson(body)
  return isObject(value) ? value : undefined
}

function formEncode(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1)
}
