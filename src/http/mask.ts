/** Masks fields of a JSON text (RFC 8259) and leaves every other byte of it as it is: numbers keep their digits, names their order. */
import { createHmac } from 'node:crypto'
import type { Mask, MaskedField } from '../core/decision.ts'
import { ANY, parseJsonPath, type PathSegment } from '../core/jsonpath.ts'

/** Levels of nesting at most; a deeper text is none that can be masked. */
const MAX_DEPTH = 128

interface Field {
  readonly segments: readonly PathSegment[]
  readonly mask: Mask
}

/** Ready to be used on any number of texts. */
export interface Masker {
  /** The text with its fields masked; undefined for what is no JSON text in UTF-8, which is to be kept back whole. */
  apply(text: Buffer): Buffer | undefined
}

const known = new WeakMap<readonly MaskedField[], { readonly key: Uint8Array; readonly masker: Masker }>()

/** @param key Of the hashes: the same value has the same hash as long as the key stays. */
export function maskerOf(fields: readonly MaskedField[], key: Uint8Array): Masker {
  const before = known.get(fields)
  if (before !== undefined && before.key === key) return before.masker
  const compiled = fields.map(({ path, mask }): Field => {
    const parsed = parseJsonPath(path)
    if ('problem' in parsed) throw new TypeError(parsed.problem)
    return { segments: parsed.segments, mask }
  })
  const masker: Masker = {
    apply(text) {
      try {
        return Buffer.from(new Text(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(text), compiled, key).masked())
      } catch {
        return undefined
      }
    },
  }
  known.set(fields, { key, masker })
  return masker
}

/** How far one path has come: its segment `at` is the next to be met. */
interface State {
  readonly field: Field
  readonly at: number
}

class NoJson extends Error {}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
// eslint-disable-next-line no-control-regex -- the very characters that a string may not hold as they are
const STRING = /"(?:[^"\\\u0000-\u001F]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*"/y
const SPACE = /[ \t\n\r]*/y

class Text {
  readonly #text: string
  readonly #fields: readonly Field[]
  readonly #key: Uint8Array
  #at = 0

  constructor(text: string, fields: readonly Field[], key: Uint8Array) {
    this.#text = text
    this.#fields = fields
    this.#key = key
  }

  masked(): string {
    const before = this.#space()
    const value = this.#value(
      this.#fields.map((field) => ({ field, at: 0 })),
      0,
    )
    const after = this.#space()
    if (this.#at !== this.#text.length) throw new NoJson()
    return before + value + after
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.#text)
    if (match === null) throw new NoJson()
    this.#at += match[0].length
    return match[0]
  }

