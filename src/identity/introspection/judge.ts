import { CLOCK_SKEW_MS } from '../../core/clock.ts'
import type { Identity } from '../../core/principal.ts'
import { withMembers } from '../claims.ts'
import type { ClaimInfo } from '../issuer.ts'
import type { JsonObject } from '../jose/json.ts'
import { Refusal } from '../jose/refusal.ts'
import { numericDate, type Times } from '../jose/times.ts'
import { accessIdentity, type AccessJudge } from '../oidc/access.ts'
import { oidcClaims } from '../oidc/claims.ts'
import { refuseIdTokens, rfc9068, type Profile } from '../oidc/profile.ts'
import { providers } from '../oidc/providers.ts'
import { readText } from '../signed.ts'

/** Claims of an answer that policy may speak of: those of tokens, and the name that RFC 7662 has for people to read. */
export const introspectionClaims: Readonly<Record<string, ClaimInfo>> = { ...oidcClaims, username: { type: 'string', mayBeUnknown: false } }

export interface AnswerJudge extends AccessJudge {
  /** Milliseconds; undefined where every answer has to say when the token ends. */
  readonly maxLifetime: number | undefined
}

/** The identity that an active token proves, and when the token itself ends, in milliseconds since the epoch. @throws Refusal */
export function judgeAnswer(judge: AnswerJudge, claims: JsonObject, now: number): { readonly identity: Identity; readonly endsAt: number } {
  if (claims['iss'] !== undefined && claims['iss'] !== judge.issuer) throw new Refusal('issuer')
  const times = readTimes(claims, now, judge.maxLifetime)
  return { identity: accessIdentity(judge, claims, { ...times, header: undefined }), endsAt: times.expiresAt }
}

/** How answers differ from tokens (RFC 7662 §2.2): nearly everything is optional. */
export const answerProfile: Profile = {
  ...rfc9068,
  checkAccess(claims) {
    const { token_type: type, token_use: use } = claims
    const kind = typeof type === 'string' ? type.toLowerCase() : type
    // A token of another type has to be presented otherwise; Ory Hydra says by `token_use` that one is a refresh token.
    if (kind !== undefined && kind !== 'bearer' && !(kind === 'dpop' && 'cnf' in claims)) throw new Refusal('token-type')
    if (use !== undefined && use !== 'access_token') throw new Refusal('token-type')
    refuseIdTokens(claims)
  },
  // A client that got a token for itself needs no subject; a person without one has no stable key.
  subject: (claims) => readText(claims, claims['sub'] === undefined && claims['username'] === undefined ? 'client_id' : 'sub'),
  clientRequired: false,
}

/** Providers whose answers are read by their ways: the subject, who is a client, and where roles are. */
export const answerProviders = ['okta', 'keycloak'] as const

/** How answers of this provider are read; undefined: as RFC 7662 has them. */
export function answersOf(provider: (typeof answerProviders)[number] | undefined): Profile {
  if (provider === undefined) return answerProfile
  const { subject, appOnly, derive } = providers[provider]
  switch (provider) {
    case 'okta':
      return { ...answerProfile, clientRequired: true, subject, appOnly, derive }
    case 'keycloak':
      return {
        ...answerProfile,
        clientRequired: true,
        derive,
        // Answers have `client_id` whoever it is, and the name as `username` also where the token has none.
        appOnly: (claims, told, client) =>
          appOnly(withMembers(claims, { preferred_username: claims['preferred_username'] ?? claims['username'] }), told, client),
      }
  }
}

/** `exp`, `iat` and `nbf` of an answer. Without `exp` the token ends `maxLifetime` after it began, as far as is known. @throws Refusal */
function readTimes(claims: JsonObject, now: number, maxLifetime: number | undefined): Times {
  const date = (name: string): number | undefined => (claims[name] === undefined ? undefined : numericDate(claims[name], name))
  const [exp, iat, nbf] = [date('exp'), date('iat'), date('nbf')]
  const end = exp ?? (maxLifetime === undefined ? undefined : (iat ?? now) + maxLifetime)
  if (end === undefined) throw new Refusal('claim', 'exp')
  if (end + CLOCK_SKEW_MS <= now) throw new Refusal('expired')
  if (iat !== undefined && iat - CLOCK_SKEW_MS > now) throw new Refusal('issued-in-future')
  if (nbf !== undefined && nbf - CLOCK_SKEW_MS > now) throw new Refusal('not-yet-valid')
  if (maxLifetime !== undefined && end - (iat ?? now) > maxLifetime) throw new Refusal('lifetime')
  return { issuedAt: iat, expiresAt: end + CLOCK_SKEW_MS }
}
