import type { Clock, Entropy } from '../core/clock.ts'
import type { AuthResult, Presentation, PresentedCertificate, RejectReason } from '../core/credential.ts'
import type { Meter } from '../core/meter.ts'
import type { Secret } from '../core/secret.ts'
import { Budget, type BudgetLimits } from './budget.ts'
import { TokenCache } from './cache.ts'
import type { Issuer, TokenResult } from './issuer.ts'
import { MAX_TOKEN, parseJwt, type Jwt } from './jose/compact.ts'
import type { Possession, TokenCredential } from './possession/possession.ts'
import type { Revocations } from './revocations/revocations.ts'
import { isSame, Renewal, VerifiedToken, type KeyState } from './verified.ts'

export interface TokenLimits {
  /** Verified tokens kept at most. */
  readonly entries: number
  /** Refused tokens kept at most, and for how many milliseconds. */
  readonly refusedEntries: number
  readonly refusedFor: number
  /** Verifications that wait for keys at most. */
  readonly waiting: number
  readonly cold: BudgetLimits
}

export const tokenLimits: TokenLimits = {
  entries: 10_000,
  refusedEntries: 1_000,
  refusedFor: 5_000,
  waiting: 1_000,
  cold: { rate: 200, burst: 400, sources: 10_000 },
}

export interface TokenParts {
  readonly issuers: readonly Issuer[]
  readonly clock: Clock
  readonly entropy: Entropy
  readonly meter: Meter
  readonly revocations: Revocations
  readonly possession: Possession
  readonly limits?: Partial<TokenLimits>
}

type Rejected = Extract<AuthResult, { outcome: 'rejected' }>
type Answer = Extract<AuthResult, { outcome: 'verified' }> & { readonly verified: VerifiedToken }
type Proof = Extract<TokenResult, { outcome: 'identity' }>

/** Refusals that the same token may not meet a moment later. */
const PASSING: ReadonlySet<RejectReason> = new Set(['unknown-key', 'not-yet-valid', 'issued-in-future', 'revoked'])

/**
 * Authenticates bearer tokens: each is verified once, by the issuer that its `iss` names, and known from then on until it expires or
 * its key leaves. What is known is answered at once; what isn't costs a signature, so each source has a budget of those that end in
 * nothing.
 */
export class Tokens {
  readonly #parts: TokenParts
  readonly #limits: TokenLimits
  readonly #verified: TokenCache<Answer>
  readonly #refused: TokenCache<Rejected>
  readonly #waiting = new Map<string, Promise<AuthResult>>()
  readonly #keys = new Map<string, KeyState>()
  readonly #budget: Budget

  constructor(parts: TokenParts) {
    this.#parts = parts
    this.#limits = { ...tokenLimits, ...parts.limits }
    this.#verified = new TokenCache(this.#limits.entries, parts.entropy)
    this.#refused = new TokenCache(this.#limits.refusedEntries, parts.entropy)
    this.#budget = new Budget(parts.clock, this.#limits.cold)
    for (const issuer of parts.issuers) issuer.onKeysLeft((name, keyIds) => this.#end(name, keyIds))
  }

  /** Verified tokens that are known. */
  get size(): number {
    return this.#verified.size
  }

  /** Verifies the token once, and each time what has to be proven beside it. */
  authenticate(credential: TokenCredential, at: Presentation): AuthResult | Promise<AuthResult> {
    const answer = this.#known(credential.token, at)
    return answer instanceof Promise ? answer.then((result) => this.#proven(credential, result, at)) : this.#proven(credential, answer, at)
  }

  #proven(credential: TokenCredential, result: AuthResult, at: Presentation): AuthResult {
    return result.outcome === 'verified' ? this.#parts.possession.of(credential, result, at) : result
  }

  /** Judges a certificate once, and knows it from then on by what it is. */
  ofCertificate(presented: PresentedCertificate, at: Presentation): AuthResult {
    // That the handshake found it good is of this connection, so it is asked each time.
    if (!presented.trusted) return { outcome: 'rejected', reason: 'certificate' }
    const text = `certificate ${presented.thumbprint}` // no token has a space in it
    const known = this.#verified.get(text, this.#parts.clock.now())
    if (known !== undefined) return known
    if (!this.#budget.take(at.source)) return this.#overloaded('source')
    const results = this.#parts.issuers.map((one) => one.verifyCertificate?.(presented)).filter((one) => one !== undefined)
    // Two whose authorities vouch for it: whose it is can't be told.
    const [result = { outcome: 'rejected', reason: 'certificate' } as const] = results.length > 1 ? [] : results
    if (result.outcome === 'identity') return this.#admit(text, at.source, result)
    this.#parts.meter.count('identity_tokens', { outcome: 'certificate' })
    return result
  }

  #known(secret: Secret, at: Presentation): AuthResult | Promise<AuthResult> {
    const token = secret.reveal()
    const now = this.#parts.clock.now()
    const known = this.#verified.get(token, now)
    if (known !== undefined) {
      known.verified.inUse()
      return known // revoked or not: whoever ended it ended this object, and the path reads that
    }
    if (token.length > MAX_TOKEN) return { outcome: 'rejected', reason: 'too-large' }
    const refusal = this.#refused.get(token, now)
    if (refusal !== undefined) return refusal
    // By its text in full, which the engine has to hash: only where something waits.
    const waiting = this.#waiting.size === 0 ? undefined : this.#waiting.get(token)
    if (waiting !== undefined) return waiting
    if (!this.#budget.take(at.source)) return this.#overloaded('source')
    return this.#verify(token, at.source)
  }

  #verify(token: string, source: string): AuthResult | Promise<AuthResult> {
    const result = this.#judge(token)
    if (!(result instanceof Promise)) return this.#admit(token, source, result)
    if (this.#waiting.size >= this.#limits.waiting) {
      result.catch(() => undefined)
      return this.#overloaded('waiting')
    }
    const answer = result.then((settled) => this.#admit(token, source, settled)).finally(() => this.#waiting.delete(token))
    this.#waiting.set(token, answer)
    return answer
  }

  /** A token goes to the issuer that owns its `iss`, or that knows its form where it is no JWT: it is never tried on another. */
  #judge(token: string): TokenResult | Promise<TokenResult> {
    const { issuers } = this.#parts
    let claiming: Issuer | undefined
    for (const one of issuers) {
      if (one.claimsToken?.(token) !== true) continue
      // Two that know the form: neither is it for certain, and a trial would show the token to the wrong one.
      if (claiming !== undefined) return { outcome: 'rejected', reason: 'issuer' }
      claiming = one
    }
    if (claiming !== undefined) return claiming.verifyAccessToken(token)
    const jwt = parseJwt(token)
    if ('outcome' in jwt) return jwt
    const { iss } = jwt.payload
    if (typeof iss !== 'string') return { outcome: 'rejected', reason: 'issuer' }
    const issuer = issuers.find((one) => one.owns(iss)) ?? issuers.find((one) => one.resembles(iss))
    const result = issuer?.verifyAccessToken(token, jwt) ?? { outcome: 'rejected', reason: 'issuer' }
    return result instanceof Promise ? result.then((settled) => bound(jwt, settled)) : bound(jwt, result)
  }

  #admit(token: string, source: string, result: TokenResult): AuthResult {
    const { clock, meter } = this.#parts
    switch (result.outcome) {
      case 'identity': {
        const answer = this.#keep(token, result)
        // Good tokens are made by the issuer only, so nobody can flood with them: a busy ingress is no attacker.
        this.#budget.giveBack(source)
        meter.count('identity_tokens', { outcome: 'verified' })
        return answer
      }
      case 'rejected':
        if (!PASSING.has(result.reason)) this.#refused.set(token, result, clock.now() + this.#limits.refusedFor)
        meter.count('identity_tokens', { outcome: result.reason })
        return result
      case 'unavailable':
        meter.count('identity_tokens', { outcome: 'unavailable' })
        return result
    }
  }

