import type { ApprovalRequest, Decision, DecisionContext, Effect, Obligation, Observed, Reason, Requirement } from '../core/decision.ts'
import type { Action } from '../core/action.ts'
import type { Principal } from '../core/principal.ts'
import { MAX_PARTIES } from './bind.ts'
import type { Cells } from './cells.ts'
import { activated, type PartyState } from './roleset.ts'
import { granted, MAX_REASONS, type Cell, type RuleSlot } from './cell.ts'
import type { CompiledResource } from './compile.ts'
import { Guards, type Toll } from './guards.ts'
import { unite } from './obligations.ts'
import { byId, eachHeld, evaluate, isHeld, isUnknown, slotsOf, strictest, told, type Asked } from './party.ts'

const NONE: readonly never[] = Object.freeze([])
const NO_RULE: readonly Reason[] = Object.freeze([Object.freeze({ code: 'no-rule' } as const)])

/** What a policy decides by. */
export interface Deciding {
  readonly version: string
  /** Index of that role. */
  readonly authenticated: number
  readonly cells: Cells
  readonly resources: ReadonlyMap<string, CompiledResource>
  readonly stateOf: (principal: Principal) => PartyState
}

/** Decides by the compiled index. Most often it takes nothing but roles, and nothing is made. */
export function decideCompiled(by: Deciding, subject: PartyState, action: Action, resource: string, context: DecisionContext): Decision {
  const compiled = by.resources.get(resource)
  if (compiled === undefined) return outcome('deny', NONE, [{ code: 'unknown-resource' }], by.version)
  if (compiled.protocol !== action.protocol) return observed(compiled, resource, context, outcome('deny', NONE, NO_RULE, by.version))
  const { words } = compiled.index
  const found = compiled.index.look(action)
  const quick = isQuick(compiled, subject, context) ? by.cells.quickly(words, found, subject.quick!) : undefined
  if (quick !== undefined) return quick
  const cells = by.cells.of(words, found)
  const { version: policyVersion, authenticated } = by
  const peer = context.peer === undefined ? undefined : by.stateOf(context.peer)
  const asked = { policyVersion, action, resource, context, peer, authenticated }
  return observed(compiled, resource, context, decideAll(compiled, cells, subject, asked))
}

/** A resource that is only observed lets everything through, and tells what it would have come to. */
function observed({ observedUntil }: CompiledResource, resource: string, context: DecisionContext, decision: Decision): Decision {
  if (decision.effect === 'allow') return decision
  if (observedUntil === undefined || !(context.time < observedUntil))
    // What one party of a chain is denied obliges nobody to anything.
    return decision.effect === 'deny' && decision.obligations.length > 0 ? { ...decision, obligations: NONE } : decision
  return {
    effect: 'allow',
    rule: decision.rule,
    rules: decision.rules,
    reasons: [{ code: 'observed', id: resource }],
    obligations: decision.obligations,
    observed: decision.observed ?? { effect: decision.effect, reasons: decision.reasons },
    policyVersion: decision.policyVersion,
  }
}

/** Each party of a chain is decided for itself, and the strictest effect wins. */
function decideAll(compiled: CompiledResource, found: readonly Cell[], subject: PartyState, asked: Asked): Decision {
  const own = decideParty(compiled, found, subject, asked)
  return subject.actor === undefined ? own : chain(own, subject, (party) => decideParty(compiled, found, party, asked), asked)
}

/** Whether nothing but roles, all known, says who may do what here. */
function isQuick(
  { issuers, scoped, observedUntil }: CompiledResource,
  { quick, identity, eligible }: PartyState,
  { grants }: DecisionContext,
) {
  return (
    quick !== undefined &&
    observedUntil === undefined &&
    (issuers === undefined || identity === undefined || issuers.has(identity.issuer)) &&
    (!scoped || identity?.scopes === undefined) &&
    (grants === undefined || eligible.length === 0)
  )
}

