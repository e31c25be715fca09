/** Statements as text that is the same for the same meaning. */
import type { ActionPattern } from '../actions/index.ts'
import type { Guardrail, Rule } from '../model.ts'
import type { Condition } from '../when/condition.ts'
import type { World } from '../world.ts'
import { takeApart, writtenCondition, type Tree } from './condition.ts'
import type { RoleDefinition } from './roles.ts'

/** Parts of a statement that have a form of their own in the text, or decide nothing. */
const APART = new Set(['id', 'description', 'resources', 'actions', 'when', 'roles', 'span', 'resourceSpan'])

interface Written {
  readonly text: string
  /** Its condition looks at the request. */
  readonly looks: boolean
}

const conditions = new WeakMap<Condition, { readonly looks: boolean; readonly texts: Map<string, string> }>()
const rests = new WeakMap<object, string>()

/** What a statement means where one of its patterns covers an action: whom, what, under which condition. */
export function statementText(
  statement: Rule | Guardrail,
  pattern: ActionPattern,
  roles: ReadonlyMap<string, RoleDefinition>,
  { issuers }: World,
): Written {
  const asked = statement.kind === 'rule' ? (statement.peer ?? []) : []
  const who = [statement.roles, asked].map((names) => names.map((role) => `${role}=${roles.get(role)?.id ?? ''}`))
  const { when } = statement
  let rest = rests.get(statement)
  // Everything else, also what is not known here: other words there are another meaning.
  if (rest === undefined)
    rests.set(statement, (rest = encoded(Object.fromEntries(Object.entries(statement).filter(([key]) => !APART.has(key))))))
  if (when === undefined) return { text: JSON.stringify([who, rest]), looks: false }
  const { looks, text } = conditionText(when, pattern)
  const declared = [...when.claims.keys()].map((claim) =>
    Object.keys(issuers)
      .toSorted()
      .map((issuer) => (Object.hasOwn(issuers[issuer]!.claims, claim) ? `${issuer} ${issuers[issuer]!.claims[claim]!.type}` : '')),
  )
  return { text: JSON.stringify([who, rest, text, declared]), looks }
}

function conditionText(when: Condition, pattern: ActionPattern): Written {
  let known = conditions.get(when)
  if (known === undefined) conditions.set(when, (known = { looks: looksAtRequest(takeApart(when.text)), texts: new Map() }))
  // Where a parameter stands says what it is, not what it is called.
  const places = pattern.protocol === 'http' ? pattern.segments.map((one) => (one.kind === 'parameter' ? one.name : '')).join('/') : ''
  const place = when.usesParameters ? places : ''
  let text = known.texts.get(place)
  if (text === undefined) {
    const names = places.split('/')
    const written = writtenCondition(when.text, ({ root, name }) =>
      root === 'params' ? `segment ${names.indexOf(name) + 1}` : `${root}.${name}`,
    )
    text = JSON.stringify([written, [...when.claims]])
    known.texts.set(place, text)
  }
  return { text, looks: known.looks }
}

function looksAtRequest(tree: Tree | undefined): boolean {
  switch (tree?.kind) {
    case undefined:
      return true
    case 'and':
    case 'or':
      return tree.parts.some(looksAtRequest)
    case 'not':
      return looksAtRequest(tree.part)
    case 'if':
      return [tree.condition, tree.yes, tree.no].some(looksAtRequest)
    case 'part':
      return tree.part.reads.some(({ root }) => root === 'params' || root === 'request')
  }
}

/** What a version says of a resource itself. Labels only select. */
export function resourceText({ issuers, resources }: World, name: string): string {
  const resource = Object.hasOwn(resources, name) ? resources[name] : undefined
  if (resource === undefined) return ''
  const { labels: _, operations: __, scopes, ...rest } = resource
  // Principals of an issuer that is gone are gone; the scopes' actions are compared as patterns.
  return encoded({ ...rest, scoped: scopes !== undefined, known: Object.keys(issuers).toSorted() })
}

/** Data as text, maps and sets in the order of what is in them. */
function encoded(value: unknown): string {
  if (value instanceof Map)
    return `{${[...value]
      .map(([key, one]) => `${encoded(key)}:${encoded(one)}`)
      .toSorted()
      .join()}}`
  if (value instanceof Set) return `(${[...value].map(encoded).toSorted().join()})`
  if (Array.isArray(value)) return `[${value.map(encoded).join()}]`
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value)
      .filter(([key, one]) => one !== undefined && key !== 'span')
      .map(([key, one]) => `${JSON.stringify(key)}:${encoded(one)}`)
      .toSorted()
      .join()}}`
  // What a function does is said by the data beside it.
  return typeof value === 'function' ? 'function' : (JSON.stringify(value) ?? 'nothing')
}

/** A pattern without the names of its parameters. */
export function plainPattern(pattern: ActionPattern): string {
  if (pattern.protocol !== 'http') return `${pattern.protocol} ${pattern.text}`
  const { method, segments, rest } = pattern
  return `${method} ${segments.map((one) => (one.kind === 'literal' ? `/${one.text}` : '{}')).join('')}${rest ? '**' : ''}`
}
