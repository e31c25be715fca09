import type { Action } from '../core/action.ts'
import type { Decision, DecisionContext, Reason, Requirement } from '../core/decision.ts'
import { MAX_PARTIES, type PartyState } from './bind.ts'
import { vocabularyOf } from './actions/index.ts'
import { MAX_REASONS, type Candidates, type CompiledResource, type GuardrailSlot, type RuleSlot, type Slot } from './compile.ts'
import { isMet, toRequirement, type Demand } from './require.ts'
import type { Truth } from './when/condition.ts'

const NONE: readonly never[] = Object.freeze([])
const NO_CLAIMS = Object.freeze(Object.create(null) as Record<string, never>)
const NOTHING_UNKNOWN: ReadonlySet<string> = new Set()

/** Decides by the compiled index. Each party of a chain is decided for itself, and the strictest effect wins. */
export function decideCompiled(
  resources: ReadonlyMap<string, CompiledResource>,
  policyVersion: string,
  subject: PartyState,
  action: Action,
  resource: string,
  context: DecisionContext,
): Decision {
  const compiled = resources.get(resource)
  if (compiled === undefined) return denied([], [{ code: 'unknown-resource' }], policyVersion)
  if (compiled.protocol !== action.protocol) return denied([], [{ code: 'no-rule' }], policyVersion)
  const found = compiled.index.find(action)
  const own = decideParty(compiled, found, subject, action, context, policyVersion)
  return subject.actor === undefined
    ? own
    : chain(own, subject, (party) => decideParty(compiled, found, party, action, context, policyVersion), policyVersion)
}

function chain(own: Decision, subject: PartyState, decide: (party: PartyState) => Decision, policyVersion: string): Decision {
  const rules = new Set(own.rules)
  const reasons = [...own.reasons]
  const requirements = [...(own.requirements ?? [])]
  let { effect } = own
  let party = subject.actor
  for (let number = 2; party !== undefined; number++, party = party.actor) {
    if (number > MAX_PARTIES) {
      effect = 'deny'
      reasons.push({ code: 'party', id: party.name })
      break
    }
    const decision = decide(party)
    for (const rule of decision.rules) rules.add(rule)
    if (decision.effect === 'allow') continue
    if (effect !== 'deny') ({ effect } = decision)
    reasons.push({ code: 'party', id: party.name }, ...decision.reasons)
    // Whoever is asked can prove more of the subject only.
    for (const one of decision.requirements ?? []) requirements.push({ ...one, proof: undefined })
  }
  const sorted = [...rules].toSorted()
  const against = effect === 'allow' ? reasons : reasons.filter(({ code }) => code !== 'granted')
  if (effect === 'challenge') return challenged(sorted, against, requirements, policyVersion)
  if (effect !== 'allow') return denied(sorted, against, policyVersion)
  return { effect: 'allow', rule: sorted[0], rules: sorted, reasons, obligations: NONE, policyVersion }
}

function denied(rules: readonly string[], reasons: readonly Reason[], policyVersion: string): Decision {
  return { effect: 'deny', rule: rules[0], rules, reasons, obligations: NONE, policyVersion }
}

function challenged(
  rules: readonly string[],
  reasons: readonly Reason[],
  requirements: readonly Requirement[],
  policyVersion: string,
): Decision {
  const sorted = requirements.toSorted((a, b) => (a.kind + a.name < b.kind + b.name ? -1 : 1))
  return { effect: 'challenge', rule: rules[0], rules, reasons, obligations: NONE, requirements: sorted, policyVersion }
}

