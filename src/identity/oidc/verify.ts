import type { Identity } from '../../core/principal.ts'
import { readClaims } from '../claims.ts'
import type { IdTokenExpected, TokenResult } from '../issuer.ts'
import type { Jwt } from '../jose/compact.ts'
import { Refusal } from '../jose/refusal.ts'
import type { Times } from '../jose/times.ts'
import { bearerEvidence, checkNonce, readSid, readText, verifySigned, type SignedVerifier } from '../signed.ts'
import { accessIdentity, displayOf, type AccessJudge } from './access.ts'
import { withClient } from './parties.ts'

export interface OidcVerifier extends SignedVerifier, AccessJudge {}

/** Judges an access token (RFC 9068 §4). At once where the key is at hand. */
export function verifyAccess(verifier: OidcVerifier, jwt: Jwt): TokenResult | Promise<TokenResult> {
  return verifySigned(
    verifier,
    jwt,
    () => checkType(jwt, verifier),
    (times) => {
      const identity = accessIdentity(verifier, jwt.payload, { ...times, header: jwt.header })
      return { outcome: 'identity', identity, expiresAt: times.expiresAt }
    },
  )
}

/** Judges an ID token of a sign-in (OpenID Connect Core §3.1.3.7). */
export function verifyId(verifier: OidcVerifier, jwt: Jwt, expected: IdTokenExpected): TokenResult | Promise<TokenResult> {
  const checkIdType = (): void => {
    if (!['JWT', undefined].includes(jwt.header.typ?.toUpperCase())) throw new Refusal('token-type')
  }
  return verifySigned(verifier, jwt, checkIdType, (times) => judgeId(verifier, jwt, times, expected))
}

/** `typ` of an access token (RFC 9068 §2.1, RFC 8725 §3.11). */
function checkType({ header, payload }: Jwt, { profile }: OidcVerifier): void {
  const type = header.typ?.toLowerCase().replace(/^application\//, '')
  if (profile.hasType(type)) return
  profile.checkAccess(payload) // says better what it is
  throw new Refusal('token-type')
}

function judgeId(verifier: OidcVerifier, { header, payload }: Jwt, times: Times, expected: IdTokenExpected): TokenResult {
  const { clientId } = expected
  const { aud, azp, typ } = payload
  if (typ !== undefined && typ !== 'ID') throw new Refusal('token-type')
  if (Array.isArray(aud) ? !aud.includes(clientId) : aud !== clientId) throw new Refusal('audience')
  // Several audiences: the token must say that it was made for us (§3.1.3.7, 4 and 5).
  if (azp === undefined ? Array.isArray(aud) && aud.length > 1 : azp !== clientId) throw new Refusal('client')
  checkNonce(payload, expected)
  const derived = verifier.profile.derive(payload, clientId)
  const identity: Identity = {
    issuer: verifier.name,
    subject: readText(payload, 'sub'),
    kind: 'human',
    ...readClaims(withClient(derived, clientId), verifier.declared),
    scopes: undefined,
    appOnly: false,
    listedClient: false,
    actor: undefined,
    display: displayOf(derived),
    evidence: bearerEvidence(payload, { issuerUrl: verifier.issuer, audience: clientId, client: clientId, header, ...times }),
  }
  return { outcome: 'identity', identity, expiresAt: times.expiresAt, sid: readSid(payload) }
}
