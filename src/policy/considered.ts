import type { Action } from '../core/action.ts'
import type { ApprovalRequest, DecisionContext, Effect, Obligation, Requirement } from '../core/decision.ts'
import type { Identity } from '../core/principal.ts'
import { formatSpan } from '../core/span.ts'
import { vocabularyOf } from './actions/index.ts'
import { holds, matchedValue, type RoleState } from './holds.ts'
import { isActive as isGranted } from './roleset.ts'
import { AUTHENTICATED, EVERYONE, type Binding, type Guardrail, type Model, type Rule } from './model.ts'
import { describeLimit, describeMask, limitKey } from './obligations.ts'
import { describeDemand, isMet, toRequirement } from './require.ts'
import type { Truth } from './when/condition.ts'

/**
 * The meaning of the policy by its plain definition, one statement at a time. Explanations are made of it; `decide` does
 * the same by index, and tests hold the two against each other.
 */
export interface Question {
  readonly model: Model
  /** Bindings that had ended when the policy was loaded give nothing, whenever the question is asked of. */
  readonly loadedAt: number
  readonly identity: Identity | undefined
  readonly action: Action
  readonly resource: string
  readonly context: DecisionContext
}

/** A role as one party has it. */
export interface RoleExplanation {
  readonly role: string
  readonly state: RoleState
  /** Claim that gave it, or that can't be told; undefined for built-in roles and for those not held. */
  readonly claim: string | undefined
  readonly value: string | undefined
  /** What the provider calls the value, such as a group. */
  readonly name?: string
  /** The role by which it is held, where that one includes it. */
  readonly via?: string
  /** For a role that isn't held but could be activated: by what. */
  readonly eligible?: string
  /** Why the claim can't be told, where more is known than that the credential leaves it open. */
  readonly because?: string
  /** For a role that isn't held: what would give it, one binding each. */
  readonly wouldGive: readonly string[]
}

/** A rule or guardrail on the resource, and why it did or did not come to bear. */
export interface Considered {
  readonly id: string
  /** `policy/orders.yaml:12:5` */
  readonly place: string
  readonly description: string | undefined
  readonly covers: boolean
  /** Of a rule, whether it grants; of a guardrail, whether it takes something away. What is only observed doesn't. */
  readonly bears: boolean
  /** Of a guardrail that applies, what it makes of an allow; undefined for one that doesn't, or is met, and for rules. */
  readonly effect: Effect | undefined
  /** Of a guardrail that applies, whether it is only observed. */
  readonly observed: boolean
  /** Of a guardrail that applies, what it requires that isn't proven. */
  readonly unmet: readonly Requirement[]
  /** Of a guardrail that applies, the approval that is missing. */
  readonly approval: ApprovalRequest | undefined
  /** Of a guardrail that applies. */
  readonly obligations: readonly Obligation[]
  readonly role: RoleState
  readonly condition: 'none' | 'true' | 'false' | 'error'
  readonly why: string
}

function isLive(binding: Binding, question: Question): boolean {
  return hasNotEnded(binding, question) && (!binding.eligible || isActive(binding.via ?? binding.role, question))
}

function hasNotEnded({ until }: Binding, { loadedAt, context }: Question): boolean {
  return until === undefined || (loadedAt < until && context.time < until)
}

function isActive(role: string, { identity, context: { grants, time } }: Question): boolean {
  return (grants ?? []).some((grant) => grant.role === role && isGranted(grant, identity, time))
}

export function roleState(role: string, question: Question): RoleState {
  const { identity, model } = question
  if (role === EVERYONE) return 'held'
  if (identity === undefined) return 'not-held'
  if (role === AUTHENTICATED) return authenticated(identity, question)
  const states = (model.roles.get(role)?.bindings ?? [])
    .filter((binding) => isLive(binding, question))
    .map((binding) => holds(binding, identity))
  return states.includes('held') ? 'held' : states.includes('unknown') ? 'unknown' : 'not-held'
}

function authenticated(identity: Identity, question: Question): RoleState {
  const roles = identity.claims['roles']
  if (!identity.appOnly || identity.listedClient || (Array.isArray(roles) && roles.length > 0)) return 'held'
  // A claim that is not there shows nothing of an app.
  const states = [...question.model.roles.values()]
    .flatMap(({ bindings }) => bindings)
    .filter((binding) => binding.match !== 'none' && isLive(binding, question))
    .map((binding) => holds(binding, identity))
  if (states.includes('held')) return 'held'
  return states.includes('unknown') || identity.unknownClaims.has('roles') ? 'unknown' : 'not-held'
}

