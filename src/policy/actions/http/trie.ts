import type { Action } from '../../../core/action.ts'
import { Places } from '../places.ts'
import type { FlatIndex, RecordIndex } from '../vocabulary.ts'
import { COUNT, EACH, END, LENGTH, LITERALS, METHODS, OTHERS, PARAMETER, POWER, REST, ROOT, SHAPE, TEXT } from './layout.ts'
import { ends, hashes, scan, scanNormal, starts } from './scan.ts'
import { isCanonicalMethod, normalPath, type HttpPattern } from './template.ts'
import { writeTrie } from './write.ts'

const found = new Places()

/**
 * The patterns of one resource as a trie of path segments. Finding what covers a request costs by the length of its path
 * and the number of templates that cover it, not by the number of patterns.
 */
export class HttpTrie implements RecordIndex {
  readonly words: Int32Array<ArrayBuffer>
  readonly #base: number
  /** Methods that aren't standard. */
  readonly #methods: readonly string[]

  constructor({ words, base, methods }: FlatIndex) {
    this.words = words
    this.#base = base
    this.#methods = methods
  }

  /** Everything that covers the request; nothing for a path that isn't canonical, and for another protocol. */
  look(action: Action): Places {
    found.clear()
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
    this.#walk(this.#base + ROOT, 0, count, path, method, METHODS.get(method) ?? this.#numberOf(method))
    return found
  }

  /** Of a method that isn't standard; -1 where no pattern names it. */
  #numberOf(method: string): number {
    const known = this.#methods.indexOf(method)
    return known === -1 ? -1 : METHODS.size + known
  }

  /** Goes down from the segment at `first`. */
  #walk(from: number, first: number, count: number, path: string, method: string, number: number): void {
    const { words } = this
    const base = this.#base
    let node = from
    for (let depth = first; ; depth++) {
      const rest = words[node + REST]!
      if (rest !== 0) this.#take(base + rest, method, number)
      const literal = this.#literal(node, depth, path)
      const under = starts[depth] === ends[depth] ? 0 : words[node + PARAMETER]!
      const parameter = under === 0 ? 0 : base + under
      if (depth === count - 1) {
        if (literal !== 0 && words[literal + END] !== 0) this.#take(base + words[literal + END]!, method, number)
        if (parameter !== 0 && words[parameter + END] !== 0) this.#take(base + words[parameter + END]!, method, number)
        return
      }
      if (literal !== 0 && parameter !== 0) this.#walk(parameter, depth + 1, count, path, method, number)
      node = literal === 0 ? parameter : literal
      if (node === 0) return
    }
  }

  /** The child by the literal that the segment is; 0 if there is none. */
  #literal(node: number, depth: number, path: string): number {
    const { words } = this
    const base = this.#base
    const literals = words[node + LITERALS]!
    if (literals === 0) return 0
    const power = words[node + SHAPE]! >> POWER
    if (power === 0) return this.#is(base + literals, depth, path) ? base + literals : 0
    const mask = (1 << power) - 1
    const hash = hashes[depth]!
    for (let i = hash & mask; ; i = (i + 1) & mask) {
      const at = base + literals + 2 * i
      const child = words[at + 1]!
      if (child === 0) return 0
      if (words[at] === hash && this.#is(base + child, depth, path)) return base + child
    }
  }

  /** Whether the segment is the literal that leads to the node. */
  #is(node: number, depth: number, path: string): boolean {
    const { words } = this
    const start = starts[depth]!
    const length = words[node + SHAPE]! & LENGTH
    if (ends[depth]! - start !== length) return false
    for (let i = 0; i < length; i++)
      if (((words[node + TEXT + (i >> 2)]! >> ((i & 3) * 8)) & 0xff) !== path.charCodeAt(start + i)) return false
    return true
  }

  #take(at: number, method: string, number: number): void {
    const { words } = this
    const base = this.#base
    const end = at + EACH + 2 * words[at + COUNT]!
    for (let each = at + EACH; each < end; each += 2)
      if (words[each] === number) {
        found.add(base + words[each + 1]!)
        return
      }
    const others = words[at + OTHERS]!
    if (others !== 0 && (METHODS.has(method) || isCanonicalMethod(method))) found.add(base + others)
  }
}

/** The same where what is found is anything: records are its numbers. */
export class HttpIndex<T> {
  readonly #trie: HttpTrie
  readonly #values: readonly T[]

  private constructor(trie: HttpTrie, values: readonly T[]) {
    this.#trie = trie
    this.#values = values
  }

  /** `combine` makes one value of everything that the patterns of one place and method bring. */
  static build<V, T>(entries: Iterable<readonly [HttpPattern, V]>, combine: (values: readonly V[]) => T): HttpIndex<T> {
    const values: T[] = []
    const trie = new HttpTrie(writeTrie(entries, (all: readonly V[]) => [values.push(combine(all)) - 1]))
    return new HttpIndex(trie, values)
  }

  find(action: Action): readonly T[] {
    const { words } = this.#trie
    const places = this.#trie.look(action)
    return Array.from({ length: places.count }, (_, i) => this.#values[words[places.at(i)]!]!)
  }
}
