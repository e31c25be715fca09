import type { Clock } from '../../core/clock.ts'
import type { Meter } from '../../core/meter.ts'
import type { Identity } from '../../core/principal.ts'
import type { RevocationStore, StoredRevocation } from '../../store/revocations.ts'
import { readKept, Shared } from '../../store/shared.ts'
import { RevocationIndex } from './match.ts'

/** Revocations kept at most. */
export const MAX_REVOCATIONS = 50_000

export interface RevocationParts {
  readonly store: RevocationStore
  readonly clock: Clock
  readonly meter: Meter
  readonly log: (line: string) => void
  /** Default: `MAX_REVOCATIONS`. */
  readonly maximum?: number
}

/**
 * What was revoked, in memory: known here at once, and within half a second where another process revoked it. While the store can't
 * be read, what is known holds on, and nothing new is taken.
 */
export class Revocations {
  readonly #meter: Meter
  readonly #shared: Shared<StoredRevocation>
  #index = new RevocationIndex()
  /** Another number after each change. Whoever was found good before then is looked at anew, once. */
  generation = 0

  /** @param known All that the store holds. */
  constructor({ maximum = MAX_REVOCATIONS, ...parts }: RevocationParts, known: readonly StoredRevocation[]) {
    this.#meter = parts.meter
    this.#shared = new Shared<StoredRevocation>(
      {
        ...parts,
        maximum,
        name: 'revocations',
        meanwhile: 'what is known holds on, nothing new is taken',
        errors: { unavailable: 'identity/revocations-unavailable', full: 'identity/too-many-revocations' },
        changed: (change) => {
          if ('added' in change) this.#index.add(change.added.target)
          else this.#index = new RevocationIndex(change.all.map(({ target }) => target))
          this.generation++
        },
        swept: (count) => parts.meter.count('identity_revocations', { event: 'over' }, count),
      },
      known,
    )
  }

  /** Whether an identity, or a party that acts for it, is revoked. @param began When its session began, if it has one. */
  hits(identity: Identity, began?: number): boolean {
    return this.#index.hits(identity, began)
  }

  /** The oldest first. */
  list(): readonly StoredRevocation[] {
    return this.#shared.list()
  }

  /**
   * Revokes. What it ends has ended when the promise resolves; a request that is open is ended within a second.
   * @throws OstiaryError `identity/revocations-unavailable`, `identity/too-many-revocations`; nothing has changed then
   */
  async add(revocation: StoredRevocation): Promise<void> {
    await this.#shared.add(revocation)
    this.#meter.count('identity_revocations', { event: 'revoked' })
  }

  /**
   * Takes a revocation back: what it ended is good again if it is still valid, but a session that has ended stays ended. Answers
   * false if there is none of this id. @throws OstiaryError `identity/revocations-unavailable`; nothing has changed then
   */
  async lift(id: string): Promise<boolean> {
    if (!(await this.#shared.remove(id))) return false
    this.#meter.count('identity_revocations', { event: 'lifted' })
    return true
  }

  /** Called back after a change that another process made, for whoever holds what is open. */
  onChange(listener: () => void): void {
    this.#shared.onChange(listener)
  }

  /** For readiness. Not healthy: the store can't be read now, so that revocations of other processes are not known. */
  status(): { readonly healthy: boolean; readonly count: number } {
    return this.#shared.status()
  }

  /** Resolves once all that was begun before is done. */
  settled(): Promise<void> {
    return this.#shared.settled()
  }

  close(): Promise<void> {
    return this.#shared.close()
  }
}

/**
 * The revocations of a store, all of them known from the start.
 * @throws OstiaryError `store/revocations` where they can't be read: then nobody may be let in
 */
export async function openRevocations(parts: RevocationParts, file: string): Promise<Revocations> {
  return new Revocations(parts, await readKept(parts.store, file, 'store/revocations'))
}

/** Where somebody who was proven stands with the revocations: looked up once, and once more after each change of them. */
export class Standing {
  readonly #revocations: Revocations
  readonly #identity: Identity
  readonly #began: number | undefined
  #generation = -1
  #ended = false

  /** @param began When the session of this identity began, if it is one. */
  constructor(revocations: Revocations, identity: Identity, began?: number) {
    this.#revocations = revocations
    this.#identity = identity
    this.#began = began
  }

  /** One comparison of two numbers, unless something was revoked or lifted since. */
  get ended(): boolean {
    const { generation } = this.#revocations
    if (this.#generation !== generation) {
      this.#generation = generation
      this.#ended = this.#revocations.hits(this.#identity, this.#began)
    }
    return this.#ended
  }
}
