import type { RejectReason } from '../../core/credential.ts'

/** Thrown inside identity where a token is found wanting; its verifier answers it as `rejected`. */
export class Refusal extends Error {
  readonly reason: RejectReason
  /** Name of the claim at fault. A name that the gateway knows, never one that the token brought. */
  readonly claim: string | undefined

  constructor(reason: RejectReason, claim?: string) {
    super(reason)
    this.name = 'Refusal'
    this.reason = reason
    this.claim = claim
  }
}

/** A refusal as an answer. */
export interface Rejected {
  readonly outcome: 'rejected'
  readonly reason: RejectReason
  readonly claim?: string | undefined
}

/** Runs a judgement and turns its refusal into an answer. */
export function refused<T>(judge: () => T): T | Rejected {
  try {
    return judge()
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const { reason, claim } = error
    return claim === undefined ? { outcome: 'rejected', reason } : { outcome: 'rejected', reason, claim }
  }
}
