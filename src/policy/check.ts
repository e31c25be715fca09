import { diagnostic, type Diagnostic } from '../core/errors.ts'
import { formatSpan } from '../core/span.ts'
import type { CompiledPolicy } from './compiled.ts'
import type { HttpPattern } from './actions/http/template.ts'
import { vocabularyOf } from './actions/index.ts'
import { AUTHENTICATED, EVERYONE, type Model, type PlacedPattern } from './model.ts'
import { canBeHeld, shadowOf } from './shadow.ts'

const WARNING = { severity: 'warning' } as const

/** What is allowed but probably not meant, as warnings. Each has its place. */
export function checkPolicy({ model }: CompiledPolicy, now: number): readonly Diagnostic[] {
  return [...roles(model, now), ...selectors(model), ...shadows(model), ...slashGaps(model), ...wildcards(model), ...lookAlikes(model)]
}

function roles({ roles: declared, rules, guardrails }: Model, now: number): readonly Diagnostic[] {
  const used = new Set([...rules, ...guardrails].flatMap((statement) => statement.roles))
  // A role that brings a used one is of use.
  const via = new Set([...used].flatMap((name) => declared.get(name)?.bindings.map((binding) => binding.via) ?? []))
  return [...declared.values()].flatMap((role) => [
    ...role.bindings
      .filter(({ until, via }) => until !== undefined && until <= now && via === undefined)
      .map(({ until, span }) =>
        diagnostic('policy/break-glass-expired', { role: role.name, until: new Date(until!).toISOString() }, span, WARNING),
      ),
    ...(canBeHeld(role, now) ? [] : [diagnostic('policy/role-nobody', { role: role.name }, role.span, WARNING)]),
    ...(used.has(role.name) || via.has(role.name) ? [] : [diagnostic('policy/role-unused', { role: role.name }, role.span, WARNING)]),
  ])
}

function selectors({ rules, guardrails }: Model): readonly Diagnostic[] {
  return [...rules, ...guardrails]
    .filter(({ resources }) => resources.length === 0)
    .map(({ kind, id, resourceSpan }) => diagnostic('policy/selector-empty', { where: `${kind} \`${id}\`` }, resourceSpan, WARNING))
}

function shadows(model: Model): readonly Diagnostic[] {
  if (model.guardrails.length === 0) return []
  return model.rules.flatMap((rule) => {
    const by = rule.resources.map((resource) => shadowOf(rule, resource, model))
    const first = by[0]
    // Somewhere it does grant.
    if (first === undefined || by.includes(undefined)) return []
    return [diagnostic('policy/rule-shadowed', { rule: rule.id, guardrail: first.id }, rule.span, WARNING)]
  })
}

/** Guardrails that leave open the same path with, or without, a slash at its end. */
function slashGaps({ rules, guardrails, world }: Model): readonly Diagnostic[] {
  return guardrails.flatMap((guardrail) =>
    guardrail.actions.flatMap(({ pattern, span }) => {
      const other = pattern.protocol !== 'http' || pattern.segments.length === 0 || pattern.rest ? undefined : otherSlash(pattern)
      const vocabulary = vocabularyOf(pattern.protocol)
      if (other === undefined || vocabulary === undefined || guardrail.actions.some((one) => vocabulary.covers(one.pattern, other)))
        return []
      const rule = rules.find(
        (one) =>
          one.resources.some((name) => guardrail.resources.includes(name) && world.resources[name]?.protocol === pattern.protocol) &&
          one.actions.some((action) => vocabulary.overlaps(action.pattern, other)) &&
          // A rule for the other alone was written on purpose.
          one.actions.some((action) => vocabulary.overlaps(action.pattern, pattern)),
      )
      if (rule === undefined) return []
      return [
        diagnostic('policy/slash-gap', { guardrail: guardrail.id, text: pattern.text, other: other.text, rule: rule.id }, span, WARNING),
      ]
    }),
  )
}

function otherSlash(pattern: HttpPattern): HttpPattern {
  const { text, segments } = pattern
  const last = segments.at(-1)
  return last?.kind === 'literal' && last.text === ''
    ? { ...pattern, text: text.slice(0, -1), segments: segments.slice(0, -1) }
    : { ...pattern, text: `${text}/`, segments: [...segments, { kind: 'literal', text: '' }] }
}

function wildcards({ rules }: Model): readonly Diagnostic[] {
  return rules.flatMap((rule) => {
    const role = [EVERYONE, AUTHENTICATED].find((one) => rule.roles.includes(one))
    const all = rule.actions.find(({ pattern }) => vocabularyOf(pattern.protocol)?.isAll(pattern) === true)
    if (role === undefined || all === undefined) return []
    return [diagnostic('policy/wildcard-grant', { rule: rule.id, resource: rule.resources.join(', '), role }, all.span, WARNING)]
  })
}

interface PlacedHttp {
  readonly id: string
  readonly pattern: HttpPattern
  readonly span: PlacedPattern['span']
}

/** Templates on one resource that differ only by case or by a slash at the end. Within one statement both are meant. */
function lookAlikes({ rules, guardrails }: Model): readonly Diagnostic[] {
  const found = new Map<string, Diagnostic>()
  const groups = new Map<string, Map<string, PlacedHttp>>()
  for (const { id, resources, actions } of [...rules, ...guardrails])
    for (const resource of resources)
      for (const action of actions) {
        const { pattern } = action
        if (pattern.protocol !== 'http') continue
        const path = pathOf(pattern)
        const key = `${resource}\n${path.toLowerCase().replace(/\/$/, '')}`
        const group = groups.get(key) ?? new Map<string, PlacedHttp>()
        groups.set(key, group)
        const other = [...group].find(([written, one]) => written !== path && one.id !== id)?.[1]
        const place = formatSpan(action.span)
        if (other !== undefined && !group.has(path) && !found.has(place)) {
          const difference = pathOf(other.pattern).toLowerCase() === path.toLowerCase() ? 'case' : 'the slash at the end'
          const details = { text: action.pattern.text, other: other.pattern.text, difference, place: formatSpan(other.span) }
          found.set(place, diagnostic('policy/look-alike', details, action.span, WARNING))
        }
        if (!group.has(path)) group.set(path, { pattern, span: action.span, id })
      }
  return [...found.values()]
}

/** The template with its parameters nameless. */
function pathOf({ segments, rest }: HttpPattern): string {
  return `/${[...segments.map((segment) => (segment.kind === 'literal' ? segment.text : '{}')), ...(rest ? ['**'] : [])].join('/')}`
}
