/**
 * The action vocabulary of MCP: `tools/list,prompts/list`, `tools/call search_*`, `prompts/get review-*`,
 * `resources/read file:///srv/docs/**`.
 *
 * In a rule, `*` leaves out what is `GUARDED` and methods that nobody knows; in a guardrail it leaves out nothing.
 */
import type { McpAction } from '../../../core/action.ts'
import { glob, matchesGlob, MAX_STARS, type Glob } from '../sets/glob.ts'
import { matchesPath, pathSet, type PathSet } from '../sets/path.ts'
import { readGlob } from '../sets/read.ts'
import type { Side } from '../sets/values.ts'
import { everyBut, hasWord, some, type Words } from '../sets/words.ts'
import { asciiProblem, isProblem, wordList } from '../text.ts'
import type { Parsed, PatternBase, Problem } from '../vocabulary.ts'
import { isCanonical, isUri } from './canonical.ts'
import { GUARDED, METHODS, NAME, OF_PROMPTS, OF_TOOLS, OF_URIS, WITH_NAME } from './known.ts'

export interface McpPattern extends PatternBase {
  readonly protocol: 'mcp'
  readonly side: Side
  readonly methods: Words
  readonly name: Name
}

export type Name =
  | { readonly kind: 'any' }
  | { readonly kind: 'glob'; readonly glob: Glob }
  /** A URI, by its segments. */
  | { readonly kind: 'uri'; readonly path: PathSet }

const FORM = 'write for example `tools/call search_*`, `tools/list` or `resources/read file:///srv/docs/**`'

/** Reads one pattern. */
export function parsePattern(text: string, side: Side): Parsed<McpPattern> {
  const problem = asciiProblem(text)
  if (problem !== undefined) return problem
  const [methods = '', name, ...more] = text.split(' ')
  if (more.length > 0) return { problem: 'it is a method and a name', help: FORM }
  const base = { protocol: 'mcp', text, parameters: [], side } as const
  if (methods === '*') {
    if (name !== undefined) return { problem: '`*` has no name behind it', help: FORM }
    const all = side === 'takes' ? everyBut() : some(METHODS.filter((one) => !GUARDED.includes(one)))
    return { pattern: { ...base, methods: all, name: { kind: 'any' } } }
  }
  const known = wordList(methods, 'methods', METHODS)
  if (isProblem(known)) return known
  const unnamed = known.find((one) => !WITH_NAME.has(one))
  const named = known.find((one) => WITH_NAME.has(one))
  if (unnamed !== undefined && name !== undefined) return { problem: `\`${unnamed}\` has no name`, help: `write \`${unnamed}\` alone` }
  if (unnamed !== undefined && named !== undefined)
    return { problem: `\`${named}\` needs a name, and \`${unnamed}\` has none`, help: 'write an action for each' }
  if (name === undefined && named !== undefined)
    return { problem: `\`${named}\` says not which`, help: `write \`${named} name\`, or \`${named} *\` for all` }
  const read = name === undefined ? ({ kind: 'any' } as const) : readName(known, name)
  return isProblem(read) ? read : { pattern: { ...base, methods: some(known), name: read } }
}

function readName(methods: readonly string[], text: string): Name | Problem {
  if ([OF_TOOLS, OF_PROMPTS, OF_URIS].every((kind) => !methods.every((one) => kind.includes(one))))
    return { problem: 'its methods have names of different kinds', help: 'write an action for each' }
  if (text === '*' || (text === '**' && OF_URIS.includes(methods[0]!))) return { kind: 'glob', glob: glob('*') }
  if (!OF_URIS.includes(methods[0]!)) {
    const read = readGlob(text, NAME, 'name')
    return isProblem(read) ? read : { kind: 'glob', glob: read }
  }
  const path = pathSet(text)
  if (typeof path === 'string') return { problem: path, help: 'write for example `file:///srv/docs/**`' }
  if (path.segments.some(({ pieces }) => pieces.length - 1 > MAX_STARS)) return { problem: `a segment has more than ${MAX_STARS} stars` }
  if (!isUri(text.replace(/\/\*\*$/, '/x').replaceAll('*', 'x')))
    return {
      problem: `\`${text}\` is not a URI`,
      help: 'write for example `file:///srv/docs/**`, in lower case up to the path, with no `..` and no encoded slash',
    }
  return { kind: 'uri', path }
}

/** The plain definition, which the index must agree with. */
export function matchesPattern(pattern: McpPattern, action: McpAction): boolean {
  return isCanonical(action) && meetsCanonical(pattern, action)
}

/** Whether it meets an action that is canonical. */
export function meetsCanonical({ methods, name }: McpPattern, action: McpAction): boolean {
  if (!hasWord(methods, action.method)) return false
  switch (name.kind) {
    case 'any':
      return true
    case 'glob':
      return action.name !== '' && matchesGlob(name.glob, action.name)
    case 'uri':
      return matchesPath(name.path, action.name)
  }
}
