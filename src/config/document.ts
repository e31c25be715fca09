import { isAlias, isMap, isScalar, isSeq, parseDocument, type Node } from 'yaml'
import { diagnostic, type Diagnostic } from '../core/errors.ts'
import type { Span } from '../core/span.ts'

/** YAML with the place of every node kept, so that an overlay can be merged in and each finding still points at its own file. */
export type Located =
  | { readonly kind: 'scalar'; readonly span: Span; readonly value: string | number | boolean | null }
  | { readonly kind: 'list'; readonly span: Span; readonly items: readonly Located[] }
  | { readonly kind: 'map'; readonly span: Span; readonly entries: ReadonlyMap<string, Entry> }

export interface Entry {
  readonly keySpan: Span
  readonly node: Located
}

export interface ReadDocument {
  /** Undefined where the text is not one well-formed document. */
  readonly root: Located | undefined
  readonly diagnostics: readonly Diagnostic[]
}

/** Larger files are refused before they are parsed, in UTF-16 code units. */
export const MAX_TEXT = 16 * 1024 * 1024
const MAX_DEPTH = 64
/** One slip can make a cascade of findings; the first ones tell it. */
const MAX_FINDINGS = 20

/**
 * Reads one YAML 1.2 document (so `no` is a string), strictly: duplicate keys, tags, directives, several documents, keys
 * that aren't strings and numbers that can't be held exactly are findings. Anchors and aliases are refused, because what is
 * merged by reference can't be reviewed where it is used. Never throws; time and memory are linear in the text.
 */
export function readDocument(file: string, text: string): ReadDocument {
  const whole: Span = { file, line: 1, column: 1, endLine: 1, endColumn: 1 }
  if (text.length > MAX_TEXT) return { root: undefined, diagnostics: [diagnostic('config/too-large', { file, limit: MAX_TEXT }, whole)] }
  const spanAt = spansOf(file, text)
  const diagnostics: Diagnostic[] = []
  const problem = (what: string, span: Span): void => void diagnostics.push(diagnostic('config/yaml', { problem: what }, span))
  const failed = (): ReadDocument => ({ root: undefined, diagnostics: diagnostics.slice(0, MAX_FINDINGS) })
  let document: ReturnType<typeof parseDocument>
  try {
    document = parseDocument(text, {
      // The library compares each key with every other; they are compared below.
      uniqueKeys: false,
      version: '1.2',
      merge: false,
      stringKeys: true,
      prettyErrors: false,
      // Not `silent`, which would leave out whatever comes after the first document without a word.
      logLevel: 'error',
    })
  } catch {
    problem(TOO_DEEP, whole)
    return failed()
  }
  for (const { message, code, pos } of [...document.errors, ...document.warnings]) {
    const first = lowerFirst(message.split('\n')[0] ?? code)
    const told = code === 'MULTIPLE_DOCS' ? 'a file holds one document, without `---` or `...` after it' : first
    problem(first.startsWith('maximum call stack') ? TOO_DEEP : told, spanAt(pos[0], pos[1]))
  }
  const { yaml, tags } = document.directives ?? {}
  if (yaml?.explicit === true || Object.keys(tags ?? {}).length > 1) problem('directives (`%`) are not allowed', whole)
  if (diagnostics.length > 0) return failed()

  const scalar = (value: unknown, span: Span): Located => {
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return { kind: 'scalar', span, value }
    if (typeof value === 'number' && Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value)))
      return { kind: 'scalar', span, value }
    problem(
      typeof value === 'number' ? 'this number can not be held exactly; in quotes it is text' : 'this kind of value is not supported',
      span,
    )
    return { kind: 'scalar', span, value: null }
  }
  const locate = (node: unknown, fallback: Span, depth: number): Located => {
    const span = rangeSpan(node, spanAt) ?? fallback
    if (depth > MAX_DEPTH) {
      problem(TOO_DEEP, span)
      return { kind: 'scalar', span, value: null }
    }
    plainNode(node, span)
    if (isMap(node)) {
      const entries = new Map<string, Entry>()
      for (const pair of node.items) {
        const keySpan = rangeSpan(pair.key, spanAt) ?? span
        const key = isScalar(pair.key) ? pair.key.value : undefined
        plainNode(pair.key, keySpan)
        if (typeof key !== 'string') problem('a key must be a plain string', keySpan)
        else if (key === '__proto__') problem('a key can not be `__proto__`', keySpan)
        else if (entries.has(key)) problem(`the key \`${key}\` is there twice`, keySpan)
        else entries.set(key, { keySpan, node: locate(pair.value, keySpan, depth + 1) })
      }
      return { kind: 'map', span, entries }
    }
    if (isSeq(node)) return { kind: 'list', span, items: node.items.map((item) => locate(item, span, depth + 1)) }
    if (isAlias(node)) {
      diagnostics.push(diagnostic('config/alias', { name: node.source }, span))
      return { kind: 'scalar', span, value: null }
    }
    return scalar(isScalar(node) ? node.value : null, span)
  }
  /** What a node is must be seen where it stands: no tag that changes it, no anchor that reuses it. */
  const plainNode = (node: unknown, span: Span): void => {
    const { tag, anchor } = (node ?? {}) as { tag?: string; anchor?: string }
    if (anchor !== undefined) diagnostics.push(diagnostic('config/alias', { name: anchor }, span))
    if (tag !== undefined) problem('tags (`!`) are not allowed', span)
  }
  const root = document.contents === null ? undefined : locate(document.contents, whole, 0)
  if (root === undefined) diagnostics.push(diagnostic('config/empty', { file }, whole))
  return diagnostics.length > 0 ? failed() : { root, diagnostics }
}