export function explainRole(role: string, question: Question): RoleExplanation {
  const { identity, model } = question
  const state = roleState(role, question)
  const bindings = (model.roles.get(role)?.bindings ?? []).filter((binding) => hasNotEnded(binding, question))
  const giving =
    identity === undefined || state === 'not-held'
      ? undefined
      : bindings.find((binding) => isLive(binding, question) && holds(binding, identity) === state)
  const value = giving === undefined || identity === undefined || state !== 'held' ? undefined : matchedValue(giving, identity)
  const name = value === undefined ? undefined : identity?.valueNames?.get(value)
  const because = state === 'unknown' && giving !== undefined ? identity?.unknownBecause?.[giving.claim] : undefined
  const eligible = state === 'not-held' ? bindings.find((one) => isEligible(one, identity)) : undefined
  return {
    role,
    state,
    claim: giving?.claim,
    value,
    ...(name === undefined || name === '' ? {} : { name }),
    ...(because === undefined ? {} : { because }),
    ...(giving?.via === undefined ? {} : { via: giving.via }),
    ...(eligible === undefined ? {} : { eligible: wouldGive(eligible, identity) }),
    wouldGive:
      state === 'held'
        ? []
        : role === AUTHENTICATED
          ? [AUTHENTICATES]
          : nearestFirst(bindings, identity).map((one) => wouldGive(one, identity)),
  }
}

function isEligible(binding: Binding, identity: Identity | undefined): boolean {
  return binding.eligible && identity !== undefined && holds(binding, identity) === 'held'
}

/** For whom a role could be activated, that; else what the binding asks for. */
function wouldGive(binding: Binding, identity: Identity | undefined): string {
  if (!isEligible(binding, identity)) return describeBinding(binding)
  return `activate role \`${binding.via ?? binding.role}\`, for which they are eligible: ${describeBinding({ ...binding, eligible: false })}`
}

/** Bindings of the asker's own issuer, then those that a person could meet. */
function nearestFirst(bindings: readonly Binding[], identity: Identity | undefined): readonly Binding[] {
  const far = ({ issuer, kind }: Binding): number =>
    (issuer === (identity?.issuer ?? issuer) ? 0 : 2) + (kind === undefined || kind === (identity?.kind ?? 'human') ? 0 : 1)
  return bindings.toSorted((a, b) => far(a) - far(b))
}

const AUTHENTICATES = 'a verified credential; for an app-only token also an app role, a bound role or a listed client'

const SHOWN_VALUES = 8

