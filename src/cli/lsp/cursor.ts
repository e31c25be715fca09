import { isMap, isScalar, isSeq, parseDocument, type Scalar } from 'yaml'
import type { Path, Step } from './names.ts'

/** What a cursor stands in, in a document that may be half written. */
export interface Cursor {
  /** Where it stands; for a key, with that key as the last step. */
  readonly path: Path
  readonly at: 'key' | 'value'
  /** What is written there before the cursor. */
  readonly prefix: string
  /** All that is written there. */
  readonly whole: string
  /** Offsets of what is written there, on the line of the cursor and without quotes. */
  readonly from: number
  readonly to: number
  /** Nothing but white space and dashes stands before it on its line. */
  readonly first: boolean
  /** It stands in quotes. */
  readonly quoted: boolean
  /** Plain values of the maps that it stands in, the innermost first. */
  readonly around: readonly Readonly<Record<string, unknown>>[]
}

/** Longer texts are not looked at on every key. */
const MAX_TEXT = 2 * 1024 * 1024
/** A private-use character that stands for the cursor while the text is read. */
const MARK = '\uE000'
const MAX_DEPTH = 64

/** Finds the place of an offset. The parser makes what it can of a text that isn't right. */
export function cursorAt(text: string, offset: number): Cursor | undefined {
  if (text.length > MAX_TEXT || text.includes(MARK)) return undefined
  const found = whole(text, offset)
  if (found === undefined) return undefined
  const { node, path, at, maps } = found
  const value = String(node.value)
  const prefix = value.slice(0, value.indexOf(MARK))
  // What goes before the cursor on its own line, and the rest of the word after it.
  const line = text.slice(text.lastIndexOf('\n', offset - 1) + 1, offset)
  const shown = prefix.slice(Math.max(0, prefix.length - line.trimStart().length)).trimStart()
  const rest = /^[^\s,\]}{['"#:]*/.exec(text.slice(offset, offset + 256))![0]
  return {
    path,
    at,
    prefix,
    whole: value.replace(MARK, ''),
    from: offset - shown.length,
    to: offset + rest.length,
    first: /^[\s-]*$/.test(line.slice(0, line.length - shown.length)),
    quoted: node.type === 'QUOTE_SINGLE' || node.type === 'QUOTE_DOUBLE',
    around: maps.toReversed().map((one) => plainOf(one, 0) as Record<string, unknown>),
  }
}

/** The scalar at the cursor, in the text as it stands, or else in what stands before the cursor. */
function whole(text: string, offset: number): Found | undefined {
  const before = `${text.slice(0, offset)}${MARK}`
  for (const marked of [before + openQuote(text, offset) + text.slice(offset), before]) {
    try {
      const options = { uniqueKeys: false, merge: false, prettyErrors: false, logLevel: 'silent' } as const
      const found = find(parseDocument(marked, options).contents, [], [])
      if (found !== undefined) return found
    } catch {
      // Nested too deeply for the parser.
    }
  }
  return undefined
}

/** The quote that is missing where one was opened on this line and not closed: it would take in what follows. */
function openQuote(text: string, offset: number): string {
  const start = text.lastIndexOf('\n', offset - 1) + 1
  const end = text.indexOf('\n', offset)
  const line = text.slice(start, end === -1 ? text.length : end)
  let open = ''
  for (let i = 0; i < line.length; i++) {
    const char = line[i]!
    if (open !== '') open = char === open ? '' : open
    else if ((char === '"' || char === "'") && /(^|[\s[{,:-])$/.test(line.slice(0, i))) open = char
  }
  return open
}

interface Found {
  readonly node: Scalar
  readonly path: Path
  readonly at: 'key' | 'value'
  readonly maps: readonly unknown[]
}

function find(node: unknown, path: readonly Step[], maps: readonly unknown[]): Found | undefined {
  if (path.length > MAX_DEPTH) return undefined
  if (isScalar(node)) return isMarked(node) ? { node, path, at: 'value', maps } : undefined
  if (isSeq(node)) {
    for (const [i, item] of node.items.entries()) {
      const found = find(item, [...path, i], maps)
      if (found !== undefined) return found
    }
    return undefined
  }
  if (!isMap(node)) return undefined
  for (const { key, value } of node.items) {
    const inside = [...maps, node]
    if (isScalar(key) && isMarked(key)) return { node: key, path: [...path, String(key.value).replace(MARK, '')], at: 'key', maps: inside }
    const found = find(value, [...path, isScalar(key) ? String(key.value) : ''], inside)
    if (found !== undefined) return found
  }
  return undefined
}

function isMarked({ value }: { readonly value: unknown }): boolean {
  return typeof value === 'string' && value.includes(MARK)
}

/** Names of properties and their plain values; only as deep as anybody asks. */
function plainOf(node: unknown, depth: number): unknown {
  if (isScalar(node)) return typeof node.value === 'string' ? node.value.replace(MARK, '') : node.value
  if (depth > 3) return undefined
  if (isSeq(node)) return node.items.slice(0, 1000).map((item) => plainOf(item, depth + 1))
  if (!isMap(node)) return undefined
  const object = Object.create(null) as Record<string, unknown>
  for (const { key, value } of node.items.slice(0, 1000))
    if (isScalar(key) && !isMarked(key)) object[String(key.value)] = plainOf(value, depth + 1)
  return object
}