/** The parties of a chain as one: the strictest effect, what all of them are obliged to, everything that stands against any. */
function chain(own: Decision, subject: PartyState, decide: (party: PartyState) => Decision, { policyVersion }: Asked): Decision {
  const rules = new Set(own.rules)
  const reasons = [...own.reasons]
  const requirements = [...(own.requirements ?? [])]
  const approvals = [...(own.approvals ?? [])]
  const obligations = [...own.obligations]
  const watched = [...(own.observed?.reasons ?? [])]
  let { effect } = own
  let would = own.observed?.effect ?? effect
  let party = subject.actor
  for (let number = 2; party !== undefined; number++, party = party.actor) {
    if (number > MAX_PARTIES) {
      effect = would = 'deny'
      reasons.push({ code: 'party', id: party.name })
      break
    }
    const decision = decide(party)
    for (const rule of decision.rules) rules.add(rule)
    obligations.push(...decision.obligations)
    would = strictest(would, decision.observed?.effect ?? decision.effect)
    if (decision.observed !== undefined) watched.push({ code: 'party', id: party.name }, ...decision.observed.reasons)
    if (decision.effect === 'allow') continue
    effect = strictest(effect, decision.effect)
    reasons.push({ code: 'party', id: party.name }, ...decision.reasons)
    approvals.push(...(decision.approvals ?? []))
    // Whoever is asked can prove more of the subject only.
    for (const one of decision.requirements ?? []) requirements.push({ ...one, proof: undefined })
  }
  const against = effect === 'allow' ? reasons : reasons.filter(({ code }) => code !== 'granted')
  return outcome(effect, [...rules].toSorted(), against, policyVersion, {
    obligations: unite(obligations),
    requirements: unique(requirements),
    approvals: unique(approvals),
    observed: would !== effect || (effect !== 'deny' && watched.length > 0) ? { effect: would, reasons: watched } : undefined,
  })
}

function unique<T extends Requirement | ApprovalRequest>(all: readonly T[]): readonly T[] {
  const text = (one: T): string => JSON.stringify('kind' in one ? [one.kind, one.name, one.proof === undefined] : one.id)
  return [...new Map(all.map((one) => [text(one), one] as const))].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one)
}

interface More {
  readonly obligations: readonly Obligation[]
  readonly requirements: readonly Requirement[]
  readonly approvals: readonly ApprovalRequest[]
  readonly observed: Observed | undefined
}

function outcome(effect: Effect, rules: readonly string[], reasons: readonly Reason[], policyVersion: string, more?: More): Decision {
  if (more === undefined) return { effect, rule: rules[0], rules, reasons, obligations: NONE, policyVersion }
  return {
    effect,
    rule: rules[0],
    rules,
    reasons,
    obligations: more.obligations,
    ...(effect === 'challenge' ? { requirements: more.requirements } : {}),
    ...(effect === 'needs-approval' ? { approvals: more.approvals } : {}),
    ...(more.observed === undefined ? {} : { observed: more.observed }),
    policyVersion,
  }
}

function decideParty(compiled: CompiledResource, found: readonly Cell[], bound: PartyState, asked: Asked): Decision {
  const { context, policyVersion } = asked
  const party = activated(bound, context, asked.authenticated)
  const { identity } = party
  const foreign = identity !== undefined && compiled.issuers?.has(identity.issuer) === false ? identity.issuer : undefined
  // Of a resource that is only observed, what is denied has to be obliged all the same.
  if (foreign !== undefined && compiled.observedUntil === undefined)
    return outcome('deny', NONE, [{ code: 'issuer', id: foreign }], policyVersion)

  const grants = new Grants(party, asked)
  let guards: Guards | undefined
  for (const place of found) {
    eachHeld(place.rulesByRole, party, context.time, (slot, index) => grants.look(slot, index))
    if (place.guardsByRole.roles.length > 0 || place.guardsButFor.length > 0) (guards ??= new Guards(party, asked)).look(place)
  }
  const { first, more, troubles } = grants
  const enforced = guards?.enforced
  const watched = guards?.watched

  const scoped = compiled.scoped && identity?.scopes !== undefined
  const inScope = !scoped || found.some(({ scopes }) => identity.scopes!.some((scope) => scopes.has(scope)))
  const isGranted = foreign === undefined && inScope && first !== undefined
  if (isGranted && enforced === undefined && watched === undefined && more === undefined)
    return granted(first.id, grants.roleOf(first.id), policyVersion)
  const rules = foreign !== undefined ? NONE : more === undefined ? (first === undefined ? NONE : [first.id]) : [...more.keys()].toSorted()
  const effect = isGranted ? (enforced?.effect ?? 'allow') : 'deny'
  // A resource that is only observed carries out the obligations of what it would have denied.
  const obliged = effect !== 'deny' || compiled.observedUntil !== undefined
  const after: More = {
    obligations: obliged && enforced?.obligations !== undefined ? unite([...enforced.obligations.values()].flat()) : NONE,
    requirements: enforced === undefined ? NONE : unique([...enforced.requirements.values()]),
    approvals: enforced === undefined ? NONE : unique([...enforced.approvals.values()]),
    observed: watched === undefined || effect === 'deny' ? undefined : observation(effect, watched),
  }
  if (effect === 'allow') {
    const reasons = rules.slice(0, MAX_REASONS).map((id): Reason => ({ code: 'granted', id, role: grants.roleOf(id) }))
    return outcome(effect, rules, reasons, policyVersion, after)
  }
  if (isGranted) return outcome(effect, rules, enforced!.reasons(effect), policyVersion, after)
  if (foreign !== undefined) return outcome('deny', NONE, [{ code: 'issuer', id: foreign }], policyVersion, after)
  const reasons = enforced?.denials === undefined ? [] : told(enforced.denials)
  if (!inScope) reasons.push({ code: 'scope' })
  if (first === undefined) reasons.push(...whyNothingGrants(found, party, context.time, troubles))
  return outcome('deny', rules, reasons, policyVersion, after)
}

