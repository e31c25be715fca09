import { diagnostic, type Diagnostic } from '../../core/errors.ts'
import { formatSpan } from '../../core/span.ts'
import { vocabularyOf, type AnyVocabulary } from '../actions/index.ts'
import { AUTHENTICATED, BUILT_IN_ROLES, EVERYONE, type Guardrail, type Model, type Rule } from '../model.ts'
import { shadowAmong } from '../shadow.ts'
import { WARNING, type ByResource } from './statements.ts'

/** Statements that select nothing. */
export function selectors({ rules, guardrails }: Model): readonly Diagnostic[] {
  return [...rules, ...guardrails]
    .filter(({ resources }) => resources.length === 0)
    .map(({ kind, id, resourceSpan }) => diagnostic('policy/selector-empty', { where: `${kind} \`${id}\`` }, resourceSpan, WARNING))
}

/** Rules of which a guardrail takes everything away. */
export function shadows(model: Model, { guardrails }: ByResource): readonly Diagnostic[] {
  if (model.guardrails.length === 0) return []
  const covering = new Map(
    [...guardrails].map(([resource, all]) => [resource, coveringIn(all.filter(mayShadow), protocolOf(model, resource))]),
  )
  return model.rules.flatMap((rule) => {
    const by = rule.resources.map((resource) => {
      const candidates = covering.get(resource)?.(rule) ?? []
      return candidates.length === 0 ? undefined : shadowAmong(candidates, rule, resource, model.world)
    })
    const first = by[0]
    // Somewhere it does grant.
    if (first === undefined || by.includes(undefined)) return []
    return [diagnostic('policy/rule-shadowed', { rule: rule.id, guardrail: first.id }, rule.span, WARNING)]
  })
}

/** Rules for roles that only principals of issuers hold which none of its resources accepts. */
export function strangers({ rules, roles, world }: Model): readonly Diagnostic[] {
  return rules.flatMap((rule) => {
    if (rule.resources.length === 0 || rule.roles.some((name) => BUILT_IN_ROLES.includes(name))) return []
    const issuers = new Set(rule.roles.flatMap((name) => roles.get(name)?.bindings.map(({ issuer }) => issuer) ?? []))
    const accepted = rule.resources.map((name) => world.resources[name]?.issuers)
    if (issuers.size === 0 || accepted.some((one) => one === undefined || one.some((issuer) => issuers.has(issuer)))) return []
    const resource = rule.resources.join(', ')
    return [
      diagnostic('policy/rule-strangers', { rule: rule.id, resource, issuers: [...issuers].toSorted().join(', ') }, rule.span, WARNING),
    ]
  })
}

/** Statements that each rule is compared with at most; more are not looked at, so that time stays bounded. */
const MAX_COMPARED = 256

/** Rules of which another, without condition, grants everything to the same roles or more. */
export function redundant(model: Model, { rules }: ByResource): readonly Diagnostic[] {
  const wider = new Map([...rules].map(([resource, all]) => [resource, coveringIn(all.filter(isPlain), protocolOf(model, resource))]))
  return model.rules.flatMap((rule) => {
    const [first, ...others] = rule.resources
    if (first === undefined) return []
    const vocabulary = vocabularyOf(protocolOf(model, first))
    const candidates = wider.get(first)?.(rule) ?? []
    const by = candidates.find(
      (one) =>
        one !== rule &&
        others.every((name) => one.resources.includes(name)) &&
        reaches(one, rule) &&
        vocabulary !== undefined &&
        coversAll(one, rule, vocabulary) &&
        // Of two that say the same, the second is told.
        (one.id < rule.id || rule.when !== undefined || !isEqual(one, rule, vocabulary)),
    )
    if (by === undefined) return []
    return [diagnostic('policy/rule-redundant', { rule: rule.id, other: by.id, place: formatSpan(by.span) }, rule.span, WARNING)]
  })
}

function isPlain({ when, peer }: Rule): boolean {
  return when === undefined && peer === undefined
}

function protocolOf({ world }: Model, resource: string): string {
  return world.resources[resource]?.protocol ?? 'http'
}

/** Whoever `rule` can grant to, `other` grants to as well. */
function reaches(other: Rule, rule: Rule): boolean {
  return rule.roles.every(
    (role) => other.roles.includes(EVERYONE) || other.roles.includes(role) || (role !== EVERYONE && other.roles.includes(AUTHENTICATED)),
  )
}

function coversAll(other: Rule, rule: Rule, vocabulary: AnyVocabulary): boolean {
  return rule.actions.every(({ pattern }) => other.actions.some((one) => vocabulary.covers(one.pattern, pattern)))
}

function isEqual(one: Rule, other: Rule, vocabulary: AnyVocabulary): boolean {
  return one.peer === undefined && other.peer === undefined && reaches(other, one) && coversAll(other, one, vocabulary)
}

/** What denies without condition, now. */
function mayShadow({ who, when, denies, observedUntil }: Guardrail): boolean {
  return who === 'for' && when === undefined && denies && observedUntil === undefined
}

/**
 * For each rule, statements that may cover its first action: for http, those that cover one request of it, found by index;
 * otherwise the first ones.
 */
function coveringIn<T extends Rule | Guardrail>(statements: readonly T[], protocol: string): (rule: Rule) => readonly T[] {
  const vocabulary = vocabularyOf(protocol)
  if (protocol !== 'http' || vocabulary === undefined) return () => statements.slice(0, MAX_COMPARED)
  const index = vocabulary.index(
    statements.flatMap((one) => one.actions.map(({ pattern }) => [pattern, one] as const)),
    (found) => found.slice(0, MAX_COMPARED),
  )
  return (rule) => {
    const witness = witnessOf(rule)
    return witness === undefined ? [] : [...new Set(index.find(witness).flat())].slice(0, MAX_COMPARED)
  }
}

/** A request that the rule's first action covers and that no other means in particular. */
function witnessOf({ actions }: Rule) {
  const pattern = actions[0]?.pattern
  if (pattern?.protocol !== 'http') return undefined
  const segments = pattern.segments.map((segment) => (segment.kind === 'literal' ? segment.text : '~any~'))
  const path = `/${[...segments, ...(pattern.rest ? ['~any~', '~any~'] : [])].join('/')}`
  return { protocol: 'http', method: pattern.method === '*' ? 'X-ANY' : pattern.method, path } as const
}
