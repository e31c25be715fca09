import { formatAction, type Action } from '../core/action.ts'
import { formatSpan } from '../core/span.ts'
import { vocabularyOf } from './actions/index.ts'
import { describeApproval, describeBinding } from './considered.ts'
import { describeLimit, describeMask } from './obligations.ts'
import { AUTHENTICATED, EVERYONE, type Guardrail, type Model, type Rule } from './model.ts'
import { describeDemand } from './require.ts'
import { shadowOf } from './shadow.ts'
import { statementsOn } from './statements.ts'

/** A role that a rule grants to, and what gives it. */
export interface GrantedRole {
  readonly role: string
  /** One binding each; empty for `everyone` and `authenticated`. */
  readonly bindings: readonly string[]
}

/** A rule by which the action is granted. */
export interface Grant {
  readonly rule: string
  readonly place: string
  readonly roles: readonly GrantedRole[]
  /** Roles, one of which the other end of the connection has to hold. */
  readonly peer: readonly string[] | undefined
  /** Its condition, as written. */
  readonly when: string | undefined
  /** A guardrail that takes all of it away, whoever asks. */
  readonly undoneBy: string | undefined
}

/** A guardrail that stands in the way of some of them. */
export interface Restriction {
  readonly guardrail: string
  readonly place: string
  readonly who: 'for' | 'allBut'
  readonly roles: readonly string[]
  readonly when: string | undefined
  /** What it asks for; undefined where it denies. */
  readonly asks: readonly string[] | undefined
  /** Only observed until then, in RFC 3339. */
  readonly observedUntil: string | undefined
}

/** Who can do something, in roles and bindings: which people and workloads hold them, the providers know. */
export interface WhoCan {
  readonly action: string
  readonly resource: string
  readonly grants: readonly Grant[]
  readonly restrictions: readonly Restriction[]
  /** Issuers that the resource accepts; undefined for all. */
  readonly issuers: readonly string[] | undefined
  /** Scopes that cover the action, one of which a delegated token needs; undefined where scopes cap nothing. */
  readonly scopes: readonly string[] | undefined
}

/** Answers by the plain meaning of the policy. @param now Bindings that have ended by then give nothing, in milliseconds since the epoch. */
export function whoCan(model: Model, action: Action, resource: string, now: number): WhoCan | undefined {
  const info = Object.hasOwn(model.world.resources, resource) ? model.world.resources[resource] : undefined
  const vocabulary = vocabularyOf(action.protocol)
  if (info === undefined || vocabulary === undefined) return undefined
  const { rules, guardrails } = statementsOn(model, resource)
  const covers = ({ actions }: Rule | Guardrail): boolean =>
    actions.some(({ pattern }) => pattern.protocol === action.protocol && vocabulary.matches(pattern, action))
  const scopes = info.scopes === undefined ? undefined : [...(model.scopes.get(resource) ?? [])]
  return {
    action: formatAction(action),
    resource,
    grants: rules.filter(covers).map((rule) => ({
      rule: rule.id,
      place: formatSpan(rule.span),
      roles: rule.roles.map((role) => ({ role, bindings: bindingsOf(role, model, info.issuers, now) })),
      peer: rule.peer,
      when: rule.when?.text,
      undoneBy: shadowOf(rule, resource, model)?.id,
    })),
    restrictions: guardrails.filter(covers).map((guardrail) => ({
      guardrail: guardrail.id,
      place: formatSpan(guardrail.span),
      who: guardrail.who,
      roles: guardrail.roles,
      when: guardrail.when?.text,
      asks: asksOf(guardrail),
      observedUntil:
        guardrail.observedUntil === undefined || guardrail.observedUntil <= now
          ? undefined
          : new Date(guardrail.observedUntil).toISOString(),
    })),
    issuers: info.issuers,
    scopes: scopes
      ?.filter(([, patterns]) => patterns.some((pattern) => vocabulary.matches(pattern, action)))
      .map(([scope]) => scope)
      .toSorted(),
  }
}

/** What a guardrail asks for, in words; undefined where it denies. */
export function asksOf({ denies, requires, approval, masks, limit, strict }: Guardrail): readonly string[] | undefined {
  if (denies) return undefined
  return [
    ...requires.map((one) => `with ${describeDemand(one)}`),
    ...(approval === undefined ? [] : [`with ${describeApproval(approval)}`]),
    ...masks.map(describeMask),
    ...(limit === undefined ? [] : [`at most ${describeLimit(limit)}`]),
    ...(strict ? ['with a record on disk first'] : []),
  ]
}

function bindingsOf(role: string, model: Model, issuers: readonly string[] | undefined, now: number): readonly string[] {
  return (model.roles.get(role)?.bindings ?? [])
    .filter(({ until, issuer }) => (until === undefined || now < until) && (issuers === undefined || issuers.includes(issuer)))
    .map(describeBinding)
}

/** The answer as text for a terminal, without colour. */
export function renderWhoCan({ action, resource, grants, restrictions, issuers, scopes }: WhoCan): string {
  const lines = [`${action}  on ${resource}`]
  if (grants.length === 0) lines.push('nobody: no rule grants it')
  for (const { rule, place, roles, peer, when, undoneBy } of grants) {
    lines.push(`by rule ${rule}  (${place})`)
    if (undoneBy !== undefined) lines.push(`  nobody: guardrail \`${undoneBy}\` takes all of it away`)
    for (const { role, bindings } of undoneBy === undefined ? roles : []) lines.push(...renderRole(role, bindings))
    if (peer !== undefined && undoneBy === undefined)
      lines.push(`  by way of a peer that holds ${peer.map((role) => `\`${role}\``).join(' or ')}`)
    if (when !== undefined && undoneBy === undefined) lines.push(`  if ${when}`)
  }
  if (restrictions.length > 0) lines.push('but')
  for (const { guardrail, place, who, roles, when, asks, observedUntil } of restrictions) {
    const whom = `${who === 'allBut' ? 'whoever does not hold' : 'holders of'} ${roles.map((role) => `\`${role}\``).join(' or ')}`
    const effect = asks === undefined ? 'not' : `only ${asks.join(' and ')}:`
    const watched = observedUntil === undefined ? '' : `, which is only observed until ${observedUntil}`
    lines.push(`  ${effect} ${whom}${when === undefined ? '' : `, if ${when}`}${watched}: guardrail ${guardrail}  (${place})`)
  }
  if (issuers !== undefined && grants.length > 0) lines.push(`credentials of ${issuers.map((issuer) => `\`${issuer}\``).join(' or ')} only`)
  if (scopes !== undefined && grants.length > 0)
    lines.push(
      scopes.length === 0
        ? 'no delegated token: no scope covers it'
        : `a delegated token needs scope ${scopes.map((scope) => `\`${scope}\``).join(' or ')}`,
    )
  return `${lines.map((line) => line.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\uFFFD')).join('\n')}\n`
}

function renderRole(role: string, bindings: readonly string[]): readonly string[] {
  if (role === EVERYONE) return ['  everyone, also without a credential']
  if (role === AUTHENTICATED) return ['  whoever has a verified credential; an app only with a role, or as a listed client']
  if (bindings.length === 0) return [`  holders of \`${role}\`: nobody, nothing gives it here`]
  return [`  holders of \`${role}\`:`, ...bindings.map((binding) => `    ${binding}`)]
}