  #space(): string {
    return this.#take(SPACE)
  }

  /** Reads one value and answers it as it goes out. */
  #value(states: readonly State[], depth: number): string {
    if (depth > MAX_DEPTH) throw new NoJson()
    switch (this.#text[this.#at]) {
      case '{':
        return this.#container('}', depth, states, true)
      case '[':
        return this.#container(']', depth, states, false)
      case '"':
        return this.#take(STRING)
      case 't':
        return this.#word('true')
      case 'f':
        return this.#word('false')
      case 'n':
        return this.#word('null')
      default:
        return this.#take(NUMBER)
    }
  }

  #word(word: string): string {
    if (!this.#text.startsWith(word, this.#at)) throw new NoJson()
    this.#at += word.length
    return word
  }

  #container(close: string, depth: number, states: readonly State[], named: boolean): string {
    const open = this.#text[this.#at++]!
    const kept: string[] = []
    const blank = this.#space()
    if (this.#text[this.#at] === close) {
      this.#at++
      return open + blank + close
    }
    for (let index = 0, lead = blank; ; index++, lead = this.#space()) {
      const member = named ? this.#take(STRING) : undefined
      let head = lead
      if (member !== undefined) {
        head += member + this.#space()
        if (this.#text[this.#at++] !== ':') throw new NoJson()
        head += `:${this.#space()}`
      }
      const { next, mask } = reach(states, member === undefined ? index : (JSON.parse(member) as string))
      const value = this.#value(mask === undefined ? next : [], depth + 1)
      const tail = this.#space()
      if (mask?.as !== 'drop') kept.push(head + (mask === undefined ? value : this.#mask(mask, value)) + tail)
      const sign = this.#text[this.#at++]
      if (sign === close) return open + kept.join(',') + close
      if (sign !== ',') throw new NoJson()
    }
  }

  #mask(mask: Exclude<Mask, { as: 'drop' }>, value: string): string {
    switch (mask.as) {
      case 'null':
        return 'null'
      case 'constant':
        return JSON.stringify(mask.value)
      case 'hash': {
        // One string may be written in several ways.
        const plain = value.startsWith('"') ? JSON.stringify(JSON.parse(value)) : value
        return `"${createHmac('sha256', this.#key).update(plain).digest('base64url').slice(0, 22)}"`
      }
      case 'partial': {
        if (/^[[{]/.test(value)) return 'null'
        const characters = Array.from(value.startsWith('"') ? (JSON.parse(value) as string) : value)
        const { first, last } = mask
        // Of a short text nothing is left that could be told from the whole.
        if (characters.length <= first + last) return '"…"'
        return JSON.stringify(`${characters.slice(0, first).join('')}…${last === 0 ? '' : characters.slice(-last).join('')}`)
      }
    }
  }
}

const STRICTEST_FIRST: readonly Mask['as'][] = ['drop', 'null', 'constant', 'hash', 'partial']

/** What a member or an element is to the paths: how far they come with it, and the strictest mask of those that end there. */
function reach(states: readonly State[], name: string | number): { readonly next: readonly State[]; readonly mask: Mask | undefined } {
  const next: State[] = []
  let mask: Mask | undefined
  for (const state of states) {
    const { field, at } = state
    const { axis, select } = field.segments[at]!
    if (axis === 'descendant') next.push(state)
    if (select !== ANY && select !== name) continue
    if (at + 1 < field.segments.length) next.push({ field, at: at + 1 })
    else if (mask === undefined || STRICTEST_FIRST.indexOf(field.mask.as) < STRICTEST_FIRST.indexOf(mask.as)) mask = field.mask
  }
  return { next, mask }
}

/** What a response has to be so that its body can be masked: JSON, whole, without a coding. */
export function isMaskable(status: number, fields: readonly string[]): boolean {
  if (status === 206) return false
  let json = false
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i]!.toLowerCase()
    const value = fields[i + 1]!.trim().toLowerCase()
    if (name === 'content-encoding' && value !== 'identity') return false
    if (name !== 'content-type') continue
    const [type, ...parameters] = value.split(';').map((part) => part.trim())
    if (!/^application\/(?:json|[a-z0-9!#$&^_.+-]+\+json)$/.test(type!)) return false
    if (parameters.some((one) => one.startsWith('charset=') && !/^charset="?utf-8"?$/.test(one))) return false
    json = true
  }
  return json
}

/** Fields of a response that speak of the body as it was. */
const OF_THE_BODY = new Set([
  'content-length',
  'content-md5',
  'content-digest',
  'repr-digest',
  'digest',
  'etag',
  'last-modified',
  'accept-ranges',
  'content-range',
  'transfer-encoding',
  'trailer',
])

/** The fields that a masked response keeps. @param bare Without those of a body that is kept back. */
export function maskedFields(fields: readonly string[], bare = false): string[] {
  const kept: string[] = []
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i]!.toLowerCase()
    if (!OF_THE_BODY.has(name) && !(bare && name.startsWith('content-'))) kept.push(fields[i]!, fields[i + 1]!)
  }
  return kept
}

/** Fields of a request that could make the answer one that can't be masked. */
const NOT_ASKED = new Set(['accept-encoding', 'range', 'if-range', 'if-none-match', 'if-modified-since'])

/** The fields of a request whose answer will be masked: no coding, the whole, and never "as you know it". */
export function askedWhole(fields: readonly string[]): string[] {
  const kept: string[] = []
  for (let i = 0; i + 1 < fields.length; i += 2) if (!NOT_ASKED.has(fields[i]!.toLowerCase())) kept.push(fields[i]!, fields[i + 1]!)
  kept.push('Accept-Encoding', 'identity')
  return kept
}
