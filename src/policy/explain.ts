import { formatAction, type Action } from '../core/action.ts'
import type { DecisionContext, Effect, Observed, Requirement } from '../core/decision.ts'
import type { Evidence, Identity, PrincipalKind } from '../core/principal.ts'
import { vocabularyOf } from './actions/index.ts'
import { MAX_PARTIES } from './bind.ts'
import {
  considerGuardrail,
  considerRule,
  describeApproval,
  explainRole,
  roleState,
  type Considered,
  type Question,
  type RoleExplanation,
} from './considered.ts'
import { strictest } from './party.ts'
import { describeDemand } from './require.ts'
import { statementsOn } from './statements.ts'
import { BUILT_IN_ROLES, EVERYONE, type Model } from './model.ts'

/** One party of a decision: who, proven how, with which roles, and what that met. */
export interface PartyExplanation {
  /** `issuer/subject`, or `anonymous`. */
  readonly party: string
  readonly kind: PrincipalKind
  readonly issuer: string | undefined
  readonly display: string | undefined
  /** How it was proven; undefined for anonymous. */
  readonly evidence: Evidence | undefined
  readonly effect: Effect
  /** What it would be without what is only observed. */
  readonly observed: Effect
  readonly issuerAccepted: boolean
  /** Roles that are held or can't be told, and those that would have mattered. */
  readonly roles: readonly RoleExplanation[]
  /** Whether the token's scopes cover the action; `not-capped` where none is asked for. */
  readonly scopes: {
    readonly state: 'not-capped' | 'covered' | 'not-covered'
    readonly held: readonly string[]
    readonly covering: readonly string[]
  }
  readonly rules: readonly Considered[]
  readonly guardrails: readonly Considered[]
  /** Rules and guardrails on the resource that don't cover the action and aren't listed. */
  readonly omitted: number
  readonly wouldHelp: readonly string[]
}

export interface Explanation {
  readonly effect: Effect
  /** What it would have been if nothing were only observed, where that is stricter. */
  readonly observed: Observed['effect'] | undefined
  readonly action: string
  readonly resource: string
  readonly resourceKnown: boolean
  readonly policyVersion: string
  /** Ids of granting rules, sorted. */
  readonly rules: readonly string[]
  /** The subject first, then who acts for it. */
  readonly parties: readonly PartyExplanation[]
  readonly tooManyParties: boolean
  /** What would have to change, for an effect of deny. */
  readonly wouldHelp: readonly string[]
}

/** Statements listed per party at most; those that cover the action come first. */
const MAX_LISTED = 200
const MAX_HELP = 12

/** Explains a decision by the plain meaning of the policy. Total, like the decision itself. */
export function explain(
  model: Model,
  policyVersion: string,
  loadedAt: number,
  subject: Identity | undefined,
  action: Action,
  resource: string,
  context: DecisionContext,
): Explanation {
  const resourceKnown =
    Object.hasOwn(model.world.resources, resource) && vocabularyOf(model.world.resources[resource]!.protocol) !== undefined
  const parties: PartyExplanation[] = []
  let identity = subject
  for (let number = 1; number <= MAX_PARTIES && (number === 1 || identity !== undefined); number++) {
    parties.push(explainParty({ model, loadedAt, identity, action, resource, context }, resourceKnown))
    identity = identity?.actor
  }
  const tooManyParties = identity !== undefined
  const together = (effects: readonly Effect[]): Effect => (tooManyParties ? 'deny' : effects.reduce(strictest, 'allow'))
  const decided = together(parties.map(({ effect }) => effect))
  const would = together(parties.map(({ observed }) => observed))
  const until = resourceKnown ? model.world.resources[resource]!.observedUntil : undefined
  const effect = until !== undefined && context.time < until ? 'allow' : decided
  const allowed = effect === 'allow'
  return {
    effect,
    observed: would === effect ? undefined : would,
    action: formatAction(action),
    resource,
    resourceKnown,
    policyVersion,
    rules: [...new Set(parties.flatMap(({ rules }) => rules.filter(({ bears }) => bears).map(({ id }) => id)))].toSorted(),
    parties,
    tooManyParties,
    wouldHelp: allowed
      ? []
      : [...new Set(parties.flatMap(helpOf)), ...(tooManyParties ? [`a chain of at most ${MAX_PARTIES} parties`] : [])].slice(0, MAX_HELP),
  }
}

