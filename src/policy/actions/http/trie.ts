import type { Action } from '../../../core/action.ts'
import { ends, hashes, hashOf, scan, scanNormal, starts } from './scan.ts'
import type { ActionIndex, FlatIndex } from '../vocabulary.ts'
import { isCanonicalMethod, normalPath, STANDARD_METHODS, type HttpPattern } from './template.ts'

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

/*
 * The trie is an array of whole numbers, because what a decision looks at of a large policy is in no cache yet: each object on the way
 * would have to be fetched by itself. Tries of many resources share an array, for the same reason; places count from where one begins.
 * 0 is nothing, wherever a place is meant.
 *
 * A node: its one literal, as the place of that node below 0, or of a table of several; the node of a parameter; what stands at its end
 * and what at its `**`, by method; and the literal that leads to it: its length and its characters, four in a number.
 * A table: how many places it has but one, then for each the number of a literal's text and its node.
 * By method: what holds for every other method, how many there are, then for each its number and what stands there, counted from 1.
 */
const ROOT = 1
const LITERALS = 0
const PARAMETER = 1
const END = 2
const REST = 3
const LENGTH = 4
const TEXT = 5

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

/** Numbers of methods; those of others come after them, in each trie by itself. */
const METHODS: ReadonlyMap<string, number> = new Map(STANDARD_METHODS.map((method, i) => [method, i]))

/**
 * The patterns of one resource as a trie of path segments. Finding what covers a request costs by the length of its path
 * and the number of templates that cover it, not by the number of patterns.
 */
export class HttpIndex<T> implements ActionIndex<T> {
  readonly #words: Int32Array<ArrayBuffer>
  readonly #base: number
  readonly #end: number
  /** Methods that aren't standard. */
  readonly #methods: readonly string[]
  /** What is found, by number; undefined where numbers themselves are. */
  readonly #values: readonly T[] | undefined

  private constructor(flat: FlatIndex, values: readonly T[] | undefined) {
    this.#words = flat.words
    this.#base = flat.base
    this.#end = flat.end
    this.#methods = flat.methods
    this.#values = values
  }

  static of(flat: FlatIndex): HttpIndex<number> {
    return new HttpIndex<number>(flat, undefined)
  }

  get flat(): FlatIndex | undefined {
    return this.#values === undefined ? { words: this.#words, base: this.#base, end: this.#end, methods: this.#methods } : undefined
  }

  /** `combine` makes one value of everything that the patterns of one place and method bring. Numbers are to be whole and not negative. */
  static build<V, T>(entries: Iterable<readonly [HttpPattern, V]>, combine: (values: readonly V[]) => T): HttpIndex<T> {
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
      const place = pattern.rest ? (node.rest ??= new Brought()) : (node.end ??= new Brought())
      place.add(pattern.method, value)
      // `GET` implies `HEAD`.
      if (pattern.method === 'GET') place.add('HEAD', value)
    }
    const writer = new Writer(combine)
    writer.node(root, '')
    return new HttpIndex(place(writer.words, writer.methods), writer.values)
  }

  /** Everything that covers the request; nothing for a path that isn't canonical, and for another protocol. */
  find(action: Action): readonly T[] {
    const found: T[] = []
    if (action.protocol !== 'http') return found
    const { method } = action
    let { path } = action
    let count = scan(path)
    if (count === -1) {
      const normal = normalPath(path)
      if (normal === undefined) return found
      path = normal
      count = scanNormal(path)
    }
    this.#walk(this.#base + ROOT, 0, count, path, method, METHODS.get(method) ?? this.#numberOf(method), found)
    return found
  }

  /** Of a method that isn't standard; -1 where no pattern names it. */
  #numberOf(method: string): number {
    const known = this.#methods.indexOf(method)
    return known === -1 ? -1 : METHODS.size + known
  }

  /** Goes down from the segment at `first`. */
  #walk(from: number, first: number, count: number, path: string, method: string, number: number, found: T[]): void {
    const words = this.#words
    const base = this.#base
    let node = from
    for (let depth = first; ; depth++) {
      const rest = words[node + REST]!
      if (rest !== 0) this.#take(base + rest, method, number, found)
      const literal = this.#literal(node, depth, path)
      const under = starts[depth] === ends[depth] ? 0 : words[node + PARAMETER]!
      const parameter = under === 0 ? 0 : base + under
      if (depth === count - 1) {
        if (literal !== 0 && words[literal + END] !== 0) this.#take(base + words[literal + END]!, method, number, found)
        if (parameter !== 0 && words[parameter + END] !== 0) this.#take(base + words[parameter + END]!, method, number, found)
        return
      }
      if (literal !== 0 && parameter !== 0) this.#walk(parameter, depth + 1, count, path, method, number, found)
      node = literal === 0 ? parameter : literal
      if (node === 0) return
    }
  }

  /** The child by the literal that the segment is; 0 if there is none. */
  #literal(node: number, depth: number, path: string): number {
    const words = this.#words
    const base = this.#base
    const literals = words[node + LITERALS]!
    if (literals === 0) return 0
    if (literals < 0) return this.#is(base - literals, depth, path) ? base - literals : 0
    const table = base + literals
    const mask = words[table]!
    const hash = hashes[depth]!
    for (let i = hash & mask; ; i = (i + 1) & mask) {
      const child = words[table + 2 + 2 * i]!
      if (child === 0) return 0
      if (words[table + 1 + 2 * i] === hash && this.#is(base + child, depth, path)) return base + child
    }
  }

  /** Whether the segment is the literal that leads to the node. */
  #is(node: number, depth: number, path: string): boolean {
    const words = this.#words
    const start = starts[depth]!
    const length = words[node + LENGTH]!
    if (ends[depth]! - start !== length) return false
    for (let i = 0; i < length; i++)
      if (((words[node + TEXT + (i >> 2)]! >> ((i & 3) * 8)) & 0xff) !== path.charCodeAt(start + i)) return false
    return true
  }

  #take(at: number, method: string, number: number, found: T[]): void {
    const words = this.#words
    const count = words[at + 1]!
    for (let i = 0; i < count; i++)
      if (words[at + 2 + 2 * i] === number) {
        found.push(this.#value(words[at + 3 + 2 * i]!))
        return
      }
    const any = words[at]!
    if (any !== 0 && (METHODS.has(method) || isCanonicalMethod(method))) found.push(this.#value(any))
  }

  #value(standing: number): T {
    return this.#values === undefined ? ((standing - 1) as T) : this.#values[standing - 1]!
  }
}

