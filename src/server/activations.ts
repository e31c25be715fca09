import type { Clock, Timer } from '../core/clock.ts'
import type { Grant } from '../core/decision.ts'
import { OstiaryError } from '../core/errors.ts'
import type { Meter } from '../core/meter.ts'
import type { GrantSource } from '../core/policy.ts'
import type { Identity, Principal } from '../core/principal.ts'
import type { Recorder } from '../core/record.ts'
import type { CompiledPolicy } from '../policy/index.ts'
import type { ActivationStore, StoredActivation } from '../store/activations.ts'
import { readKept, Shared } from '../store/shared.ts'

/** Kept at most, and of one subject. */
export const MAX_ACTIVATIONS = 10_000
const MAX_OF_ONE = 32

export interface ActivationParts {
  readonly store: ActivationStore
  readonly clock: Clock
  readonly newId: () => string
  readonly meter: Meter
  readonly log: (line: string) => void
  readonly audit: Recorder
  readonly policies: { readonly current: CompiledPolicy }
  /** Longest time for which a role may be activated, in milliseconds. */
  readonly atMost: () => number
  /** Some role is active no more: what is open by it has to end. */
  readonly onEnd: () => void
}

export interface ActivationRequest {
  readonly role: string
  /** In milliseconds. */
  readonly lasting: number
  readonly reason: string
}

/**
 * Eligible roles that were activated for a time. Each is in the record, durably, before it is active. Whether somebody may have the role is
 * asked of the policy again by every decision: an activation alone gives nothing. While the store can't be read, none is active.
 */
export class Activations implements GrantSource {
  readonly #parts: ActivationParts
  readonly #shared: Shared<StoredActivation>
  /** By issuer and subject. */
  #bySubject = new Map<string, readonly StoredActivation[]>()
  #active = new Map<string, { readonly grants: readonly Grant[]; readonly from: number; readonly until: number }>()
  #timer: Timer | undefined
  /** What ended by then has been ended. Milliseconds since the epoch. */
  #endedBy: number