  #keep(token: string, { identity, expiresAt, renewable }: Proof): Answer {
    const { clock, revocations } = this.#parts
    const verified = new VerifiedToken(identity, expiresAt, this.#keyState(identity.issuer, identity.evidence.keyId ?? ''), revocations)
    const answer = { outcome: 'verified', verified } as const
    this.#verified.set(token, answer, expiresAt)
    if (renewable === true)
      verified.renewBy(
        new Renewal({ now: () => clock.now(), expiresAt: () => verified.expiresAt, ask: () => this.#askAgain(token, answer) }),
      )
    return answer
  }

  /** Asks about a token that is in use whether it still proves the same. If not, what holds on to it ends. */
  async #askAgain(token: string, answer: Answer): Promise<boolean> {
    const { verified } = answer
    let result: TokenResult
    try {
      result = await this.#judge(token)
    } catch {
      return false // a fault, and no answer: it ends when it ends
    }
    this.#parts.meter.count('identity_renewals', { outcome: result.outcome })
    switch (result.outcome) {
      case 'unavailable':
        return false
      case 'identity':
        if (isSame(verified.identity, result.identity)) {
          verified.extend(result.expiresAt)
          this.#verified.set(token, answer, result.expiresAt)
        } else {
          verified.revoked = true
          this.#keep(token, result)
        }
        return true
      case 'rejected':
        verified.revoked = true
        this.#verified.delete(token)
        return true
    }
  }

  #keyState(issuer: string, keyId: string): KeyState {
    const id = keyName(issuer, keyId)
    const known = this.#keys.get(id)
    if (known !== undefined) return known
    const state = { left: false }
    this.#keys.set(id, state)
    return state
  }

  /** Keys that left end what they signed: in the cache, and where a stream still holds on to it. */
  #end(issuer: string, keyIds: readonly string[]): void {
    for (const keyId of keyIds) {
      const id = keyName(issuer, keyId)
      const state = this.#keys.get(id)
      if (state === undefined) continue
      state.left = true
      this.#keys.delete(id)
    }
    this.#verified.remove(({ verified }) => verified.key.left)
  }

  #overloaded(limit: 'source' | 'waiting'): AuthResult {
    this.#parts.meter.count('identity_limit', { limit })
    return { outcome: 'unavailable', cause: 'overloaded' }
  }
}

function keyName(issuer: string, keyId: string): string {
  return `${issuer}\n${keyId}`
}

/** Whatever its issuer makes of it: a token that says that it is bound to a key is never taken for one that isn't. */
function bound({ payload }: Jwt, result: TokenResult): TokenResult {
  if (result.outcome !== 'identity' || !('cnf' in payload) || result.identity.evidence.confirmation !== undefined) return result
  return { outcome: 'rejected', reason: 'token-type' }
}
