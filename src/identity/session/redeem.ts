import type { Clock } from '../../core/clock.ts'
import { askToken, type TokenAnswer } from '../../secrets/clientauth/tokenendpoint.ts'
import type { ProviderMetadata, SignInSettings } from '../issuer.ts'
import { isObject, readJson } from '../jose/json.ts'

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

/** What a code gave, or why there is none. `detail` is for the operator: codes of the standards, no text of the provider. */
export type Redeemed =
  | { readonly outcome: 'tokens'; readonly idToken: string; readonly refreshToken: string | undefined }
  | { readonly outcome: 'refused'; readonly error: string; readonly detail: string }
  | { readonly outcome: 'unavailable'; readonly detail: string }

/**
 * Redeems an authorization code (RFC 6749 §4.1.3), once: whether or not the answer comes back, the code is used up. What else the
 * answer holds is dropped here: no access token is kept.
 * @throws OstiaryError of the family `secrets/`
 */
export async function redeem({ client, tokenEndpoint, code, redirectUri, verifier, ...rest }: Redemption): Promise<Redeemed> {
  const grant = { grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier }
  const answer = await askToken({ ...rest, endpoint: tokenEndpoint, auth: client.auth, grant })
  return answer.outcome === 'granted' ? tokensOf(answer) : answer
}

function tokensOf({ body }: Extract<TokenAnswer, { outcome: 'granted' }>): Redeemed {
  const answer = readJson(body)
  const { id_token: idToken, refresh_token: refreshToken } = isObject(answer) ? answer : {}
  if (typeof idToken === 'string') return { outcome: 'tokens', idToken, refreshToken: readRefreshToken(refreshToken) }
  return { outcome: 'refused', error: 'no_id_token', detail: 'it answered without an ID token; is `openid` among the scopes?' }
}

/** Longest refresh token that is kept, in characters. */
const MAX_REFRESH_TOKEN = 16 * 1024

/** The refresh token of an answer; undefined where there is none that can be kept. */
export function readRefreshToken(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= MAX_REFRESH_TOKEN ? value : undefined
}
