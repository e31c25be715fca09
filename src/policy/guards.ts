import type { ApprovalRequest, Effect, Obligation, Reason, Requirement } from '../core/decision.ts'
import type { PartyState } from './roleset.ts'
import { MAX_REASONS, type Cell, type GuardrailSlot } from './cell.ts'
import { limitKey } from './obligations.ts'
import { eachHeld, evaluate, isHeld, isUnknown, slotsOf, told, type Asked } from './party.ts'
import { isMet, toRequirement } from './require.ts'

/** What guardrails ask of one party: those that are enforced, or those that are only observed. */
export class Toll {
  denials: Map<string, Reason> | undefined
  demands: Map<string, Reason> | undefined
  /** What is unmet of the demands, each once. */
  readonly requirements = new Map<string, Requirement>()
  unapproved: Map<string, Reason> | undefined
  readonly approvals = new Map<string, ApprovalRequest>()
  /** By guardrail. */
  obligations: Map<string, readonly Obligation[]> | undefined

  get effect(): Effect {
    return this.denials !== undefined
      ? 'deny'
      : this.demands !== undefined
        ? 'challenge'
        : this.unapproved !== undefined
          ? 'needs-approval'
          : 'allow'
  }

  /** Why it comes to this effect; of an allow, the guardrails that oblige to something. */
  reasons(effect: Effect): Reason[] {
    switch (effect) {
      case 'deny':
        return told(this.denials!)
      case 'challenge':
        return told(this.demands!)
      case 'needs-approval':
        return told(this.unapproved!)
      case 'allow':
        return [...(this.obligations?.keys() ?? [])]
          .toSorted()
          .slice(0, MAX_REASONS)
          .map((id) => ({ code: 'obligation', id }))
    }
  }
}

/** What guardrails make of one party, as far as they have been looked at. Most places have none, so this is made where one is met. */
export class Guards {
  enforced: Toll | undefined
  watched: Toll | undefined
  readonly #party: PartyState
  readonly #asked: Asked

  constructor(party: PartyState, asked: Asked) {
    this.#party = party
    this.#asked = asked
  }

  /** An unknown role and a condition that can't be told count as applying. */
  look(place: Cell): void {
    const party = this.#party
    const { time } = this.#asked.context
    eachHeld(place.guardsByRole, party, time, (slot, index) => this.#apply(slot, party.heldByIndex.get(index)!.role, true))
    for (const { index, role } of party.unknown)
      if (isUnknown(party, index, time)) for (const slot of slotsOf(place.guardsByRole, index)) this.#apply(slot, role, false)
    for (const slot of place.guardsButFor) {
      if (slot.exempt.some(({ index }) => isHeld(party, index, time))) continue
      const unsure = slot.exempt.find(({ index }) => isUnknown(party, index, time))
      this.#apply(slot, unsure?.role, unsure === undefined)
    }
  }

  #apply(slot: GuardrailSlot, role: string | undefined, known: boolean): void {
    const truth = slot.when === undefined || evaluate(slot, this.#party, this.#asked)
    if (truth === false) return
    const about = role === undefined ? { id: slot.id } : { id: slot.id, role }
    const { guardrail } = slot
    if (guardrail.denies) {
      const code = truth !== true ? 'guardrail-error' : known ? 'guardrail' : 'guardrail-unknown'
      const toll = this.#toll(slot)
      toll.denials = withReason(toll.denials, { code, ...about })
      return
    }
    this.#demand(slot, { code: 'requirement', ...about })
    if (guardrail.approval !== undefined && this.#asked.context.approved?.has(slot.id) !== true) {
      const toll = this.#toll(slot)
      toll.unapproved = withReason(toll.unapproved, { code: 'approval', ...about })
      toll.approvals.set(slot.id, { id: slot.id, ...guardrail.approval })
    }
    this.#oblige(slot)
  }

  /** Whether a guardrail is enforced or only observed says the time. */
  #toll({ guardrail: { observedUntil } }: GuardrailSlot): Toll {
    return observedUntil !== undefined && this.#asked.context.time < observedUntil
      ? (this.watched ??= new Toll())
      : (this.enforced ??= new Toll())
  }

  /** Of what is required, that which is proven is no matter any more. */
  #demand(slot: GuardrailSlot, reason: Reason): void {
    const { identity } = this.#party
    const unmet = slot.guardrail.requires.filter((one) => !isMet(one, identity, this.#asked.context))
    if (unmet.length === 0) return
    const toll = this.#toll(slot)
    toll.demands = withReason(toll.demands, reason)
    for (const one of unmet) toll.requirements.set(`${one.kind} ${one.name}`, toRequirement(one, identity))
  }

  #oblige(slot: GuardrailSlot): void {
    const { limit } = slot.guardrail
    if (slot.obligations.length > 0) oblige(this.#toll(slot), slot.id, slot.obligations)
    if (limit === undefined) return
    const { identity } = this.#party
    const { requests, window } = limit
    const observed = this.#toll(slot) === this.watched
    const key = limitKey(limit, identity, this.#asked.context.ip)
    // Also one that is only observed is counted by the door.
    const toll = (this.enforced ??= new Toll())
    oblige(toll, `${slot.id} `, [{ kind: 'limit', id: slot.id, requests, window, key, ...(observed ? { observed } : {}) }])
  }
}

function oblige(toll: Toll, key: string, obligations: readonly Obligation[]): void {
  toll.obligations ??= new Map()
  toll.obligations.set(key, obligations)
}

/** Of one guardrail, the reason that says most. */
function withReason(reasons: Map<string, Reason> | undefined, reason: Reason): Map<string, Reason> {
  const all = reasons ?? new Map<string, Reason>()
  const before = all.get(reason.id!)
  if (before === undefined || rank(reason) < rank(before)) all.set(reason.id!, reason)
  return all
}

/** A guardrail that applies for sure is told before one that only counts as applying; then by role. */
function rank({ code, role }: Reason): string {
  return `${['guardrail', 'guardrail-unknown', 'guardrail-error'].indexOf(code)}${role ?? ''}`
}