/** Writes nodes into words, and lists what stands where. */
class Writer<V, T> {
  /** The first is nobody's place. */
  readonly words: number[] = [0]
  readonly methods: string[] = []
  readonly #combine: (values: readonly V[]) => T
  #values: T[] | undefined

  constructor(combine: (values: readonly V[]) => T) {
    this.#combine = combine
  }

  get values(): readonly T[] | undefined {
    return this.#values
  }

  /** Answers its place. Of a literal in normal form, every character is ASCII. */
  node({ literals, parameter, end, rest }: Building<V>, text: string): number {
    const { words } = this
    const at = words.length
    words.push(0, 0, 0, 0, text.length)
    for (let i = 0; i < text.length; i += 4) {
      let four = 0
      for (let j = 0; j < 4 && i + j < text.length; j++) four |= text.charCodeAt(i + j) << (j * 8)
      words.push(four)
    }
    words[at + END] = this.#byMethod(end)
    words[at + REST] = this.#byMethod(rest)
    if (parameter !== undefined) words[at + PARAMETER] = this.node(parameter, '')
    if (literals === undefined) return at
    if (literals.size === 1) for (const [literal, child] of literals) words[at + LITERALS] = -this.node(child, literal)
    else words[at + LITERALS] = this.#table(literals)
    return at
  }

  #table(literals: ReadonlyMap<string, Building<V>>): number {
    const { words } = this
    const at = words.length
    // At most half of it is taken, so that a text that isn't there is soon known not to be.
    const size = 2 ** Math.ceil(Math.log2(literals.size * 2))
    words.push(size - 1)
    for (let i = 0; i < size * 2; i++) words.push(0)
    for (const [literal, child] of literals) {
      const hash = hashOf(literal)
      let i = hash & (size - 1)
      while (words[at + 2 + 2 * i] !== 0) i = (i + 1) & (size - 1)
      words[at + 1 + 2 * i] = hash
      words[at + 2 + 2 * i] = this.node(child, literal)
    }
    return at
  }

  #byMethod(place: Brought<V> | undefined): number {
    if (place === undefined) return 0
    const { words } = this
    const at = words.length
    const forAny = place.of('*')
    words.push(forAny.length === 0 ? 0 : this.#stand(forAny), place.methods.length - (forAny.length === 0 ? 0 : 1))
    // What is brought to `GET` is to `HEAD` as well: mostly it stands there once for both.
    let [before, standing]: [readonly V[], number] = [[], 0]
    for (const [i, method] of place.methods.entries()) {
      if (method === '*') continue
      const own = place.values[i]!
      if (!areSame(own, before)) {
        standing = this.#stand(forAny.length === 0 ? own : [...own, ...forAny])
        before = own
      }
      words.push(this.#method(method), standing)
    }
    return at
  }

  #method(method: string): number {
    const standard = METHODS.get(method)
    if (standard !== undefined) return standard
    const known = this.methods.indexOf(method)
    return METHODS.size + (known === -1 ? this.methods.push(method) - 1 : known)
  }

  /** What stands for a value: counted from 1, either the number that it is, or its place among the others. */
  #stand(values: readonly V[]): number {
    const value = this.#combine(values)
    if (typeof value === 'number') return value + 1
    this.#values ??= []
    return this.#values.push(value)
  }
}

function areSame(some: readonly unknown[], others: readonly unknown[]): boolean {
  return some.length === others.length && some.every((one, i) => one === others[i])
}
