/** Requests of the search endpoints of OpenID AuthZEN's Authorization API 1.0 (§8), and their answers. */
import { z } from 'zod'
import { readDocument } from '../config/document.ts'
import { validate } from '../config/validate.ts'
import type { Action } from '../core/action.ts'
import type { DecisionContext } from '../core/decision.ts'
import type { Diagnostic } from '../core/errors.ts'
import type { Identity } from '../core/principal.ts'
import { TooManyCells } from './actions/cells.ts'
import { httpCells } from './actions/http/cells.ts'
import { readAction } from './actions/index.ts'
import type { HttpPattern } from './actions/http/template.ts'
import type { CompiledPolicy } from './compiled.ts'
import { action, context, mayProceed, QuestionReader, resource, subject, type ReadParts } from './evaluation.ts'
import { statementsOn } from './statements.ts'

const page = z.strictObject({ token: z.string().max(64).optional(), limit: z.int().min(1).max(1_000).optional() }).optional()
/** What is searched for has a type and no name. */
const searches = {
  subject: z.strictObject({ subject: subject.pick({ type: true }), action, resource, context: context.optional(), page }),
  resource: z.strictObject({ subject, action, resource: resource.pick({ type: true }), context: context.optional(), page }),
  action: z.strictObject({ subject, resource, context: context.optional(), page }),
} as const

/** Results of one page, unless fewer are asked for. */
const PAGE = 1_000

interface Common {
  readonly context: DecisionContext
  /** Kinds of obligations that the caller carries out. */
  readonly understood: readonly string[]
  readonly page: { readonly from: number; readonly limit: number }
}

export type Search = Common &
  (
    | {
        readonly what: 'subject'
        readonly kind: Identity['kind'] | 'anonymous'
        readonly type: string
        readonly action: Action
        readonly resource: string
      }
    | {
        readonly what: 'resource'
        readonly identity: Identity | undefined
        readonly type: string
        /** The same words are an action of each resource, or of none. */
        readonly action: z.output<typeof action>
      }
    | { readonly what: 'action'; readonly identity: Identity | undefined; readonly resource: string }
  )

/** Reads a search. All of it is right, or nothing is answered. */
export function readSearch(text: string, what: Search['what'], parts: ReadParts): Search | readonly Diagnostic[] {
  const { root, diagnostics } = readDocument('request', text)
  if (root === undefined || diagnostics.length > 0) return diagnostics
  const found: Diagnostic[] = []
  const reader = new QuestionReader(root, parts, found, (part) => [part])
  const common = (at: z.output<typeof context> | undefined, asked: z.output<typeof page>): Common | undefined => {
    const from = asked?.token === undefined || asked.token === '' ? 0 : Number(asked.token)
    if (!Number.isSafeInteger(from) || from < 0 || (asked?.token ?? '').length > 9)
      return reader.wrong('`page.token` is none of this search', 'page')
    const read = reader.context(at)
    return read === undefined
      ? undefined
      : { context: read, understood: at?.obligations ?? [], page: { from, limit: asked?.limit ?? PAGE } }
  }
  const search = ((): Search | undefined => {
    switch (what) {
      case 'subject': {
        const { value, diagnostics: wrong } = validate(searches.subject, root)
        if (value === undefined) return void found.push(...wrong)
        const protocol = reader.resource(value.resource)
        const asked = protocol === undefined ? undefined : reader.action(value.action, protocol)
        const kind = reader.kind(value.subject.type)
        const rest = common(value.context, value.page)
        if (asked === undefined || kind === undefined || rest === undefined) return undefined
        return { what, ...rest, kind, type: value.subject.type, action: asked, resource: value.resource.id }
      }
      case 'resource': {
        const { value, diagnostics: wrong } = validate(searches.resource, root)
        if (value === undefined) return void found.push(...wrong)
        const who = reader.subject(value.subject)
        const rest = common(value.context, value.page)
        if (reader.action(value.action, value.resource.type) === undefined || who === undefined || rest === undefined) return undefined
        return { what, ...rest, ...who, type: value.resource.type, action: value.action }
      }
      case 'action': {
        const { value, diagnostics: wrong } = validate(searches.action, root)
        if (value === undefined) return void found.push(...wrong)
        const who = reader.resource(value.resource) === undefined ? undefined : reader.subject(value.subject)
        const rest = common(value.context, value.page)
        return who === undefined || rest === undefined ? undefined : { what, ...rest, ...who, resource: value.resource.id }
      }
    }
  })()
  return search === undefined || found.length > 0 ? found : search
}

