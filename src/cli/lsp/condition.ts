import { scopeOf } from '../../policy/conditions.ts'
import { EVERYONE, type PlacedPattern } from '../../policy/model.ts'
import { vocabularyOf } from '../../policy/actions/index.ts'
import { CONTEXT, type Scope } from '../../policy/when/check.ts'
import { FUNCTIONS } from '../../policy/when/functions.ts'
import { showType } from '../../policy/when/types.ts'
import { writtenResources } from './actions.ts'
import { ITEM, type Asked, type Proposal } from './proposal.ts'

const ROOTS: Readonly<Record<string, string>> = {
  claims: 'claims of the caller',
  context: 'time and address',
  request: 'what is asked for',
  params: 'values of `{name}` in the actions',
}

/** Names inside a `when:`, and what of the name under the cursor is written. */
export function completeCondition(asked: Asked): { readonly proposals: readonly Proposal[]; readonly prefix: string } {
  const { prefix } = asked.cursor
  const [, root, begun = ''] = /\b(claims|context|request|params)\.(\w*)$/.exec(prefix) ?? []
  if (root !== undefined) return { proposals: members(root, scope(asked)), prefix: begun }
  const [word] = /\w*$/.exec(prefix)!
  // Behind the dot of something else there are methods.
  const isMethod = prefix.slice(0, prefix.length - word.length).endsWith('.')
  const functions = Object.entries(FUNCTIONS)
    .filter(([, overloads]) => overloads.some(({ receiver }) => (receiver !== undefined) === isMethod))
    .map(([label]) => ({ label, kind: ITEM.function, text: `${label}(` }))
  if (isMethod) return { proposals: functions, prefix: word }
  const roots = Object.entries(ROOTS).map(([label, detail]) => ({ label, kind: ITEM.module, detail, text: `${label}.` }))
  return { proposals: [...roots, ...functions], prefix: word }
}

function members(root: string, { claims, parameters, request }: Scope): readonly Proposal[] {
  switch (root) {
    case 'claims':
      return [...claims].map(([label, type]) => ({ label, kind: ITEM.field, detail: type === 'conflict' ? 'of different types' : type }))
    case 'params':
      return [...parameters].map((label) => ({ label, kind: ITEM.field, detail: 'string' }))
    default:
      return [...(root === 'context' ? CONTEXT : request)].map(([label, type]) => ({ label, kind: ITEM.field, detail: showType(type) }))
  }
}

/** What the condition that is written may speak of, by the rule around it as far as it is written. */
function scope(asked: Asked): Scope {
  const { policy, world } = asked.project.analysis
  if (world === undefined) return { claims: new Map(), parameters: new Set(), request: new Map() }
  const [statement = {}] = asked.cursor.around
  const listed = (value: unknown): readonly string[] =>
    (Array.isArray(value) ? value : [value]).filter((one): one is string => typeof one === 'string')
  const roles = policy?.model.roles ?? new Map()
  const named = [...listed(statement['role']), ...listed(statement['for'])].filter((name) => roles.has(name))
  const resources = writtenResources(asked)
  const texts = [...listed(statement['actions']), ...listed(statement['deny'])]
  const protocol = world.resources[resources[0] ?? '']?.protocol ?? 'http'
  const nowhere = { file: '', line: 1, column: 1, endLine: 1, endColumn: 1 }
  const actions: readonly PlacedPattern[] = texts.flatMap((text) => {
    const pattern = vocabularyOf(protocol)?.parse(text, 'grants').pattern
    return pattern === undefined ? [] : [{ pattern, span: nowhere }]
  })
  return scopeOf({ roles: named.length === 0 ? [EVERYONE] : named, resources, actions }, { world, roles })
}
