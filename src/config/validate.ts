import type { z } from 'zod'
import { diagnostic, type Diagnostic } from '../core/errors.ts'
import { didYouMean } from './didyoumean.ts'
import { plain, spanOf, type Located } from './document.ts'

/** Checks a located tree against a schema; every finding carries the place it speaks of. */
export function validate<T extends z.ZodType>(
  schema: T,
  root: Located,
): { readonly value: z.output<T> | undefined; readonly diagnostics: readonly Diagnostic[] } {
  let parsed: z.ZodSafeParseResult<z.output<T>>
  try {
    parsed = schema.safeParse(plain(root))
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    // Checks of how long something is ask anything that has a `length`, even where that is a map.
    const problem = 'a map has a key `length` where a text or a list belongs'
    return { value: undefined, diagnostics: [diagnostic('config/invalid', { where: 'the document', problem }, root.span)] }
  }
  if (parsed.success) return { value: parsed.data, diagnostics: [] }
  return { value: undefined, diagnostics: parsed.error.issues.flatMap((issue) => findings(issue, root, [], schema)) }
}

type Issue = z.core.$ZodIssue

/** What is written there, for the likeness of words; a map or a list is like none. */
function textAt(root: Located, path: readonly PropertyKey[]): string {
  const value = valueAt(root, path)
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''
}

function findings(issue: Issue, root: Located, prefix: readonly PropertyKey[], schema: z.ZodType): readonly Diagnostic[] {
  const path = [...prefix, ...issue.path]
  const where = path.length === 0 ? 'the document' : `\`${path.map(String).join('.')}\``
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => {
        const known = keysAt(schema, path)
        const help =
          didYouMean(key, known) ?? (known.length === 0 ? undefined : `write one of ${known.map((name) => `\`${name}\``).join(', ')}`)
        return diagnostic('config/unknown-key', { key, where }, spanOf(root, [...path, key], 'key'), { help })
      })
    case 'invalid_type':
      if (!exists(root, path)) return [missing(root, path)]
      return [diagnostic('config/wrong-type', { where, expected: TYPE_NAMES[issue.expected] ?? issue.expected }, spanOf(root, path))]
    case 'invalid_value': {
      if (!exists(root, path)) return [missing(root, path)]
      const allowed = issue.values.map(String)
      const given = textAt(root, path)
      return [
        diagnostic(
          'config/invalid',
          { where, problem: `must be ${allowed.map((value) => `\`${value}\``).join(' or ')}` },
          spanOf(root, path),
          { help: didYouMean(given, allowed) },
        ),
      ]
    }
    case 'invalid_union': {
      // Speak of the arm that came furthest: the one whose first finding lies deepest.
      const arms = issue.errors.filter((arm) => arm.length > 0).toSorted((a, b) => depth(b) - depth(a) || a.length - b.length)
      const arm = arms[0]
      if (!exists(root, path)) return [missing(root, path)]
      // No arm fits at all, and the schema says better than any of them what to write.
      if (arm === undefined || (depth(arm) === 0 && issue.message !== 'Invalid input')) {
        const named = [...issue.message.matchAll(/`([^`]+)`/g)].map(([, name]) => name!)
        const help = didYouMean(textAt(root, path), named)
        return [diagnostic('config/invalid', { where, problem: lowerFirst(issue.message) }, spanOf(root, path), { help })]
      }
      return arm.flatMap((inner) => findings(inner, root, path, schema))
    }
    default:
      return [diagnostic('config/invalid', { where, problem: lowerFirst(issue.message) }, spanOf(root, path))]
  }
}

/** What YAML calls them. */
const TYPE_NAMES: Readonly<Record<string, string | undefined>> = { array: 'list', object: 'map', record: 'map', nullable: 'null' }

function missing(root: Located, path: readonly PropertyKey[]): Diagnostic {
  const where = path.length < 2 ? 'the document' : `\`${path.slice(0, -1).map(String).join('.')}\``
  return diagnostic('config/missing', { key: String(path.at(-1)), where }, spanOf(root, path))
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}

function depth(arm: readonly Issue[]): number {
  return Math.max(...arm.map((issue) => issue.path.length + (issue.code === 'unrecognized_keys' ? 0.5 : 0)))
}

function nodeAt(root: Located, path: readonly PropertyKey[]): Located | undefined {
  let node: Located | undefined = root
  for (const step of path)
    node = node?.kind === 'map' ? node.entries.get(String(step))?.node : node?.kind === 'list' ? node.items[Number(step)] : undefined
  return node
}

function exists(root: Located, path: readonly PropertyKey[]): boolean {
  return nodeAt(root, path) !== undefined
}

function valueAt(root: Located, path: readonly PropertyKey[]): unknown {
  const node = nodeAt(root, path)
  return node === undefined ? undefined : plain(node)
}

interface Def {
  readonly type?: string
  readonly innerType?: z.ZodType
  readonly shape?: Readonly<Record<string, z.ZodType>>
  readonly valueType?: z.ZodType
  readonly element?: z.ZodType
  readonly in?: z.ZodType
  readonly options?: readonly z.ZodType[]
}

/** The keys that the schema knows at `path`, for "did you mean". */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): readonly string[] {
  let current: readonly z.ZodType[] = [schema]
  for (const step of path) current = current.flatMap((one) => childOf(one, step))
  return current.flatMap((one) => unwrapped(one).flatMap((inner) => Object.keys((inner._zod.def as Def).shape ?? {})))
}

function unwrapped(schema: z.ZodType): readonly z.ZodType[] {
  const def = schema._zod.def as Def
  if (def.innerType !== undefined) return unwrapped(def.innerType)
  if (def.in !== undefined) return unwrapped(def.in)
  if (def.options !== undefined) return def.options.flatMap(unwrapped)
  return [schema]
}

function childOf(schema: z.ZodType, step: PropertyKey): readonly z.ZodType[] {
  return unwrapped(schema).flatMap((inner) => {
    const def = inner._zod.def as Def
    const field = def.shape !== undefined && Object.hasOwn(def.shape, step) ? def.shape[String(step)] : undefined
    const child = field ?? def.valueType ?? def.element
    return child === undefined ? [] : [child]
  })
}
