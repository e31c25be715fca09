import type { Kept, KeptStore } from './kept.ts'

/** A role that is active for somebody for a time: the policy says that they may have it, and somebody said from when until when. */
export interface StoredActivation extends Kept {
  /** Configured name. */
  readonly issuer: string
  readonly subject: string
  readonly role: string
  /** Milliseconds since the epoch: from the first to before `until`. */
  readonly from: number
  readonly until: number
  /** What it is for, in the words of whoever activated it. */
  readonly reason: string
  /** For people to read; nothing is decided on it. */
  readonly display: string | undefined
}

export type ActivationStore = KeptStore<StoredActivation>