function helpOf({ effect, wouldHelp, party }: PartyExplanation, index: number): readonly string[] {
  if (effect === 'allow') return []
  return index === 0 ? wouldHelp : wouldHelp.map((help) => `${party}, who acts for it: ${help}`)
}

function explainParty(question: Question, resourceKnown: boolean): PartyExplanation {
  const { model, identity, resource } = question
  const info = resourceKnown ? model.world.resources[resource] : undefined
  const issuerAccepted = identity === undefined || info?.issuers === undefined || info.issuers.includes(identity.issuer)
  const asked = resourceKnown && issuerAccepted
  const here = statementsOn(model, resource)
  const rules = asked ? here.rules.map((rule) => considerRule(rule, question)) : []
  const guardrails = asked ? here.guardrails.map((guardrail) => considerGuardrail(guardrail, question)) : []
  const scopes = scopesOf(question, info?.scopes !== undefined)
  const granted = rules.some(({ bears }) => bears)
  const bearing = guardrails.filter(({ bears }) => bears)
  const open = granted && scopes.state !== 'not-covered'
  const of = (all: readonly Considered[]): Effect =>
    open ? all.reduce<Effect>((so, one) => strictest(so, one.effect ?? so), 'allow') : 'deny'
  const effect = of(bearing)
  const listedRules = listed(rules)
  const listedGuardrails = listed(guardrails)
  return {
    party: identity === undefined ? 'anonymous' : `${identity.issuer}/${identity.subject}`,
    kind: identity?.kind ?? 'anonymous',
    issuer: identity?.issuer,
    display: identity?.display,
    evidence: identity?.evidence,
    effect,
    observed: of(guardrails),
    issuerAccepted,
    roles: rolesOf(
      question,
      [...rules, ...guardrails].filter(({ covers }) => covers).map(({ id }) => id),
    ),
    scopes,
    rules: listedRules,
    guardrails: listedGuardrails,
    omitted: rules.length + guardrails.length - listedRules.length - listedGuardrails.length,
    wouldHelp: effect === 'allow' ? [] : wouldHelp(question, { resourceKnown, issuerAccepted, rules, guardrails, scopes }),
  }
}

function listed(all: readonly Considered[]): readonly Considered[] {
  return [...all.filter(({ covers }) => covers), ...all.filter(({ covers }) => !covers)].slice(0, MAX_LISTED)
}

/** Roles to tell of: those that are held or can't be told, and those that statements about this action ask for. */
function rolesOf(question: Question, covering: readonly string[]): readonly RoleExplanation[] {
  const { model, resource } = question
  const ids = new Set(covering)
  const here = statementsOn(model, resource)
  const asked = [...here.rules, ...here.guardrails].filter(({ id }) => ids.has(id)).flatMap(({ roles }) => roles)
  const candidates = new Set([
    ...asked,
    ...[...BUILT_IN_ROLES, ...model.roles.keys()].filter((role) => roleState(role, question) !== 'not-held'),
  ])
  return [...candidates].toSorted().map((role) => explainRole(role, question))
}

function scopesOf({ model, identity, action, resource }: Question, capped: boolean): PartyExplanation['scopes'] {
  const held = identity?.scopes ?? []
  if (!capped || identity?.scopes === undefined) return { state: 'not-capped', held, covering: [] }
  const vocabulary = vocabularyOf(action.protocol)
  const covering = [...(model.scopes.get(resource) ?? [])]
    .filter(([, patterns]) => patterns.some((pattern) => vocabulary?.matches(pattern, action) === true))
    .map(([scope]) => scope)
    .toSorted()
  return { state: covering.some((scope) => held.includes(scope)) ? 'covered' : 'not-covered', held, covering }
}

interface Met {
  readonly resourceKnown: boolean
  readonly issuerAccepted: boolean
  readonly rules: readonly Considered[]
  readonly guardrails: readonly Considered[]
  readonly scopes: PartyExplanation['scopes']
}

