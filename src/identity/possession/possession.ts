import type { AuthResult, Credential, Presentation } from '../../core/credential.ts'
import { Refusal } from '../jose/refusal.ts'
import { Dpop, PROOF_MS, PROOF_SKEW_MS } from './dpop.ts'
import { Nonces } from './nonces.ts'
import { Replays } from './replays.ts'
import type { Seal } from '../session/seal.ts'
import type { Clock, Entropy } from '../../core/clock.ts'

/** Proofs of the time in which one is good that are remembered at most. */
const MAX_PROOFS = 200_000

type Verified = Extract<AuthResult, { outcome: 'verified' }>
/** What brings a token. */
export type TokenCredential = Extract<Credential, { kind: 'bearer' | 'dpop' }>

/**
 * Whether who presents a token is who it was given to. A bearer token needs no proof; one that is bound to a key needs it each time,
 * because it alone proves nothing (RFC 9449 §7, RFC 8705 §3).
 */
export class Possession {
  readonly #dpop: Dpop
  readonly #nonces: Nonces

  constructor(dpop: Dpop, nonces: Nonces) {
    this.#dpop = dpop
    this.#nonces = nonces
  }

  of(credential: TokenCredential, answer: Verified, at: Presentation): AuthResult {
    const { confirmation } = answer.verified.identity.evidence
    if (confirmation === undefined) return credential.kind === 'bearer' ? answer : rejected('proof', 'cnf') // a proof of what it isn't bound to
    switch (confirmation.method) {
      case 'mtls': {
        if (credential.kind !== 'bearer') return rejected('proof', 'cnf')
        if (at.certificate === undefined) return rejected('unproven', 'x5t#S256')
        return at.certificate.thumbprint === confirmation.thumbprint ? answer : rejected('proof', 'x5t#S256')
      }
      case 'dpop':
        return credential.kind === 'dpop' ? this.#byDpop(credential, answer, confirmation.thumbprint) : rejected('unproven')
    }
  }

  #byDpop(credential: Extract<TokenCredential, { kind: 'dpop' }>, answer: Verified, thumbprint: string): AuthResult {
    try {
      const checked = this.#dpop.check(credential, credential.token.reveal(), thumbprint)
      return checked === 'full' ? { outcome: 'unavailable', cause: 'overloaded' } : answer
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      if (error.reason === 'proof-nonce') return { ...rejected('proof-nonce'), nonce: this.#nonces.give() }
      if (error.reason === 'proof' || error.reason === 'proof-replayed') return rejected(error.reason, error.claim)
      return rejected('proof', error.reason)
    }
  }
}

export interface PossessionParts {
  readonly clock: Clock
  readonly entropy: Entropy
  readonly seal: Seal
  /** Whether a DPoP proof has to hold a nonce of ours. */
  readonly nonceRequired: boolean
}

export function openPossession({ clock, entropy, seal, nonceRequired }: PossessionParts): Possession {
  const nonces = new Nonces(seal, clock)
  const replays = new Replays(clock, PROOF_MS + PROOF_SKEW_MS, MAX_PROOFS)
  return new Possession(new Dpop({ clock, entropy, nonces, replays, nonceRequired }), nonces)
}

type Rejected = Extract<AuthResult, { outcome: 'rejected' }>

function rejected(reason: Rejected['reason'], claim?: string): Rejected {
  return claim === undefined ? { outcome: 'rejected', reason } : { outcome: 'rejected', reason, claim }
}
