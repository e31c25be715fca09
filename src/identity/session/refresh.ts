import type { Clock } from '../../core/clock.ts'
import { OstiaryError } from '../../core/errors.ts'
import type { Identity } from '../../core/principal.ts'
import { askToken } from '../../secrets/clientauth/tokenendpoint.ts'
import type { Issuer, ProviderMetadata } from '../issuer.ts'
import { isObject, readJson } from '../jose/json.ts'
import type { Kept, ProviderTokens } from './kept.ts'
import { readRefreshToken } from './redeem.ts'

export interface RefreshParts {
  readonly issuers: readonly Issuer[]
  readonly fetch: typeof fetch
  readonly clock: Clock
  readonly log: (line: string) => void
}

/** What a refresh token gave. The tokens of an answer are always kept, whatever is made of it: the one that was sent may be used up. */
export type Refreshed =
  | (Kept & { readonly outcome: 'proven'; readonly tokens: ProviderTokens })
  /** The provider, or what it answered, says that it is over. `reason` is for the record. */
  | { readonly outcome: 'refused'; readonly reason: string }
  | { readonly outcome: 'unavailable'; readonly tokens?: ProviderTokens }

export type Refresh = (known: Identity, tokens: ProviderTokens) => Promise<Refreshed>

/** Answers of a token endpoint that say that only the person can go on. All else may be better in a moment, or is the operator's to mend. */
const OVER = new Set(['invalid_grant', 'interaction_required'])

/** Redeems refresh tokens (RFC 6749 §6, OpenID Connect Core §12): who it is may have other claims by now, but is still the same. */
export function refresher(parts: RefreshParts): Refresh {
  return async (known, tokens) => {
    const issuer = parts.issuers.find(({ name }) => name === known.issuer)
    const { refreshToken } = tokens
    if (issuer?.signIn === undefined || refreshToken === undefined) return { outcome: 'unavailable' }
    try {
      return await ask(parts, issuer, known, { ...tokens, refreshToken })
    } catch (error) {
      // The provider's metadata or the client's own proof is missing: the operator's to mend.
      if (!(error instanceof OstiaryError)) throw error
      parts.log(`issuer ${issuer.name}: a session was not proven anew: ${error.message}`)
      return { outcome: 'unavailable' }
    }
  }
}

async function ask(
  { fetch, clock, log }: RefreshParts,
  issuer: Issuer,
  known: Identity,
  tokens: ProviderTokens & { readonly refreshToken: string },
): Promise<Refreshed> {
  const { clientId, auth, scopes } = issuer.signIn!
  const { tokenEndpoint: endpoint, secretIn }: ProviderMetadata = await issuer.metadata()
  if (endpoint === undefined) return { outcome: 'unavailable' }
  // Those that were asked for at sign-in: some providers leave out the ID token otherwise.
  const scope = [...new Set(['openid', ...scopes])].join(' ')
  const grant = { grant_type: 'refresh_token', refresh_token: tokens.refreshToken, scope }
  const answer = await askToken({ fetch, clock, endpoint, secretIn, auth, grant })
  if (answer.outcome !== 'granted') {
    log(`issuer ${issuer.name}: a session was not proven anew: ${answer.detail}`)
    return answer.outcome === 'refused' && OVER.has(answer.error)
      ? { outcome: 'refused', reason: answer.error }
      : { outcome: 'unavailable' }
  }

  const body = readJson(answer.body)
  const { refresh_token: next, id_token: idToken } = isObject(body) ? body : {}
  const kept: ProviderTokens = { ...tokens, refreshToken: readRefreshToken(next) ?? tokens.refreshToken }
  if (typeof idToken !== 'string') {
    log(`issuer ${issuer.name}: it proves no session anew, as it answers a refresh token without an ID token; leave \`offline_access\` out`)
    return { outcome: 'refused', reason: 'no-id-token' }
  }
  const proven = await issuer.verifyIdToken(idToken, { clientId, nonce: tokens.nonce, refreshed: true })
  switch (proven.outcome) {
    case 'unavailable':
      return { outcome: 'unavailable', tokens: kept }
    case 'rejected':
      log(`issuer ${issuer.name}: a session was not proven anew: ${proven.reason}${proven.claim === undefined ? '' : ` ${proven.claim}`}`)
      return { outcome: 'refused', reason: proven.reason }
    case 'identity': {
      const { identity, expiresAt: provenUntil } = proven
      if (!isOneAndTheSame(known, identity)) return { outcome: 'refused', reason: 'another-subject' }
      // What names the proof stays what it was at the beginning, so that what was revoked by it stays revoked.
      return { outcome: 'proven', identity: { ...identity, evidence: known.evidence }, provenUntil, tokens: kept }
    }
  }
}

/** OpenID Connect Core §12.2. The tenant of Entra is in both. */
function isOneAndTheSame(one: Identity, other: Identity): boolean {
  return one.issuer === other.issuer && one.subject === other.subject && one.evidence.issuerUrl === other.evidence.issuerUrl
}
