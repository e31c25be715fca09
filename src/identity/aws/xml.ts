/** The little XML that STS answers with, and no more: elements and text, no declarations, entities of one's own, comments or CDATA. */

/** One element. `text` is undefined where it has children. */
export interface Element {
  readonly name: string
  readonly namespace: string | undefined
  readonly text: string | undefined
  readonly children: readonly Element[]
}

const MAX_DEPTH = 8
const MAX_ELEMENTS = 64
const DECLARATION = /^<\?xml version="1\.0"(?: encoding="[Uu][Tt][Ff]-8")?(?: standalone="(?:yes|no)")?\s*\?>/
const OPEN = /<([A-Za-z][A-Za-z0-9]{0,63})(?:\s+xmlns="([^"<>&]{0,256})")?\s*(\/?)>/y
const CLOSE = /<\/([A-Za-z][A-Za-z0-9]{0,63})\s*>/y
const TEXT = /[^<]*/y
const BLANK = /^[ \t\r\n]*$/
const ENTITIES: Readonly<Record<string, string>> = { '&lt;': '<', '&gt;': '>', '&quot;': '"', '&apos;': "'", '&amp;': '&' }

/** Reads a document. Undefined where it is anything else. Time is linear in its length. */
export function readXml(bytes: Uint8Array): Element | undefined {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
  const reader = new Reader(text.replace(DECLARATION, ''))
  const root = reader.blank() ? reader.element(0) : undefined
  if (root === undefined || !reader.blank() || !reader.atEnd) return undefined
  return root
}

class Reader {
  readonly #text: string
  #at = 0
  #elements = 0

  constructor(text: string) {
    this.#text = text
  }

  get atEnd(): boolean {
    return this.#at === this.#text.length
  }

  /** Passes over text; whether it was white space only. */
  blank(): boolean {
    return BLANK.test(this.#take(TEXT)![0])
  }

  element(depth: number): Element | undefined {
    const open = this.#take(OPEN)
    if (open === undefined || depth >= MAX_DEPTH || ++this.#elements > MAX_ELEMENTS) return undefined
    const [, name = '', namespace, empty] = open
    if (empty === '/') return { name, namespace, text: '', children: [] }
    const text = unescape(this.#take(TEXT)![0])
    if (text === undefined) return undefined
    const children: Element[] = []
    while (!this.#text.startsWith('</', this.#at)) {
      const child = this.element(depth + 1)
      if (child === undefined || !this.blank()) return undefined
      children.push(child)
    }
    if (this.#take(CLOSE)?.[1] !== name || (children.length > 0 && !BLANK.test(text))) return undefined
    return { name, namespace, text: children.length > 0 ? undefined : text, children }
  }

  #take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text) ?? undefined
    if (found !== undefined) this.#at = pattern.lastIndex
    return found
  }
}

/** Text with the five entities of XML; undefined where there is another, or what no text may hold. */
function unescape(text: string): string | undefined {
  // oxlint-disable-next-line no-control-regex -- XML 1.0 §2.2: of the control characters only these three are characters
  if (text.includes(']]>') || /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text)) return undefined
  if (!text.includes('&')) return text
  const known = /&(?:lt|gt|quot|apos|amp);/g
  return text.replaceAll(known, '').includes('&') ? undefined : text.replaceAll(known, (entity) => ENTITIES[entity]!)
}

/** The text of the one element at `path` below `root`; undefined where it isn't there, or not once. */
export function textAt(root: Element, ...path: readonly string[]): string | undefined {
  let at = root
  for (const name of path) {
    const found = at.children.filter((child) => child.name === name)
    if (found.length !== 1) return undefined
    at = found[0]!
  }
  return at.text
}
