import type { Located } from '../../config/document.ts'
import type { FileKind } from './folder.ts'
import type { Lines, Range } from './lines.ts'

/** Kinds of LSP's symbols. */
const SYMBOL = { namespace: 3, class: 5, method: 6, interface: 11, function: 12, variable: 13, object: 19 } as const
const MAX_SYMBOLS = 20_000

export interface DocumentSymbol {
  readonly name: string
  readonly kind: number
  readonly range: Range
  readonly selectionRange: Range
  readonly children: readonly DocumentSymbol[]
}

/** Parts of a file that have members with names, and what these are. */
const PARTS: Readonly<Record<FileKind, Readonly<Record<string, number>>>> = {
  wiring: { issuers: SYMBOL.interface, resources: SYMBOL.object, doors: SYMBOL.function },
  environment: { issuers: SYMBOL.interface, resources: SYMBOL.object, doors: SYMBOL.function, bindings: SYMBOL.class },
  policy: { teams: SYMBOL.interface, roles: SYMBOL.class, rules: SYMBOL.function, guardrails: SYMBOL.method },
  test: { tests: SYMBOL.function },
}

/** What a file declares, part by part. */
export function outlineOf(kind: FileKind, root: Located | undefined, lines: Lines): readonly DocumentSymbol[] {
  if (root?.kind !== 'map') return []
  let left = MAX_SYMBOLS
  return [...root.entries].flatMap(([part, { keySpan, node }]) => {
    const member = Object.hasOwn(PARTS[kind], part) ? PARTS[kind][part] : undefined
    if (member === undefined) return []
    const children = membersOf(node, member, lines, left)
    left -= children.length
    const key = lines.rangeOfSpan(keySpan)
    return [{ name: part, kind: SYMBOL.namespace, range: { start: key.start, end: end(lines, node) }, selectionRange: key, children }]
  })
}

function membersOf(node: Located, kind: number, lines: Lines, most: number): readonly DocumentSymbol[] {
  if (node.kind === 'map')
    return [...node.entries].slice(0, most).map(([name, { keySpan, node: value }]) => {
      const key = lines.rangeOfSpan(keySpan)
      return { name, kind, range: { start: key.start, end: end(lines, value, key) }, selectionRange: key, children: [] }
    })
  if (node.kind !== 'list') return []
  return node.items.slice(0, most).flatMap((item) => {
    const named = item.kind === 'map' ? (item.entries.get('id') ?? item.entries.get('name'))?.node : undefined
    if (named?.kind !== 'scalar' || named.value === null || named.value === '') return []
    const range = lines.rangeOfSpan(item.span)
    return [{ name: String(named.value), kind, range, selectionRange: lines.rangeOfSpan(named.span), children: [] }]
  })
}

/** The end of a value; of one that isn't there, of its key. */
function end(lines: Lines, node: Located, key?: Range): Range['end'] {
  const range = lines.rangeOfSpan(node.span)
  return key !== undefined && range.end.line === key.start.line && range.end.character < key.end.character ? key.end : range.end
}
