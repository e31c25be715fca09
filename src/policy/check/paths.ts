import { diagnostic, type Diagnostic } from '../../core/errors.ts'
import { formatSpan } from '../../core/span.ts'
import type { HttpPattern } from '../actions/http/template.ts'
import { vocabularyOf } from '../actions/index.ts'
import type { Model, PlacedPattern, Rule } from '../model.ts'
import { WARNING, type ByResource } from './statements.ts'

/** Guardrails that leave open the same path with, or without, a slash at its end. */
export function slashGaps({ guardrails, world }: Model, { near }: ByResource): readonly Diagnostic[] {
  return guardrails.flatMap((guardrail) =>
    guardrail.actions.flatMap(({ pattern, span }) => {
      const other = pattern.protocol !== 'http' || pattern.segments.length === 0 || pattern.rest ? undefined : otherSlash(pattern)
      const vocabulary = vocabularyOf(pattern.protocol)
      if (other === undefined || vocabulary === undefined || guardrail.actions.some((one) => vocabulary.covers(one.pattern, other)))
        return []
      const on = guardrail.resources.filter((name) => world.resources[name]?.protocol === pattern.protocol)
      const rule = firstOf(
        on.flatMap((name) => near(name, other)),
        (one) =>
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

/** The first by its id, so that what is told doesn't depend on how resources are called. */
function firstOf(rules: readonly Rule[], fits: (rule: Rule) => boolean): Rule | undefined {
  return rules.filter(fits).toSorted((a, b) => (a.id < b.id ? -1 : 1))[0]
}

function otherSlash(pattern: HttpPattern): HttpPattern {
  const { text, segments } = pattern
  const last = segments.at(-1)
  return last?.kind === 'literal' && last.text === ''
    ? { ...pattern, text: text.slice(0, -1), segments: segments.slice(0, -1) }
    : { ...pattern, text: `${text}/`, segments: [...segments, { kind: 'literal', text: '' }] }
}

interface PlacedHttp {
  readonly id: string
  readonly pattern: HttpPattern
  readonly span: PlacedPattern['span']
}

/** Templates on one resource that differ only by case or by a slash at the end. Within one statement both are meant. */
export function lookAlikes({ rules, guardrails }: Model): readonly Diagnostic[] {
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