const TOO_DEEP = `nested deeper than ${MAX_DEPTH} levels`

/** Places by offset. The library's own counter loses lines where it recovers from an error. */
function spansOf(file: string, text: string): (from: number, to: number) => Span {
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  const position = (offset: number): { line: number; column: number } => {
    let [low, high] = [0, starts.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (starts[middle]! <= offset) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: offset - starts[low]! + 1 }
  }
  return (from, to) => {
    const start = position(Math.min(from, text.length))
    const end = position(Math.min(Math.max(from, to), text.length))
    return { file, line: start.line, column: start.column, endLine: end.line, endColumn: end.column }
  }
}

function rangeSpan(node: unknown, spanAt: (from: number, to: number) => Span): Span | undefined {
  const range = (node as Node | null | undefined)?.range
  return range === null || range === undefined ? undefined : spanAt(range[0], range[1])
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}

/** The plain value of a located tree. Maps have no prototype. */
export function plain(node: Located): unknown {
  switch (node.kind) {
    case 'scalar':
      return node.value
    case 'list':
      return node.items.map(plain)
    case 'map': {
      const object: Record<string, unknown> = Object.create(null)
      for (const [key, entry] of node.entries) object[key] = plain(entry.node)
      return object
    }
  }
}

/** Lays `over` on `base`: maps merge by key, everything else replaces. */
export function overlay(base: Located, over: Located): Located {
  if (base.kind !== 'map' || over.kind !== 'map') return over
  const entries = new Map(base.entries)
  for (const [key, entry] of over.entries) {
    const below = entries.get(key)
    entries.set(key, below === undefined ? entry : { keySpan: entry.keySpan, node: overlay(below.node, entry.node) })
  }
  return { kind: 'map', span: base.span, entries }
}

/** The place of `path` in the tree; where the path leads nowhere, the place of its deepest part that exists. */
export function spanOf(root: Located, path: readonly PropertyKey[], want: 'value' | 'key' = 'value'): Span {
  let node = root
  let span = root.span
  for (const step of path) {
    const entry = node.kind === 'map' ? node.entries.get(String(step)) : undefined
    const next = entry?.node ?? (node.kind === 'list' ? node.items[Number(step)] : undefined)
    if (next === undefined) return span
    span = want === 'key' && entry !== undefined ? entry.keySpan : next.span
    node = next
  }
  return span
}
