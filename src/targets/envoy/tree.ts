/**
 * Many statements of one resource, told apart by how paths begin: a request is compared with those alone that can cover it. The beginnings
 * are a tree of which Envoy takes the longest that fits, and each has all that meets what is left to it.
 */
import type { HttpPattern } from '../../policy/actions/http/template.ts'
import type { NativeGuardrail, NativeResource, NativeRule } from '../../policy/native/native.ts'

export interface TreeLimits {
  /** Up to so many rules and guardrails stand in one list. */
  readonly listUpTo: number
  /** A leaf of the tree has so many patterns at most, wherever paths can be told apart. */
  readonly leafUpTo: number
}

export const TREE_LIMITS: TreeLimits = { listUpTo: 64, leafUpTo: 16 }

/** What may be asked of requests whose path begins so, and with no longer beginning of another leaf. */
export interface Leaf {
  readonly prefix: string
  readonly native: NativeResource
}

interface Part {
  readonly prefix: string
  readonly patterns: readonly HttpPattern[]
}

/** Patterns that belong to several leaves may multiply what is sent by so much. */
const MAX_GROWTH = 8
/** More beginnings than this within one another are not told apart. */
const MAX_DEPTH = 64

/** Leaves for a resource; undefined where one list is as good. */
export function leavesOf(native: NativeResource, { listUpTo, leafUpTo }: TreeLimits = TREE_LIMITS): readonly Leaf[] | undefined {
  const { rules, guardrails, scopes } = native
  if (rules.length + guardrails.length <= listUpTo) return undefined
  const patterns = [...rules, ...guardrails].flatMap((one) => one.patterns)
  // What caps by scopes stands in every leaf.
  const always = (scopes?.scopes ?? []).reduce((sum, one) => sum + one.patterns.length, 0)
  for (let most = leafUpTo; most < patterns.length; most *= 2) {
    const parts = split({ prefix: '/', patterns }, most, 0)
    if (parts.length < 2) return undefined
    const sum = parts.reduce((total, part) => total + part.patterns.length + always, 0)
    if (sum > MAX_GROWTH * (patterns.length + always)) continue
    return parts.map((part) => ({ prefix: part.prefix, native: within(native, part) }))
  }
  return undefined
}

function split({ prefix, patterns }: Part, most: number, depth: number): readonly Part[] {
  if (patterns.length <= most || depth === MAX_DEPTH) return [{ prefix, patterns }]
  const groups = new Map<string, { heads: string[]; patterns: HttpPattern[] }>()
  for (const pattern of patterns) {
    const head = headOf(pattern, prefix)
    // It may go on in any way.
    if (head.length <= prefix.length) continue
    const next = head[prefix.length]!
    let group = groups.get(next)
    if (group === undefined) groups.set(next, (group = { heads: [], patterns: [] }))
    group.heads.push(head)
    group.patterns.push(pattern)
  }
  let left = patterns.length
  const apart = new Set<HttpPattern>()
  const below: Part[] = []
  for (const group of [...groups.values()].toSorted((one, other) => other.heads.length - one.heads.length)) {
    if (left <= most) break
    const head = commonHead(group.heads)
    const inside = patterns.filter((pattern) => meets(pattern, head))
    // What meets several leaves is in each of them: no leaf is made mostly of that.
    if (inside.length > 4 * group.heads.length) continue
    below.push(...split({ prefix: head, patterns: inside }, most, depth + 1))
    for (const pattern of group.patterns) apart.add(pattern)
    left -= group.heads.length
  }
  return [{ prefix, patterns: patterns.filter((pattern) => !apart.has(pattern)) }, ...below]
}

/** The resource with the patterns of that part alone, in the order that they had. */
function within(native: NativeResource, { patterns }: Part): NativeResource {
  const kept = new Set(patterns)
  const narrowed = <T extends NativeRule | NativeGuardrail>(all: readonly T[]): readonly T[] =>
    all.flatMap((one) => {
      const own = one.patterns.filter((pattern) => kept.has(pattern))
      return own.length === 0 ? [] : [{ ...one, patterns: own }]
    })
  return { ...native, rules: narrowed(native.rules), guardrails: narrowed(native.guardrails) }
}

function commonHead(heads: readonly string[]): string {
  let [common] = heads as readonly [string]
  for (const head of heads) while (!head.startsWith(common)) common = common.slice(0, -1)
  return common
}

/** Characters that stand for themselves in every spelling that is let in. */
const PLAIN = /^[A-Za-z0-9._~/:@-]*/

/** What all paths begin with that begin with the prefix and that the pattern, which meets it, covers. */
function headOf({ segments, rest }: HttpPattern, prefix: string): string {
  const begun = prefix.slice(1).split('/').length - 1
  if (segments[begun]?.kind !== 'literal') return prefix
  let head = prefix.slice(0, prefix.lastIndexOf('/'))
  for (const segment of segments.slice(begun)) {
    if (segment.kind === 'parameter') return plain(`${head}/`)
    head += `/${segment.text}`
  }
  return plain(rest ? `${head}/` : head)
}

function plain(text: string): string {
  return PLAIN.exec(text)![0]
}

/** Whether some path that the pattern covers begins so. */
function meets({ segments, rest }: HttpPattern, prefix: string): boolean {
  const pieces = prefix.slice(1).split('/')
  for (const [index, piece] of pieces.entries()) {
    const segment = segments[index]
    if (segment === undefined) return rest
    const isOpen = index === pieces.length - 1
    if (segment.kind === 'parameter') {
      if (piece === '' && !isOpen) return false
    } else if (isOpen ? !segment.text.startsWith(piece) : segment.text !== piece) return false
  }
  return true
}
