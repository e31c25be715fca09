/** What two versions make of decisions that were made before. */
import { formatAction, type Action } from '../../core/action.ts'
import type { DecisionContext, Effect } from '../../core/decision.ts'
import type { Identity } from '../../core/principal.ts'
import { vocabularyOf, type ActionIndex } from '../actions/index.ts'
import type { CompiledPolicy } from '../compiled.ts'
import { AUTHENTICATED, type Guardrail, type Rule } from '../model.ts'
import { shownBy } from './difference.ts'
import { ask } from './witness.ts'

/** A decision as the record has it. */
export interface Recorded {
  readonly id: string
  /** Undefined for a caller without a credential. */
  readonly identity: Identity | undefined
  readonly action: Action
  readonly resource: string
  readonly context: DecisionContext
  readonly effect: Effect
  /** The version that it was made by. */
  readonly policyVersion: string
  /** Why what it was made on is not all there; undefined where it is. */
  readonly lacks: string | undefined
}

/** Claims that a version of the policy read of an issuer; undefined for a version that isn't kept, null for an issuer that it didn't have. */
export type ReadThen = (version: string, issuer: string) => ReadonlySet<string> | null | undefined

/** What comes out otherwise, for how many. */
export interface Shift {
  readonly before: Effect
  readonly after: Effect
  readonly requests: number
  /** How many different principals. */
  readonly principals: number
  /** Requests by kind of principal, sorted by kind. */
  readonly byKind: Readonly<Record<string, number>>
  /** The most frequent, at most five, the most frequent first. */
  readonly actions: readonly { readonly action: string; readonly resource: string; readonly requests: number }[]
  /** Decision ids, at most three. */
  readonly decisions: readonly string[]
}

export interface Replay {
  /** Decisions that were replayed, those that can't be told included. */
  readonly decisions: number
  /** Those that come out the same. */
  readonly same: number
  readonly shifts: readonly Shift[]
  /** Those that can't be told, by why. */
  readonly unknown: readonly { readonly why: string; readonly requests: number }[]
  /** Of all that was replayed, what the earlier version decides otherwise than was recorded: it was made by yet another version. */
  readonly otherwise: number
}

interface Counted {
  requests: number
  readonly principals: Set<string>
  readonly kinds: Map<string, number>
  readonly actions: Map<string, { readonly action: string; readonly resource: string; requests: number }>
  readonly decisions: string[]
}

/** Different actions that are counted one by one for a shift, at most. */
const MAX_ACTIONS = 10_000

/** Gathers decisions one after the other. */
export class Replayer {
  readonly #from: CompiledPolicy
  readonly #to: CompiledPolicy
  readonly #readThen: ReadThen
  readonly #inputs: readonly [Inputs, Inputs]
  readonly #shifts = new Map<string, Counted>()
  readonly #unknown = new Map<string, number>()
  #decisions = 0
  #same = 0
  #otherwise = 0

  constructor(from: CompiledPolicy, to: CompiledPolicy, readThen: ReadThen) {
    this.#from = from
    this.#to = to
    this.#readThen = readThen
    this.#inputs = [new Inputs(from), new Inputs(to)]
  }