function decideParty(
  compiled: CompiledResource,
  found: readonly Candidates[],
  party: PartyState,
  action: Action,
  context: DecisionContext,
  policyVersion: string,
): Decision {
  const { identity } = party
  if (identity !== undefined && compiled.issuers !== undefined && !compiled.issuers.has(identity.issuer))
    return denied([], [{ code: 'issuer', id: identity.issuer }], policyVersion)

  const grants = new Grants(party, action, context)
  let guards: Guards | undefined
  for (const place of found) {
    eachHeld(place.rulesByRole, party, context.time, (slots, index) => grants.look(slots, index))
    if (place.guardsByRole.size > 0 || place.guardsButFor.length > 0) (guards ??= new Guards(party, action, context)).look(place)
  }
  const { first, firstRole, more, troubles } = grants
  const denials = guards?.denials
  const demands = guards?.demands

  const scoped = compiled.scoped && identity?.scopes !== undefined
  const inScope = !scoped || found.some(({ scopes }) => identity.scopes!.some((scope) => scopes.has(scope)))
  if (denials === undefined && demands === undefined && inScope && first !== undefined && more === undefined)
    return first.alone.get(firstRole)!
  const rules = more === undefined ? (first === undefined ? NONE : [first.id]) : [...more.keys()].toSorted()
  if (denials === undefined && demands !== undefined && inScope && first !== undefined)
    return challenged(rules, told(demands), [...guards!.requirements.values()], policyVersion)
  if (denials === undefined && inScope && first !== undefined) {
    const reasons = rules.slice(0, MAX_REASONS).map((id): Reason => ({ code: 'granted', id, role: more!.get(id)! }))
    return { effect: 'allow', rule: rules[0], rules, reasons, obligations: NONE, policyVersion }
  }
  if (denials === undefined && inScope) return denied(NONE, whyNothingGrants(found, party, context.time, troubles), policyVersion)
  const reasons: Reason[] = denials === undefined ? [] : told(denials)
  if (!inScope) reasons.push({ code: 'scope' })
  if (first === undefined) reasons.push(...whyNothingGrants(found, party, context.time, troubles))
  return denied(rules, reasons, policyVersion)
}

/** What one party is granted, as far as it has been looked at. The common case, one unconditional rule, allocates nothing more. */
class Grants {
  first: RuleSlot | undefined
  firstRole = 0
  /** Role by rule id, where more than one rule grants. */
  more: Map<string, string> | undefined
  troubles: Reason[] | undefined
  readonly #party: PartyState
  readonly #action: Action
  readonly #context: DecisionContext

  constructor(party: PartyState, action: Action, context: DecisionContext) {
    this.#party = party
    this.#action = action
    this.#context = context
  }