/** What those that are only observed would have made of it. */
function observation(effect: Effect, watched: Toll): Observed | undefined {
  const would = strictest(effect, watched.effect)
  if (would !== effect) return { effect: would, reasons: watched.reasons(would) }
  const reasons = watched.reasons('allow')
  return reasons.length === 0 ? undefined : { effect, reasons }
}

/** What one party is granted, as far as it has been looked at. The common case, one unconditional rule, allocates nothing more. */
class Grants {
  first: RuleSlot | undefined
  firstRole = 0
  /** Role by rule id, where more than one rule grants. */
  more: Map<string, string> | undefined
  troubles: Reason[] | undefined
  readonly #party: PartyState
  readonly #asked: Asked

  constructor(party: PartyState, asked: Asked) {
    this.#party = party
    this.#asked = asked
  }

  look(slot: RuleSlot, index: number): void {
    if (slot.id === this.first?.id || this.more?.has(slot.id) === true) return
    if (slot.peer !== undefined && !this.#hasPeer(slot.peer)) {
      this.#trouble({ code: 'peer-not-held', id: slot.id, role: slot.peer[0]?.role ?? '' })
      return
    }
    const truth = slot.when === undefined || evaluate(slot, this.#party, this.#asked)
    if (truth !== true)
      this.#trouble({ code: truth === false ? 'condition-false' : 'condition-error', id: slot.id, role: this.#role(index) })
    else if (this.first === undefined) {
      this.first = slot
      this.firstRole = index
    } else {
      this.more ??= new Map([[this.first.id, this.#role(this.firstRole)]])
      this.more.set(slot.id, this.#role(index))
    }
  }

  /** The role by which a rule grants that has been found to. */
  roleOf(id: string): string {
    return this.more?.get(id) ?? this.#role(this.firstRole)
  }

  #hasPeer(roles: NonNullable<RuleSlot['peer']>): boolean {
    const { peer, context } = this.#asked
    return peer !== undefined && roles.some(({ index }) => isHeld(peer, index, context.time))
  }

  #trouble(reason: Reason): void {
    this.troubles ??= []
    this.troubles.push(reason)
  }

  #role(index: number): string {
    return this.#party.heldByIndex.get(index)!.role
  }
}

const ORDER: readonly Reason['code'][] = ['condition-error', 'condition-false', 'peer-not-held', 'role-unknown', 'role-not-held']

function whyNothingGrants(
  found: readonly Cell[],
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
      if (isUnknown(party, index, time)) for (const { id } of slotsOf(place.rulesByRole, index)) add({ code: 'role-unknown', id, role })
    for (const reason of place.uncovered) add(reason)
  }
  if (reasons.size === 0) return NO_RULE
  return [...reasons.values()].toSorted((a, b) => ORDER.indexOf(a.code) - ORDER.indexOf(b.code) || byId(a, b)).slice(0, MAX_REASONS)
}