  add(recorded: Recorded): void {
    this.#decisions++
    const lacks = recorded.lacks ?? this.#lacks(recorded)
    if (lacks !== undefined) return this.unknown(lacks, 1, false)
    const { identity, action, resource, context } = recorded
    const question = { identity, action, resource, context }
    const [before, after] = [this.#from, this.#to].map((policy) => decided(policy, question, identity))
    if (before!.effect !== recorded.effect) this.#otherwise++
    if (before!.shown === after!.shown) this.#same++
    else this.#shift(before!.effect, after!.effect, recorded)
  }

  /** Counts decisions that can't be told. @param more Whether they are not counted as decisions yet. */
  unknown(why: string, count: number, more = true): void {
    if (more) this.#decisions += count
    this.#unknown.set(why, (this.#unknown.get(why) ?? 0) + count)
  }

  result(): Replay {
    const shifts = [...this.#shifts].map(([key, { requests, principals, kinds, actions, decisions }]): Shift => {
      const [before, after] = key.split(' ') as [Effect, Effect]
      const most = [...actions.values()].toSorted((a, b) => b.requests - a.requests || (a.action < b.action ? -1 : 1)).slice(0, 5)
      return {
        before,
        after,
        requests,
        principals: principals.size,
        byKind: Object.fromEntries([...kinds].toSorted(([a], [b]) => (a < b ? -1 : 1))),
        actions: most,
        decisions,
      }
    })
    return {
      decisions: this.#decisions,
      same: this.#same,
      shifts: shifts.toSorted((a, b) => b.requests - a.requests || (a.before + a.after < b.before + b.after ? -1 : 1)),
      unknown: [...this.#unknown]
        .map(([why, requests]) => ({ why, requests }))
        .toSorted((a, b) => b.requests - a.requests || (a.why < b.why ? -1 : 1)),
      otherwise: this.#otherwise,
    }
  }

  #shift(before: Effect, after: Effect, { id, identity, action, resource }: Recorded): void {
    const key = `${before} ${after}`
    let counted = this.#shifts.get(key)
    if (counted === undefined)
      this.#shifts.set(key, (counted = { requests: 0, principals: new Set(), kinds: new Map(), actions: new Map(), decisions: [] }))
    counted.requests++
    counted.principals.add(identity === undefined ? '' : JSON.stringify([identity.issuer, identity.subject]))
    const kind = identity?.kind ?? 'anonymous'
    counted.kinds.set(kind, (counted.kinds.get(kind) ?? 0) + 1)
    if (counted.decisions.length < 3) counted.decisions.push(id)
    const text = formatAction(action)
    const what = `${resource} ${text}`
    const known = counted.actions.get(what)
    if (known !== undefined) known.requests++
    else if (counted.actions.size < MAX_ACTIONS) counted.actions.set(what, { action: text, resource, requests: 1 })
  }

  /** Something that either version looks at and the record has not; undefined where there is nothing of the kind. */
  #lacks(recorded: Recorded): string | undefined {
    for (const inputs of this.#inputs) {
      const found = inputs.of(recorded.resource, recorded.action)
      const lacks = notRecorded(found, recorded)
      if (lacks !== undefined) return lacks
      for (let party = recorded.identity; party !== undefined; party = party.actor) {
        const claim = this.#unreadClaim(found, party, inputs.policy, recorded.policyVersion)
        if (claim !== undefined) return claim
      }
    }
    return undefined
  }

  /** A claim that a version looks at, which nothing read when the decision was made. */
  #unreadClaim(found: LooksAt, party: Identity, policy: CompiledPolicy, version: string): string | undefined {
    const declared = policy.model.world.issuers[party.issuer]?.claims ?? {}
    for (const claim of claimsOf(found, party)) {
      if (!Object.hasOwn(declared, claim) || Object.hasOwn(party.claims, claim) || party.unknownClaims.has(claim)) continue
      const read = this.#readThen(version, party.issuer)
      if (read === undefined)
        return `whether claim \`${claim}\` of \`${party.issuer}\` was read then: that version of the policy is no longer kept`
      if (read === null || !read.has(claim)) return `claim \`${claim}\` of \`${party.issuer}\`, which was not read then`
    }
    return undefined
  }
}

function decided(
  policy: CompiledPolicy,
  question: Parameters<typeof ask>[1],
  identity: Identity | undefined,
): { readonly effect: Effect; readonly shown: string } {
  // A chain with an issuer that isn't there any more is refused as a whole.
  for (let party = identity; party !== undefined; party = party.actor)
    if (!Object.hasOwn(policy.model.world.issuers, party.issuer)) return { effect: 'deny', shown: 'deny' }
  const decision = ask(policy, question)!
  return { effect: decision.effect, shown: [decision.effect, ...[...new Set(shownBy(decision))].toSorted()].join('\n') }
}

function notRecorded(found: LooksAt, { context }: Recorded): string | undefined {
  if (found.peer && context.peer === undefined) return 'the other end of the connection, which is not recorded'
  if (found.grants && context.grants === undefined) return 'which eligible roles were activated, which is not recorded'
  if (found.approvals && context.approved === undefined) return 'which approvals had been given, which is not recorded'
  if (found.justification && context.justification === undefined) return 'whether a justification was given, which is not recorded'
  return undefined
}