/** What was found: all of it, or why some of it may be missing. */
export interface Found<T> {
  readonly results: readonly T[]
  readonly incomplete: string | undefined
}

/** Resources of a type on which somebody may do it. */
export function searchResources(
  policy: CompiledPolicy,
  search: Extract<Search, { what: 'resource' }>,
): Found<{ readonly type: string; readonly id: string }> {
  const principal = search.identity === undefined ? policy.anonymous : policy.bind(search.identity)
  const results = policy.resources
    .filter(({ protocol }) => protocol === search.type)
    .filter(({ name, protocol }) => {
      const asked = readAction(search.action.name, protocol, search.action.properties)
      return !('problem' in asked) && mayProceed(policy.decide(principal, asked, name, search.context), search.understood)
    })
    .map(({ name, protocol }) => ({ type: protocol, id: name }))
  return { results, incomplete: undefined }
}

/** Cells of a resource that are looked at, at most. */
const MAX_CELLS = 5_000

/**
 * Actions that somebody may do on a resource. For http they are sets, as templates; what depends on more than the template is left out,
 * and so are actions of other protocols but those that the policy names one by one.
 */
export function searchActions(
  policy: CompiledPolicy,
  { identity, resource: on, context: at, understood }: Extract<Search, { what: 'action' }>,
): Found<{ readonly name: string }> {
  const principal = identity === undefined ? policy.anonymous : policy.bind(identity)
  const may = (asked: Action): boolean => mayProceed(policy.decide(principal, asked, on, at), understood)
  const here = statementsOn(policy.model, on)
  const statements = [...here.rules, ...here.guardrails]
  const placed = statements.flatMap((statement) => statement.actions.map(({ pattern }) => ({ pattern, statement })))
  const { protocol } = policy.resources.find(({ name }) => name === on)!
  if (protocol !== 'http') {
    const named = new Map<string, Action>()
    for (const { pattern, statement } of placed) {
      const asked = statement.kind === 'rule' ? readAction(pattern.text, protocol) : undefined
      if (asked !== undefined && !('problem' in asked)) named.set(pattern.text, asked)
    }
    const results = [...named].filter(([, asked]) => may(asked)).map(([name]) => ({ name }))
    return { results: results.toSorted(byName), incomplete: `of ${protocol}, only actions that the policy names one by one` }
  }
  const scopes = [...(policy.model.scopes.get(on)?.values() ?? [])].flat()
  const patterns = [...placed.map(({ pattern }) => pattern), ...scopes] as readonly HttpPattern[]
  const results: { readonly name: string }[] = []
  let conditional = false
  try {
    const wants = (number: number): boolean => placed[number]?.statement.kind === 'rule'
    for (const cell of httpCells(patterns, { named: () => undefined, wants, most: MAX_CELLS })) {
      const decided = cell.covering.flatMap((number) => placed[number]?.statement ?? [])
      const asked = cell.action(new Map())
      if (asked === undefined || !decided.some(({ kind }) => kind === 'rule')) continue
      // A condition may look at what the template leaves open.
      if (decided.some(({ when }) => when !== undefined && (when.usesParameters || when.text.includes('request')))) conditional = true
      else if (may(asked)) results.push({ name: cell.text })
    }
  } catch (error) {
    if (!(error instanceof TooManyCells)) throw error
    return { results: [], incomplete: 'the templates of this resource overlap in more ways than are looked at' }
  }
  return {
    results: results.toSorted(byName),
    incomplete: conditional ? 'what depends on a parameter or on the request itself is left out' : undefined,
  }
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
}
