import type { DecisionContext } from '../core/decision.ts'
import type { Identity } from '../core/principal.ts'
import { formatSpan } from '../core/span.ts'
import { explainRole, roleState, type Question, type RoleExplanation } from './considered.ts'
import { BUILT_IN_ROLES, type Guardrail, type Model, type Rule } from './model.ts'
import { shadowOf } from './shadow.ts'
import { statementsOn } from './statements.ts'
import { asksOf } from './whocan.ts'

/** What a rule gives somebody. */
export interface Held {
  readonly rule: string
  readonly place: string
  /** Patterns. */
  readonly actions: readonly string[]
  /** The role by which they have it. */
  readonly role: string
  /** Roles, one of which the other end of the connection has to hold. */
  readonly peer: readonly string[] | undefined
  readonly when: string | undefined
}

/** A guardrail that meets somebody. */
export interface Against {
  readonly guardrail: string
  readonly place: string
  readonly actions: readonly string[]
  /** What it asks for; undefined where it denies. */
  readonly asks: readonly string[] | undefined
  /** Whether it meets them for sure, or because a role can't be told. */
  readonly certain: boolean
  readonly when: string | undefined
  /** Only observed until then, in RFC 3339. */
  readonly observedUntil: string | undefined
}

export interface ResourceAccess {
  readonly resource: string
  readonly protocol: string
  readonly grants: readonly Held[]
  readonly guardrails: readonly Against[]
  /** Actions that the token's scopes cover; undefined where they cap nothing. */
  readonly scopes: readonly string[] | undefined
}

/** What somebody has access to, and by what. */
export interface Access {
  /** `issuer/subject` */
  readonly principal: string
  readonly display: string | undefined
  /** Roles that are held or can't be told, or could be activated. */
  readonly roles: readonly RoleExplanation[]
  /** Resources on which something is granted, by name. */
  readonly resources: readonly ResourceAccess[]
  /** Who acts for them, and so has to have the same access too. */
  readonly actor: Access | undefined
}

/** Answers by the plain meaning of the policy, for one identity as it was proven. @param context Its time is what roles are looked at by. */
export function accessOf(model: Model, loadedAt: number, identity: Identity, context: DecisionContext): Access {
  // Roles depend on neither action nor resource.
  const action = { protocol: 'http', method: 'GET', path: '/' } as const
  const question: Question = { model, loadedAt, identity, action, resource: '', context }
  const held = (roles: readonly string[]): string | undefined => roles.find((role) => roleState(role, question) === 'held')
  const resources = Object.entries(model.world.resources).flatMap(([resource, { protocol, issuers, scopes }]): ResourceAccess[] => {
    if (issuers !== undefined && !issuers.includes(identity.issuer)) return []
    const here = statementsOn(model, resource)
    const grants = here.rules.flatMap((rule): Held[] => {
      const role = held(rule.roles)
      return role === undefined || shadowOf(rule, resource, model) !== undefined
        ? []
        : [{ rule: rule.id, ...written(rule), role, peer: rule.peer }]
    })
    if (grants.length === 0) return []
    const guardrails = here.guardrails.flatMap((guardrail): Against[] => {
      const states = guardrail.roles.map((role) => roleState(role, question))
      const state = states.includes('held') ? 'held' : states.includes('unknown') ? 'unknown' : 'not-held'
      if (guardrail.who === 'allBut' ? state === 'held' : state === 'not-held') return []
      const { observedUntil } = guardrail
      return [
        {
          guardrail: guardrail.id,
          ...written(guardrail),
          asks: asksOf(guardrail),
          certain: state !== 'unknown',
          observedUntil: observedUntil === undefined || observedUntil <= context.time ? undefined : new Date(observedUntil).toISOString(),
        },
      ]
    })
    const capped =
      scopes === undefined || identity.scopes === undefined ? undefined : identity.scopes.flatMap((scope) => scopes[scope] ?? [])
    return [{ resource, protocol, grants, guardrails, scopes: capped }]
  })
  const roles = [...BUILT_IN_ROLES, ...model.roles.keys()].toSorted().flatMap((role) => {
    const explained = explainRole(role, question)
    return explained.state === 'not-held' && explained.eligible === undefined ? [] : [explained]
  })
  return {
    principal: `${identity.issuer}/${identity.subject}`,
    display: identity.display,
    roles,
    resources: resources.toSorted((a, b) => (a.resource < b.resource ? -1 : 1)),
    actor: identity.actor === undefined ? undefined : accessOf(model, loadedAt, identity.actor, context),
  }
}

function written({ span, actions, when }: Rule | Guardrail): Pick<Held, 'place' | 'actions' | 'when'> {
  return { place: formatSpan(span), actions: actions.map(({ pattern }) => pattern.text), when: when?.text }
}

/** The answer as text for a terminal, without colour. */
export function renderAccess(access: Access): string {
  return `${linesOf(access)
    .map((line) => line.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\uFFFD'))
    .join('\n')}\n`
}

function linesOf({ principal, display, roles, resources, actor }: Access): readonly string[] {
  const lines = [display === undefined ? principal : `${principal}  ${display}`, '', 'roles']
  for (const { role, state, claim, value, name, via, eligible } of roles) {
    if (state === 'not-held') lines.push(`  ${role}  not held; ${eligible}`)
    else if (state === 'unknown') lines.push(`  ${role}  can not be told: claim \`${claim}\``)
    else {
      const by =
        claim === undefined
          ? 'built in'
          : `claim \`${claim}\`${value === undefined ? '' : ` has \`${value}\``}${name === undefined ? '' : ` (${name})`}`
      lines.push(`  ${role}  ${by}${via === undefined ? '' : `, by way of role \`${via}\``}`)
    }
  }
  if (resources.length === 0) lines.push('', 'no access: no rule grants anything to these roles')
  for (const { resource, protocol, grants, guardrails, scopes } of resources) {
    lines.push('', `${resource}  (${protocol})`)
    for (const { rule, place, actions, role, peer, when } of grants) {
      lines.push(`  ${actions.join(', ')}`, `    by rule ${rule}, role \`${role}\`  (${place})`)
      if (peer !== undefined) lines.push(`    by way of a peer that holds ${peer.map((one) => `\`${one}\``).join(' or ')}`)
      if (when !== undefined) lines.push(`    if ${when}`)
    }
    if (scopes !== undefined) lines.push(`  within the token's scopes: ${scopes.length === 0 ? 'nothing' : scopes.join(', ')}`)
    for (const { guardrail, place, actions, asks, certain, when, observedUntil } of guardrails) {
      lines.push(`  but ${asks === undefined ? 'not' : `only ${asks.join(' and ')}:`} ${actions.join(', ')}`)
      const unsure = certain ? '' : ', because a role can not be told'
      const watched = observedUntil === undefined ? '' : `, only observed until ${observedUntil}`
      lines.push(`    guardrail ${guardrail}${unsure}${watched}  (${place})`)
      if (when !== undefined) lines.push(`    if ${when}`)
    }
  }
  if (actor !== undefined) lines.push('', 'and no more than who acts for them has', '', ...linesOf(actor))
  return lines
}