  /** @param known All that the store holds. */
  constructor(parts: ActivationParts, known: readonly StoredActivation[]) {
    this.#parts = parts
    const { store, clock, meter, log } = parts
    this.#endedBy = clock.now()
    this.#shared = new Shared<StoredActivation>(
      {
        store,
        clock,
        meter,
        log,
        maximum: MAX_ACTIVATIONS,
        name: 'activations',
        meanwhile: 'no eligible role is active',
        errors: { unavailable: 'identity/activations-unavailable', full: 'identity/too-many-activations' },
        changed: (change) => this.#index('added' in change ? [...this.#all(), change.added] : change.all),
      },
      known,
    )
    this.#shared.onChange(() => parts.onEnd())
  }

  of(identity: Identity, time: number): readonly Grant[] | undefined {
    if (this.#bySubject.size === 0 || !this.#shared.status().healthy) return undefined
    let found: readonly Grant[] | undefined
    for (let party: Identity | undefined = identity; party !== undefined; party = party.actor) {
      const own = this.#of(keyOf(party), time)
      if (own !== undefined) found = found === undefined ? own : [...found, ...own]
    }
    return found
  }

  ofSubject(issuer: string, subject: string, time: number): readonly Grant[] | undefined {
    return this.#shared.status().healthy ? this.#of(keyOf({ issuer, subject }), time) : undefined
  }

  #of(key: string, time: number): readonly Grant[] | undefined {
    const all = this.#bySubject.get(key)
    if (all === undefined) return undefined
    const known = this.#active.get(key)
    // Whoever asks about another time than now must not settle what is found now.
    if (known !== undefined && known.from <= time && time < known.until) return known.grants.length === 0 ? undefined : known.grants
    const grants = all.filter(({ from, until }) => from <= time && time < until)
    // What begins later would change the list as well.
    const ahead = all.filter(({ from }) => from > time).map(({ from }) => from)
    this.#active.set(key, { grants, from: time, until: Math.min(...grants.map(({ until }) => until), ...ahead) })
    return grants.length === 0 ? undefined : grants
  }

  /** Those that aren't over, the oldest first; none while the store can't be read. */
  list(): readonly StoredActivation[] {
    const now = this.#parts.clock.now()
    return this.#shared.status().healthy ? this.#shared.list().filter(({ until }) => now < until) : []
  }

  /** Longest time for which a role may be activated, in milliseconds. */
  get atMost(): number {
    return this.#parts.atMost()
  }

  status(): { readonly healthy: boolean; readonly count: number } {
    return { healthy: this.#shared.status().healthy, count: this.list().length }
  }

  /**
   * Activates a role for whoever asks, from now on.
   * @throws OstiaryError `identity/not-eligible`, `identity/activation-too-long`, `identity/too-many-activations`,
   * `identity/activations-unavailable`, `audit/unavailable`; nothing has changed then
   */
  async activate({ role, lasting, reason }: ActivationRequest, by: Principal): Promise<StoredActivation> {
    const { clock, newId, policies, audit } = this.#parts
    const { identity } = by
    const now = clock.now()
    const eligible = identity === undefined ? [] : policies.current.eligibleRoles(identity, now)
    // Who acts for somebody can't say that they need more.
    if (identity === undefined || identity.actor !== undefined || !eligible.includes(role))
      throw new OstiaryError('identity/not-eligible', { role, eligible: eligible.length === 0 ? 'none' : eligible.join(', ') })
    if (lasting > this.atMost) throw new OstiaryError('identity/activation-too-long', { most: inHours(this.atMost) })
    const own = this.list().filter((one) => keyOf(one) === keyOf(identity))
    if (own.length >= MAX_OF_ONE) throw new OstiaryError('identity/too-many-activations', { limit: MAX_OF_ONE })
    const { issuer, subject, display } = identity
    const activation = { id: newId(), issuer, subject, role, from: now, until: now + lasting, reason, display, createdAt: now }
    const details = detailsOf(activation)
    await audit.noteDurably({ kind: 'role-activated', time: now, principal: by, details })
    await this.#taken(by, details, () => this.#shared.add(activation))
    return activation
  }

  /**
   * Ends one before its time, with all that is open by it.
   * @param ofOwn Only one of their own
   * @throws OstiaryError `identity/no-activation`, `identity/activations-unavailable`, `audit/unavailable`
   */
  async end(id: string, by: Principal, ofOwn: boolean): Promise<StoredActivation> {
    const { clock, audit, onEnd } = this.#parts
    const found = this.#shared.list().find((one) => one.id === id)
    if (found === undefined || (ofOwn && keyOf(found) !== keyOf(by))) throw new OstiaryError('identity/no-activation', { activation: id })
    const details = detailsOf(found)
    await audit.noteDurably({ kind: 'activation-ended', time: clock.now(), principal: by, details })
    await this.#taken(by, details, () => this.#shared.remove(id))
    onEnd()
    return found
  }

  async close(): Promise<void> {
    this.#timer?.cancel()
    await this.#shared.close()
  }

  #all(): readonly StoredActivation[] {
    return [...this.#bySubject.values()].flat()
  }

  #index(all: readonly StoredActivation[]): void {
    this.#bySubject = Map.groupBy(all, keyOf)
    this.#active = new Map()
    this.#awaitEnd(all)
  }

  /** What is open by a role ends as it does. A timer may go off a little before its time: then once more. */
  #awaitEnd(all: readonly StoredActivation[]): void {
    const { clock, onEnd } = this.#parts
    this.#timer?.cancel()
    const ends = all.map(({ until }) => until).filter((until) => until > this.#endedBy)
    if (ends.length === 0) return
    this.#timer = clock.after(Math.max(0, Math.min(...ends) - clock.now()), () => {
      const now = clock.now()
      onEnd()
      this.#endedBy = now
      this.#awaitEnd(all)
    })
  }

  /** The record says that it was done: where it then could not be, it says that, too. */
  async #taken(by: Principal, details: Readonly<Record<string, string>>, work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      const code = error instanceof OstiaryError ? error.code : 'internal'
      this.#parts.audit.note({ kind: 'activation-failed', time: this.#parts.clock.now(), principal: by, details: { ...details, code } })
      throw error
    }
  }
}

/** @throws OstiaryError `store/activations` where they can't be read */
export async function openActivations(parts: ActivationParts, file: string): Promise<Activations> {
  return new Activations(parts, await readKept(parts.store, file, 'store/activations'))
}

/** Two parties are the same that have the same name with the same issuer, which may hold any character but a line's end. */
function keyOf({ issuer, subject }: { readonly issuer: string; readonly subject: string }): string {
  return `${issuer}\n${subject}`
}

function detailsOf({ id, issuer, subject, role, until, reason }: StoredActivation): Readonly<Record<string, string>> {
  return { activation: id, role, issuer, subject, until: new Date(until).toISOString(), reason }
}

function inHours(ms: number): string {
  const [minutes, hours] = [Math.floor(ms / 60_000), ms / 3_600_000]
  return Number.isInteger(hours) ? `${hours}h` : `${minutes}m`
}
