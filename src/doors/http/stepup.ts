/** How a caller is asked to prove more: what a decision of effect `challenge` becomes in HTTP. */
import type { Requirement } from '../../core/decision.ts'
import type { Principal } from '../../core/principal.ts'
import { acrValues, claimsRequest, type Proof } from '../../core/stepup.ts'
import type { Fields } from '../../http/engine.ts'

/** What has to be proven of this principal; undefined where nothing that it does could, so that asking would be no help. */
export function provable(requirements: readonly Requirement[] | undefined, { identity }: Principal): readonly Proof[] | undefined {
  // A workload has nobody who could answer, and what acts alone neither.
  if (identity === undefined || identity.appOnly || (identity.kind !== 'human' && identity.kind !== 'human-via-agent')) return undefined
  const proofs = (requirements ?? []).map(({ proof }) => proof)
  return proofs.length > 0 && proofs.every((proof) => proof !== undefined) ? proofs : undefined
}

/** Whether a token of another kind is all that is missing, which a client that brings tokens can get. */
export function asksForDpop(requirements: readonly Requirement[] | undefined, { identity }: Principal): boolean {
  if (identity?.evidence.credential !== 'bearer' || requirements === undefined || requirements.length === 0) return false
  return requirements.every(({ kind, name }) => kind === 'proof-of-possession' && name !== 'mtls')
}

/**
 * The parameters of a `Bearer` challenge: `insufficient_claims` of Entra ID for clients that declare to handle it (`xms_cc` has `cp1`),
 * else `insufficient_user_authentication` (RFC 9470 §3). Undefined for a client of Entra ID that doesn't declare it: it could not follow.
 */
export function stepUpParameters(proofs: readonly Proof[], { claims }: Principal): readonly string[] | undefined {
  const { xms_cc: capabilities } = claims
  if (Array.isArray(capabilities) && capabilities.some((one: string) => one.toLowerCase() === 'cp1')) {
    const value = Buffer.from(JSON.stringify({ access_token: claimsRequest(proofs) })).toString('base64')
    return ['error="insufficient_claims"', `claims="${value}"`]
  }
  if (proofs.some(({ claim }) => claim === 'acrs')) return undefined
  const acr = acrValues(proofs)
  return ['error="insufficient_user_authentication"', ...(acr === undefined ? [] : [`acr_values="${acr}"`])]
}

export function stepUpChallenge(realm: string, authorizationUri: string | undefined, parameters: readonly string[]): Fields {
  const where = authorizationUri === undefined ? [] : [`authorization_uri="${authorizationUri}"`]
  return ['WWW-Authenticate', `Bearer ${[`realm="${realm}"`, ...where, ...parameters].join(', ')}`]
}