/** "claim `roles` of issuer `entra` containing `Orders.Write`" */
export function describeBinding({ claim, issuer, type, match, values, kind, until, via, eligible }: Binding): string {
  const shown = [...values].map((value) => `\`${value}\``).toSorted()
  const listed = shown.slice(0, SHOWN_VALUES).join(', ') + (shown.length > SHOWN_VALUES ? ` and ${shown.length - SHOWN_VALUES} more` : '')
  const verb = type === 'list' ? 'containing' : 'equal to'
  const wanted =
    match === 'none'
      ? `${verb} none of ${listed}`
      : shown.length === 1
        ? `${verb} ${listed}`
        : `${verb} ${match === 'all' ? 'all' : 'one'} of ${listed}`
  const ends = `${eligible ? ', once it is activated' : ''}${until === undefined ? '' : `, until ${new Date(until).toISOString()}`}`
  return `claim \`${claim}\` of issuer \`${issuer}\` ${wanted}${kind === undefined ? '' : `, for a principal of kind ${kind}`}${ends}${via === undefined ? '' : `, which gives role \`${via}\` and so this one`}`
}

interface ConditionResult {
  readonly condition: Considered['condition']
  readonly error: string | undefined
}

/** The condition over all patterns that cover the action: true if it is for any. */
function conditionOf(statement: Rule | Guardrail, covering: readonly Rule['actions'][number][], question: Question): ConditionResult {
  const { when } = statement
  if (when === undefined) return { condition: 'none', error: undefined }
  const { identity, action, context } = question
  const truths = covering.map(({ pattern }): Truth =>
    when.evaluate({
      claims: identity?.claims ?? {},
      unknownClaims: identity?.unknownClaims ?? new Set(),
      time: context.time,
      ip: context.ip,
      action,
      parameters: vocabularyOf(action.protocol)!.parameters(pattern, action),
    }),
  )
  if (truths.includes(true)) return { condition: 'true', error: undefined }
  const failed = truths.find((truth) => typeof truth === 'object')
  return failed === undefined ? { condition: 'false', error: undefined } : { condition: 'error', error: failed.error }
}

function coveringOf({ actions }: Rule | Guardrail, { action }: Question) {
  const vocabulary = vocabularyOf(action.protocol)
  return actions.filter(({ pattern }) => pattern.protocol === action.protocol && vocabulary?.matches(pattern, action) === true)
}

function best(roles: readonly string[], question: Question): RoleState {
  const states = roles.map((role) => roleState(role, question))
  return states.includes('held') ? 'held' : states.includes('unknown') ? 'unknown' : 'not-held'
}

function names(roles: readonly string[]): string {
  return `role${roles.length === 1 ? '' : 's'} ${roles.map((role) => `\`${role}\``).join(', ')}`
}

/** What only guardrails have. */
const OF_NO_GUARDRAIL = { effect: undefined, observed: false, unmet: [], approval: undefined, obligations: [] } as const

export function considerRule(rule: Rule, question: Question): Considered {
  const covering = coveringOf(rule, question)
  const covers = covering.length > 0
  const role = best(rule.roles, question)
  const peer = rule.peer === undefined || best(rule.peer, { ...question, identity: question.context.peer?.identity }) === 'held'
  const reached = covers && role === 'held' && peer
  const { condition, error } = reached ? conditionOf(rule, covering, question) : { condition: 'none' as const, error: undefined }
  const bears = reached && (condition === 'none' || condition === 'true')
  const why = !covers
    ? 'does not cover this action'
    : role !== 'held'
      ? `${names(rule.roles)} ${role === 'unknown' ? 'can not be told' : 'not held'}`
      : !peer
        ? `${names(rule.peer)} not held by the other end of the connection`
        : bears
          ? 'grants'
          : condition === 'error'
            ? `its condition can not be evaluated: ${error}`
            : `its condition is false: ${rule.when?.text}`
  const { id, description, span } = rule
  return { id, place: formatSpan(span), description, covers, bears, ...OF_NO_GUARDRAIL, role, condition, why }
}

export function considerGuardrail(guardrail: Guardrail, question: Question): Considered {
  const covering = coveringOf(guardrail, question)
  const covers = covering.length > 0
  const role = best(guardrail.roles, question)
  const exempt = guardrail.who === 'allBut' ? role === 'held' : role === 'not-held'
  const { condition, error } =
    covers && !exempt ? conditionOf(guardrail, covering, question) : { condition: 'none' as const, error: undefined }
  const applies = covers && !exempt && condition !== 'false'
  const asked = applies ? askedBy(guardrail, question) : OF_NO_GUARDRAIL
  const observed = applies && guardrail.observedUntil !== undefined && question.context.time < guardrail.observedUntil
  const bears = asked.effect !== undefined && !observed
  const whom = `${guardrail.who === 'allBut' ? 'all but ' : ''}${names(guardrail.roles)}`
  const why = !covers
    ? 'does not cover this action'
    : exempt
      ? `does not apply: ${names(guardrail.roles)} ${guardrail.who === 'allBut' ? 'held, which is exempt' : 'not held'}`
      : condition === 'false'
        ? `does not apply: its condition is false: ${guardrail.when?.text}`
        : asked.effect === undefined
          ? `is met: ${metBy(guardrail)}`
          : `${observed ? 'is only observed: ' : ''}${verbOf(guardrail, asked)}${
              condition === 'error'
                ? `: its condition can not be evaluated (${error}), which counts as applying`
                : role === 'unknown'
                  ? `: ${names(guardrail.roles)} can not be told, which counts as applying`
                  : ` ${guardrail.denies ? '' : 'for '}${whom}`
            }`
  const { id, description, span } = guardrail
  return { id, place: formatSpan(span), description, covers, bears, ...asked, observed, role, condition, why }
}

type AskedFor = Pick<Considered, 'effect' | 'unmet' | 'approval' | 'obligations'>

/** What a guardrail that applies makes of an allow. */
function askedBy(guardrail: Guardrail, { identity, context }: Question): AskedFor {
  const { id, denies, requires, approval, masks, limit, strict } = guardrail
  if (denies) return { effect: 'deny', unmet: [], approval: undefined, obligations: [] }
  const unmet = requires.filter((one) => !isMet(one, identity, context)).map((one) => toRequirement(one, identity))
  const missing = approval === undefined || context.approved?.has(id) === true ? undefined : { id, ...approval }
  const obligations: Obligation[] = [
    ...(masks.length === 0 ? [] : [{ kind: 'mask', ids: [id], fields: masks } as const]),
    ...(limit === undefined
      ? []
      : [{ kind: 'limit', id, requests: limit.requests, window: limit.window, key: limitKey(limit, identity, context.ip) } as const]),
    ...(strict ? [{ kind: 'record', ids: [id], mode: 'strict' } as const] : []),
  ]
  const effect = unmet.length > 0 ? 'challenge' : missing !== undefined ? 'needs-approval' : obligations.length > 0 ? 'allow' : undefined
  return { effect, unmet, approval: missing, obligations }
}

function verbOf({ denies, masks, limit, strict }: Guardrail, { unmet, approval }: AskedFor): string {
  if (denies) return 'denies'
  return [
    ...(unmet.length === 0 ? [] : [`requires ${unmet.map(describeDemand).join(' and ')}`]),
    ...(approval === undefined ? [] : [`requires ${describeApproval(approval)}`]),
    ...(masks.length === 0 ? [] : [`answers ${masks.map(describeMask).join(', ')}`]),
    ...(limit === undefined ? [] : [`limits to ${describeLimit(limit)}`]),
    ...(strict ? ['wants the record on disk before the effect'] : []),
  ].join(', ')
}

function metBy({ requires, approval }: Guardrail): string {
  return [
    ...(requires.length === 0 ? [] : [`${requires.map(describeDemand).join(' and ')} is proven`]),
    ...(approval === undefined ? [] : ['it was approved']),
  ].join(', ')
}

/** `the approval of 2 holders of \`lead\`` */
export function describeApproval({ from, count }: Pick<ApprovalRequest, 'from' | 'count'>): string {
  return `the approval of ${count === 1 ? 'a holder' : `${count} holders`} of ${from.map((role) => `\`${role}\``).join(' or ')}`
}
