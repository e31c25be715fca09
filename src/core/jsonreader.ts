/** A JSON value whose objects have no prototype, so that `constructor` is nobody's claim. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject
export interface JsonObject {
  readonly [name: string]: JsonValue
}

/** Deeper nesting is refused. */
export const MAX_DEPTH = 16

/** Reads a text of JSON character by character; undefined for what is refused. */
export function readByCharacter(text: string): JsonValue | undefined {
  try {
    return new Reader(text).whole()
  } catch (error) {
    if (error instanceof NotJson) return undefined
    throw error
  }
}

class NotJson extends Error {}

/** What takes a string more than a look: escapes, and control characters, which are refused. */
const NOT_PLAIN = /[\u0000-\u001f\\]/

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  whole(): JsonValue {
    const value = this.#value(0)
    this.#space()
    if (this.#at !== this.#text.length) throw new NotJson()
    return value
  }

  #value(depth: number): JsonValue {
    if (depth > MAX_DEPTH) throw new NotJson()
    this.#space()
    const code = this.#text.charCodeAt(this.#at)
    if (code === 0x7b) return this.#object(depth)
    if (code === 0x5b) return this.#array(depth)
    if (code === 0x22) return this.#string()
    if (code === 0x2d || isDigit(code)) return this.#number()
    if (this.#word('true')) return true
    if (this.#word('false')) return false
    if (this.#word('null')) return null
    throw new NotJson()
  }

  #object(depth: number): JsonObject {
    const members = Object.create(null) as Record<string, JsonValue>
    this.#at++
    this.#space()
    if (this.#take(0x7d)) return members
    for (;;) {
      this.#space()
      if (this.#text.charCodeAt(this.#at) !== 0x22) throw new NotJson()
      const name = this.#string()
      if (name in members) throw new NotJson()
      this.#space()
      if (!this.#take(0x3a)) throw new NotJson()
      members[name] = this.#value(depth + 1)
      this.#space()
      if (this.#take(0x2c)) continue
      if (this.#take(0x7d)) return members
      throw new NotJson()
    }
  }

  #array(depth: number): readonly JsonValue[] {
    const items: JsonValue[] = []
    this.#at++
    this.#space()
    if (this.#take(0x5d)) return items
    for (;;) {
      items.push(this.#value(depth + 1))
      this.#space()
      if (this.#take(0x2c)) continue
      if (this.#take(0x5d)) return items
      throw new NotJson()
    }
  }

  #string(): string {
    const start = this.#at
    const end = this.#text.indexOf('"', start + 1)
    if (end < 0) throw new NotJson()
    const plain = this.#text.slice(start + 1, end)
    if (!NOT_PLAIN.test(plain)) {
      this.#at = end + 1
      return plain
    }
    this.#escaped()
    let value: unknown
    try {
      // Bounded by the quotes found above: the engine's parser judges the escapes.
      value = JSON.parse(this.#text.slice(start, this.#at))
    } catch {
      throw new NotJson()
    }
    if (typeof value !== 'string' || !value.isWellFormed()) throw new NotJson()
    return value
  }

  /** To the end of a string that may have escapes in it. */
  #escaped(): void {
    this.#at++
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      if (Number.isNaN(code) || code < 0x20) throw new NotJson()
      this.#at++
      if (code === 0x22) return
      if (code === 0x5c) this.#at++
    }
  }

  #number(): number {
    const start = this.#at
    this.#take(0x2d)
    if (!this.#take(0x30)) this.#digits()
    if (this.#take(0x2e)) this.#digits()
    if (this.#take(0x65) || this.#take(0x45)) {
      if (!this.#take(0x2b)) this.#take(0x2d)
      this.#digits()
    }
    const value = Number(this.#text.slice(start, this.#at))
    if (!Number.isFinite(value)) throw new NotJson()
    return value
  }

  #digits(): void {
    const start = this.#at
    while (isDigit(this.#text.charCodeAt(this.#at))) this.#at++
    if (this.#at === start) throw new NotJson()
  }

  #word(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false
    this.#at += word.length
    return true
  }

  #take(code: number): boolean {
    if (this.#text.charCodeAt(this.#at) !== code) return false
    this.#at++
    return true
  }

  #space(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      if (code !== 0x20 && code !== 0x09 && code !== 0x0a && code !== 0x0d) return
      this.#at++
    }
  }
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39
}