/** What decisions on an action can depend on besides the action itself. */
interface LooksAt {
  readonly statements: readonly (Rule | Guardrail)[]
  /** Claims by issuer; under the empty name those of any. */
  readonly claims: ReadonlyMap<string, ReadonlySet<string>>
  /** Also those of all roles: an app by itself is `authenticated` by any of them. */
  readonly anyRole: ReadonlyMap<string, ReadonlySet<string>> | undefined
  readonly peer: boolean
  readonly grants: boolean
  readonly approvals: boolean
  readonly justification: boolean
}

function claimsOf({ claims, anyRole }: LooksAt, { issuer, appOnly }: Identity): ReadonlySet<string> {
  return new Set([...(claims.get(issuer) ?? []), ...(claims.get('') ?? []), ...(appOnly ? (anyRole?.get(issuer) ?? []) : [])])
}

/** What one version looks at, by action. */
class Inputs {
  readonly policy: CompiledPolicy
  readonly #indexes = new Map<string, ActionIndex<readonly (Rule | Guardrail)[]> | undefined>()
  readonly #known = new WeakMap<readonly (Rule | Guardrail)[], LooksAt>()
  #anyRole: ReadonlyMap<string, ReadonlySet<string>> | undefined

  constructor(policy: CompiledPolicy) {
    this.policy = policy
  }

  of(resource: string, action: Action): LooksAt {
    if (!this.#indexes.has(resource)) this.#indexes.set(resource, this.#index(resource))
    const found = this.#indexes.get(resource)?.find(action) ?? []
    const all = found.map((statements) => {
      let looks = this.#known.get(statements)
      if (looks === undefined) this.#known.set(statements, (looks = this.#looksAt(statements)))
      return looks
    })
    return all.length === 1 ? all[0]! : this.#looksAt(all.flatMap(({ statements }) => statements))
  }

  #index(resource: string): ActionIndex<readonly (Rule | Guardrail)[]> | undefined {
    const { model } = this.policy
    const info = Object.hasOwn(model.world.resources, resource) ? model.world.resources[resource] : undefined
    const here = [...model.rules, ...model.guardrails].filter(({ resources }) => resources.includes(resource))
    const entries = here.flatMap((statement) => statement.actions.map(({ pattern }) => [pattern, statement] as const))
    return info === undefined ? undefined : vocabularyOf(info.protocol)?.index(entries, (values) => values)
  }

  #looksAt(statements: readonly (Rule | Guardrail)[]): LooksAt {
    const claims = new Map<string, Set<string>>()
    const roles = new Set<string>()
    let [peer, grants, approvals, justification] = [false, false, false, false]
    for (const one of statements) {
      for (const role of one.roles) roles.add(role)
      for (const claim of one.when?.claims.keys() ?? []) put(claims, '', claim)
      if (one.kind === 'rule') peer ||= one.peer !== undefined
      else {
        approvals ||= one.approval !== undefined
        for (const { kind, byIssuer } of one.requires) {
          justification ||= kind === 'justification'
          for (const [issuer, { claim }] of byIssuer) put(claims, issuer, claim)
        }
      }
    }
    for (const role of roles)
      for (const { issuer, claim, eligible } of this.policy.model.roles.get(role)?.bindings ?? []) {
        put(claims, issuer, claim)
        grants ||= eligible
      }
    return {
      statements,
      claims,
      anyRole: roles.has(AUTHENTICATED) ? this.#claimsOfRoles() : undefined,
      peer,
      grants,
      approvals,
      justification,
    }
  }

  #claimsOfRoles(): ReadonlyMap<string, ReadonlySet<string>> {
    if (this.#anyRole === undefined) {
      const all = new Map<string, Set<string>>()
      for (const issuer of Object.keys(this.policy.model.world.issuers)) put(all, issuer, 'roles')
      for (const { bindings } of this.policy.roles) for (const { issuer, claim } of bindings) put(all, issuer, claim)
      this.#anyRole = all
    }
    return this.#anyRole
  }
}

function put(map: Map<string, Set<string>>, key: string, value: string): void {
  const set = map.get(key)
  if (set === undefined) map.set(key, new Set([value]))
  else set.add(value)
}