  look(slots: readonly RuleSlot[], index: number): void {
    for (const slot of slots) {
      if (slot.id === this.first?.id || this.more?.has(slot.id) === true) continue
      const truth = slot.when === undefined || evaluate(slot, this.#party, this.#action, this.#context)
      if (truth !== true) this.#trouble(slot.id, index, truth === false)
      else if (this.first === undefined) {
        this.first = slot
        this.firstRole = index
      } else {
        this.more ??= new Map([[this.first.id, this.#role(this.firstRole)]])
        this.more.set(slot.id, this.#role(index))
      }
    }
  }

  #trouble(id: string, index: number, isFalse: boolean): void {
    this.troubles ??= []
    this.troubles.push({ code: isFalse ? 'condition-false' : 'condition-error', id, role: this.#role(index) })
  }

  #role(index: number): string {
    return this.#party.heldByIndex.get(index)!.role
  }
}

/** Calls `use` for each entry whose role is held: going through its roles or through the party's, whichever are fewer. */
function eachHeld<T>(byRole: ReadonlyMap<number, T>, party: PartyState, time: number, use: (entry: T, index: number) => void): void {
  if (byRole.size === 0) return
  if (party.held.length <= byRole.size) {
    for (const { index, until } of party.held) {
      const entry = byRole.get(index)
      if (entry !== undefined && time < until) use(entry, index)
    }
    return
  }
  for (const [index, entry] of byRole) {
    const held = party.heldByIndex.get(index)
    if (held !== undefined && time < held.until) use(entry, index)
  }
}

function isHeld(party: PartyState, index: number, time: number): boolean {
  const held = party.heldByIndex.get(index)
  return held !== undefined && time < held.until
}

function isUnknown(party: PartyState, index: number, time: number): boolean {
  const unknown = party.unknownByIndex.get(index)
  return unknown !== undefined && time < unknown.until && !isHeld(party, index, time)
}

function told(reasons: ReadonlyMap<string, Reason>): Reason[] {
  return [...reasons.values()].toSorted(byId).slice(0, MAX_REASONS)
}

/** What guardrails make of one party, as far as they have been looked at. Most places have none, so this is made where one is met. */
class Guards {
  denials: Map<string, Reason> | undefined
  demands: Map<string, Reason> | undefined
  /** What is unmet of the demands, each once. */
  readonly requirements = new Map<string, Requirement>()
  readonly #party: PartyState
  readonly #action: Action
  readonly #context: DecisionContext

  constructor(party: PartyState, action: Action, context: DecisionContext) {
    this.#party = party
    this.#action = action
    this.#context = context
  }

  /** An unknown role and a condition that can't be told count as applying. */
  look(place: Candidates): void {
    const party = this.#party
    const { time } = this.#context
    eachHeld(place.guardsByRole, party, time, (slots, index) => {
      for (const slot of slots) this.#apply(slot, party.heldByIndex.get(index)!.role, true)
    })
    for (const { index, role } of party.unknown)
      if (isUnknown(party, index, time)) for (const slot of place.guardsByRole.get(index) ?? []) this.#apply(slot, role, false)
    for (const slot of place.guardsButFor) {
      if (slot.exempt.some(({ index }) => isHeld(party, index, time))) continue
      const unsure = slot.exempt.find(({ index }) => isUnknown(party, index, time))
      this.#apply(slot, unsure?.role, unsure === undefined)
    }
  }

  #apply(slot: GuardrailSlot, role: string | undefined, known: boolean): void {
    const truth = slot.when === undefined || evaluate(slot, this.#party, this.#action, this.#context)
    if (truth === false) return
    const about = role === undefined ? { id: slot.id } : { id: slot.id, role }
    if (slot.requires !== undefined) {
      this.#demand(slot.requires, { code: 'requirement', ...about })
      return
    }
    const code = truth !== true ? 'guardrail-error' : known ? 'guardrail' : 'guardrail-unknown'
    this.denials = withReason(this.denials, { code, ...about })
  }

  /** Of what is required, that which is proven is no matter any more. */
  #demand(demands: readonly Demand[], reason: Reason): void {
    const { identity } = this.#party
    const unmet = demands.filter((one) => !isMet(one, identity))
    if (unmet.length === 0) return
    this.demands = withReason(this.demands, reason)
    for (const one of unmet) this.requirements.set(`${one.kind} ${one.name}`, toRequirement(one, identity))
  }
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

function evaluate(slot: Slot, party: PartyState, action: Action, context: DecisionContext): Truth {
  const { identity } = party
  return slot.when!.evaluate({
    claims: identity?.claims ?? NO_CLAIMS,
    unknownClaims: identity?.unknownClaims ?? NOTHING_UNKNOWN,
    time: context.time,
    ip: context.ip,
    action,
    parameters: slot.when!.usesParameters ? vocabularyOf(action.protocol)!.parameters(slot.pattern, action) : NO_PARAMETERS,
  })
}

const NO_PARAMETERS: ReadonlyMap<string, string | undefined> = new Map()

const NO_RULE: readonly Reason[] = Object.freeze([Object.freeze({ code: 'no-rule' } as const)])

const ORDER: readonly Reason['code'][] = ['condition-error', 'condition-false', 'role-unknown', 'role-not-held']

function whyNothingGrants(
  found: readonly Candidates[],
  party: PartyState,
  time: number,
  troubles: readonly Reason[] | undefined,
): readonly Reason[] {
  const uncovered = found.filter((place) => place.uncovered.length > 0)
  // The common denial: nothing but rules for roles that aren't held, already listed in order.
  if (troubles === undefined && party.unknown.length === 0 && uncovered.length < 2) return uncovered[0]?.uncovered ?? NO_RULE
  const reasons = new Map<string, Reason>()
  const add = (reason: Reason): void => {
    const before = reasons.get(reason.id!)
    if (before === undefined || ORDER.indexOf(reason.code) < ORDER.indexOf(before.code)) reasons.set(reason.id!, reason)
  }
  for (const reason of troubles ?? []) add(reason)
  for (const place of uncovered) {
    for (const { index, role } of party.unknown)
      if (isUnknown(party, index, time)) for (const { id } of place.rulesByRole.get(index) ?? []) add({ code: 'role-unknown', id, role })
    for (const reason of place.uncovered) add(reason)
  }
  if (reasons.size === 0) return NO_RULE
  return [...reasons.values()].toSorted((a, b) => ORDER.indexOf(a.code) - ORDER.indexOf(b.code) || byId(a, b)).slice(0, MAX_REASONS)
}

function byId(a: Reason, b: Reason): number {
  return a.id! < b.id! ? -1 : a.id! > b.id! ? 1 : 0
}
