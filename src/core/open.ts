import type { Clock, Timer } from './clock.ts'
import type { Obligation } from './decision.ts'
import type { PolicySource } from './policy.ts'
import type { EndCause, Passage } from './passage.ts'
import { Roster } from './roster.ts'

/** The mask among the obligations, as a text to compare. */
function maskOf(obligations: readonly Obligation[]): string | undefined {
  const mask = obligations.find(({ kind }) => kind === 'mask')
  return mask?.kind === 'mask' ? JSON.stringify(mask.fields) : undefined
}

/** How often expiry and revocation of open exchanges are looked at: half of the second that the design allows. */
const SWEEP_MS = 500

/** Exchanges that are decided anew before others have their turn: each may take as long as binding a principal. */
const AT_ONCE = 50

/**
 * The exchanges that are under way. Each is ended within a second when its credential expires or is revoked, or when
 * a new policy version no longer allows it (design, invariant 5).
 */
export class OpenExchanges {
  readonly #clock: Clock
  readonly #policies: PolicySource
  readonly #open = new Roster<Passage>()
  readonly #unsubscribe: () => void
  #timer: Timer | undefined
  /** Those that are still to be decided anew. */
  #rest: Timer | undefined

  constructor(clock: Clock, policies: PolicySource) {
    this.#clock = clock
    this.#policies = policies
    this.#unsubscribe = policies.subscribe(() => this.redecide())
  }

  get size(): number {
    return this.#open.size
  }

  /** The open exchange with this decision id. Walks through all of them: not for the request path. */
  find(id: string): Passage | undefined {
    for (const passage of this.#open) if (passage.id === id) return passage
    return undefined
  }

  add(passage: Passage): void {
    this.#open.add(passage)
    // The record may have been waited for: what changed meanwhile counts.
    if (passage.policy !== this.#policies.current) this.#redecide(passage)
    if (passage.verified?.revoked === true || passage.peer?.revoked === true) this.#end(passage, 'revoked')
    this.#timer ??= this.#clock.after(SWEEP_MS, () => this.#tick())
  }

  remove(passage: Passage): void {
    this.#open.delete(passage)
  }

  /** Ends what has expired or was revoked. Runs by itself; callable at once after a revocation. */
  sweep(): void {
    const now = this.#clock.now()
    for (const passage of this.#open) {
      const { peer } = passage
      if (peer !== undefined && (peer.revoked || peer.expiresAt <= now)) this.#end(passage, peer.revoked ? 'revoked' : 'expired')
      if (passage.verified === undefined) continue
      if (passage.verified.revoked) this.#end(passage, 'revoked')
      else if (passage.verified.expiresAt <= now) this.#end(passage, 'expired')
      else passage.verified.inUse?.()
    }
  }

  /** Decides every open exchange anew under the policy in force now: of many, some at a time, since new ones wait meanwhile. */
  redecide(): void {
    this.#rest?.cancel()
    this.#rest = undefined
    this.#redecideSome([...this.#open], 0)
  }

  #redecideSome(all: readonly Passage[], from: number): void {
    const next = from + AT_ONCE
    for (const passage of all.slice(from, next)) this.#redecide(passage)
    if (next < all.length) this.#rest = this.#clock.after(0, () => this.#redecideSome(all, next))
  }

  #redecide(passage: Passage): void {
    const policy = this.#policies.current
    const { exchange } = passage
    const now = this.#clock.now()
    const principal = passage.principalBy(policy, now)
    const { effect, obligations } = policy.decide(principal, exchange.action, exchange.resource, passage.context(policy, now))
    // What it is obliged to is carried out from its start: fields that are masked now can't be called back.
    if (effect !== 'allow' || maskOf(obligations) !== maskOf(passage.decision?.obligations ?? [])) this.#end(passage, 'policy-changed')
  }

  endAll(cause: EndCause): void {
    for (const passage of this.#open) this.#end(passage, cause)
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#rest?.cancel()
    this.#unsubscribe()
  }

  #tick(): void {
    this.#timer = undefined
    this.sweep()
    if (this.#open.size > 0) this.#timer ??= this.#clock.after(SWEEP_MS, () => this.#tick())
  }

  #end(passage: Passage, cause: EndCause): void {
    this.#open.delete(passage)
    passage.end(cause)
  }
}