function wouldHelp(question: Question, { resourceKnown, issuerAccepted, rules, guardrails, scopes }: Met): readonly string[] {
  const { model, identity, action, resource } = question
  if (!resourceKnown) return [`a resource \`${resource}\` in \`ostiary.yaml\``]
  if (!issuerAccepted)
    return [
      `a credential of issuer ${(model.world.resources[resource]?.issuers ?? []).map((name) => `\`${name}\``).join(' or ')}, which is what \`${resource}\` accepts`,
    ]
  const help: string[] = []
  for (const { id, condition, role, unmet, approval } of guardrails.filter(({ bears, effect }) => bears && effect !== 'allow'))
    help.push(
      ...unmet.map((one) => toProve(id, one)),
      ...(approval === undefined ? [] : [`guardrail \`${id}\`: ${describeApproval(approval)}`]),
      ...againstGuardrail(id, condition, role, question),
    )
  if (scopes.state === 'not-covered')
    help.push(
      scopes.covering.length === 0
        ? `a scope of \`${resource}\` that covers \`${formatAction(action)}\`; none does`
        : `a token with scope ${scopes.covering.map((scope) => `\`${scope}\``).join(' or ')}`,
    )
  if (rules.some(({ bears }) => bears)) return help
  const covering = rules.filter(({ covers }) => covers)
  if (covering.length === 0) help.push(`a rule that grants \`${formatAction(action)}\` on \`${resource}\`; there is none`)
  for (const { id, role, condition, why } of covering) {
    const rule = statementsOn(model, resource).rules.find((one) => one.id === id)!
    if (role === 'held' && condition === 'none') help.push(`rule \`${id}\`: ${why}`)
    else if (role === 'held')
      help.push(
        condition === 'error'
          ? `rule \`${id}\`: what its condition reads would have to be there: ${rule.when?.text}`
          : `rule \`${id}\`: its condition would have to be true: ${rule.when?.text}`,
      )
    else
      for (const name of rule.roles.filter((one) => one !== EVERYONE))
        help.push(...toHold(name, question, identity === undefined ? 'sign in with' : 'hold'))
  }
  return help
}

function againstGuardrail(id: string, condition: Considered['condition'], role: Considered['role'], question: Question): readonly string[] {
  const guardrail = statementsOn(question.model, question.resource).guardrails.find((one) => one.id === id)!
  const help: string[] = []
  if (condition === 'true' || condition === 'error')
    help.push(`guardrail \`${id}\`: its condition would have to be false: ${guardrail.when?.text}`)
  if (guardrail.who === 'allBut')
    help.push(...guardrail.roles.flatMap((name) => toHold(name, question, `guardrail \`${id}\`: hold exempt`)))
  else if (role === 'unknown')
    help.push(
      `guardrail \`${id}\`: it would have to be certain that ${guardrail.roles.map((name) => `\`${name}\``).join(', ')} is not held`,
    )
  else if (condition === 'none' && guardrail.denies)
    help.push(`guardrail \`${id}\` denies this to ${guardrail.roles.map((name) => `\`${name}\``).join(', ')}, whatever else is granted`)
  return help
}

function toProve(id: string, { kind, name, proof }: Requirement): string {
  const asked = describeDemand({ kind, name })
  if (kind === 'justification') return `guardrail \`${id}\`: say what it is for: ${asked}`
  if (kind === 'network') return `guardrail \`${id}\`: come from ${asked}`
  return proof === undefined
    ? `guardrail \`${id}\` requires ${asked}, which this credential can not prove`
    : `guardrail \`${id}\`: prove ${asked}: claim \`${proof.claim}\` with ${proof.values.map((value) => `\`${value}\``).join(' or ')}`
}

function toHold(name: string, question: Question, verb: string): readonly string[] {
  const { state, wouldGive, claim, because } = explainRole(name, question)
  if (state === 'unknown')
    return [
      `role \`${name}\` would have to be certain: claim \`${claim}\` can not be told now${because === undefined ? '' : ` (${because})`}`,
    ]
  return wouldGive.length === 0
    ? [`${verb} role \`${name}\`, which nothing gives`]
    : wouldGive.map((binding) => `${verb} role \`${name}\`: ${binding}`)
}
