import type { FlatIndex } from '../vocabulary.ts'
import { COUNT, EACH, END, LITERALS, METHODS, OTHERS, PARAMETER, POWER, REST, ROOT, SHAPE, TEXT } from './layout.ts'
import { hashOf } from './scan.ts'
import type { HttpPattern } from './template.ts'

/** What is brought to one place, by method: few of them, so that looking through them is quickest. */
class Brought<V> {
  readonly methods: string[] = []
  /** Side by side with the methods. */
  readonly values: V[][] = []

  add(method: string, value: V): void {
    const at = this.methods.indexOf(method)
    if (at !== -1) this.values[at]!.push(value)
    else {
      this.methods.push(method)
      this.values.push([value])
    }
  }

  /** None where nothing is. */
  of(method: string): readonly V[] {
    const at = this.methods.indexOf(method)
    return at === -1 ? [] : this.values[at]!
  }
}

/** A node while patterns are brought. Most have one child and nothing of the rest, and a large policy has very many. */
class Building<V> {
  literals: Map<string, Building<V>> | undefined
  parameter: Building<V> | undefined
  end: Brought<V> | undefined
  rest: Brought<V> | undefined
}

/** Numbers of an array that tries share. One that is larger has an array of its own. */
const SHARED = 65_536
let shared: Int32Array<ArrayBuffer> = new Int32Array(0)
let taken = 0

/** Puts a trie where there is room. */
function place(words: readonly number[], methods: readonly string[]): FlatIndex {
  if (taken + words.length > shared.length) {
    shared = new Int32Array(Math.max(SHARED, words.length))
    taken = 0
  }
  const base = taken
  shared.set(words, base)
  taken += words.length
  return { words: shared, base, end: taken, methods }
}

/** @param record Whole numbers that stand for everything that the patterns of one place and method bring. */
export function writeTrie<V>(entries: Iterable<readonly [HttpPattern, V]>, record: (values: readonly V[]) => readonly number[]): FlatIndex {
  const root = new Building<V>()
  for (const [pattern, value] of entries) {
    let node = root
    for (const segment of pattern.segments) {
      if (segment.kind === 'parameter') node = node.parameter ??= new Building()
      else {
        node.literals ??= new Map()
        let child = node.literals.get(segment.text)
        if (child === undefined) node.literals.set(segment.text, (child = new Building()))
        node = child
      }
    }
    const there = pattern.rest ? (node.rest ??= new Brought()) : (node.end ??= new Brought())
    there.add(pattern.method, value)
    // `GET` implies `HEAD`.
    if (pattern.method === 'GET') there.add('HEAD', value)
  }
  const writer = new Writer(record)
  writer.node(root, '')
  return place(writer.words, writer.methods)
}

/** Writes nodes into words, and lists what stands where. */
class Writer<V> {
  /** Those before the first node are nobody's place. */
  readonly words: number[] = Array.from({ length: ROOT }, () => 0)
  readonly methods: string[] = []
  readonly #record: (values: readonly V[]) => readonly number[]

  constructor(record: (values: readonly V[]) => readonly number[]) {
    this.#record = record
  }

  /** Answers its place. Of a literal in normal form, every character is ASCII. */
  node({ literals, parameter, end, rest }: Building<V>, text: string): number {
    const { words } = this
    const at = words.length
    for (let i = 0; i < TEXT; i++) words.push(0)
    words[at + SHAPE] = text.length
    for (let i = 0; i < text.length; i += 4) {
      let four = 0
      for (let j = 0; j < 4 && i + j < text.length; j++) four |= text.charCodeAt(i + j) << (j * 8)
      words.push(four)
    }
    if (end !== undefined) words[at + END] = this.#byMethod(end)
    if (rest !== undefined) words[at + REST] = this.#byMethod(rest)
    if (parameter !== undefined) words[at + PARAMETER] = this.node(parameter, '')
    if (literals === undefined) return at
    if (literals.size === 1) for (const [literal, child] of literals) words[at + LITERALS] = this.node(child, literal)
    else this.#table(at, literals)
    return at
  }

  #table(node: number, literals: ReadonlyMap<string, Building<V>>): void {
    const { words } = this
    const at = words.length
    // At most three quarters of it are taken, so that a text that isn't there is soon known not to be.
    const power = Math.ceil(Math.log2((literals.size * 4) / 3))
    words[node + SHAPE]! |= power << POWER
    words[node + LITERALS] = at
    const mask = 2 ** power - 1
    for (let i = 0; i <= mask; i++) words.push(0, 0)
    for (const [literal, child] of literals) {
      const hash = hashOf(literal)
      let i = hash & mask
      while (words[at + 2 * i + 1] !== 0) i = (i + 1) & mask
      words[at + 2 * i] = hash
      words[at + 2 * i + 1] = this.node(child, literal)
    }
  }

  #byMethod(place: Brought<V>): number {
    const { words } = this
    const at = words.length
    const forAny = place.of('*')
    const named = place.methods.filter((method) => method !== '*')
    for (let i = 0; i < EACH + 2 * named.length; i++) words.push(0)
    words[at + COUNT] = named.length
    // What is brought to `GET` is to `HEAD` as well: mostly it stands there once for both.
    let [before, standing]: [readonly V[], number] = [[], 0]
    for (const [i, method] of named.entries()) {
      const own = place.of(method)
      if (!areSame(own, before)) {
        standing = this.#stand([...own, ...forAny])
        before = own
      }
      words[at + EACH + 2 * i] = this.#method(method)
      words[at + EACH + 2 * i + 1] = standing
    }
    if (forAny.length > 0) words[at + OTHERS] = this.#stand(forAny)
    return at
  }

  #method(method: string): number {
    const standard = METHODS.get(method)
    if (standard !== undefined) return standard
    const known = this.methods.indexOf(method)
    return METHODS.size + (known === -1 ? this.methods.push(method) - 1 : known)
  }

  /** Answers the place of the record. */
  #stand(values: readonly V[]): number {
    const at = this.words.length
    for (const word of this.#record(values)) this.words.push(word)
    return at
  }
}

function areSame(some: readonly unknown[], others: readonly unknown[]): boolean {
  return some.length === others.length && some.every((one, i) => one === others[i])
}
