import { isCanonicalMethod, normalPath, type HttpPattern } from './template.ts'

interface Building<V> {
  readonly literals: Map<string, Building<V>>
  parameter: Building<V> | undefined
  readonly end: Map<string, V[]>
  readonly rest: Map<string, V[]>
}

/** A segment of the templates. Few fields and short lists: what a decision looks at of a large policy is in no cache yet. */
interface Node<T> {
  /** The literal where there is just one, and what follows it. */
  readonly onlyText: string | undefined
  readonly only: Node<T> | undefined
  /** Where there are several. */
  readonly literals: ReadonlyMap<string, Node<T>> | undefined
  readonly parameter: Node<T> | undefined
  readonly end: Methods<T> | undefined
  readonly rest: Methods<T> | undefined
}

/** What stands at one place of the trie, by method: a list, since there are few. `places` already include what holds for any method. */
interface Methods<T> {
  readonly names: readonly string[]
  readonly places: readonly Place<T>[]
  readonly any: Place<T> | undefined
}

/** What the patterns of one place bring. Made of them when it is first looked for: most places of a large policy never are. */
class Place<T> {
  #value: T | undefined
  #make: (() => T) | undefined

  constructor(make: () => T) {
    this.#make = make
  }

  get value(): T {
    if (this.#make !== undefined) {
      this.#value = this.#make()
      this.#make = undefined
    }
    return this.#value as T
  }
}

function building<V>(): Building<V> {
  return { literals: new Map(), parameter: undefined, end: new Map(), rest: new Map() }
}

/**
 * The patterns of one resource as a trie of path segments. Finding what covers a request costs by the length of its path
 * and the number of templates that cover it, not by the number of patterns.
 */
export class HttpIndex<T> {
  readonly #root: Node<T>

  private constructor(root: Node<T>) {
    this.#root = root
  }

  /** `combine` makes one value of everything that the patterns of one place and method bring. */
  static build<V, T>(entries: Iterable<readonly [HttpPattern, V]>, combine: (values: readonly V[]) => T): HttpIndex<T> {
    const root = building<V>()
    for (const [pattern, value] of entries) {
      let node = root
      for (const segment of pattern.segments) {
        if (segment.kind === 'parameter') node = node.parameter ??= building()
        else {
          let child = node.literals.get(segment.text)
          if (child === undefined) node.literals.set(segment.text, (child = building()))
          node = child
        }
      }
      const place = pattern.rest ? node.rest : node.end
      // `GET` implies `HEAD`.
      for (const method of pattern.method === 'GET' ? ['GET', 'HEAD'] : [pattern.method]) {
        const values = place.get(method)
        if (values === undefined) place.set(method, [value])
        else values.push(value)
      }
    }
    return new HttpIndex(frozen(root, combine))
  }

  /** Everything that covers the request; nothing for a path that isn't canonical. */
  find(method: string, path: string): readonly T[] {
    const normal = normalPath(path)
    const found: T[] = []
    if (normal !== undefined) walk(this.#root, method, normal, 1, found)
    return found
  }
}

function frozen<V, T>(node: Building<V>, combine: (values: readonly V[]) => T): Node<T> {
  const literals = new Map([...node.literals].map(([text, child]) => [text, frozen(child, combine)]))
  const [only] = literals.size === 1 ? literals : []
  return {
    onlyText: only?.[0],
    only: only?.[1],
    literals: literals.size > 1 ? literals : undefined,
    parameter: node.parameter === undefined ? undefined : frozen(node.parameter, combine),
    end: methods(node.end, combine),
    rest: methods(node.rest, combine),
  }
}

function methods<V, T>(place: ReadonlyMap<string, readonly V[]>, combine: (values: readonly V[]) => T): Methods<T> | undefined {
  if (place.size === 0) return undefined
  const any = place.get('*') ?? []
  const named = new Map<string, Place<T>>()
  for (const [method, values] of place)
    if (method !== '*') named.set(method, new Place(() => combine(any.length === 0 ? values : [...values, ...any])))
  return { names: [...named.keys()], places: [...named.values()], any: any.length === 0 ? undefined : new Place(() => combine(any)) }
}

function take<T>({ names, places, any }: Methods<T>, method: string, found: T[]): void {
  for (let i = 0; i < names.length; i++)
    if (names[i] === method) {
      found.push(places[i]!.value)
      return
    }
  if (any !== undefined && isCanonicalMethod(method)) found.push(any.value)
}

/** Goes down from `start`, the first character of a segment of a path in normal form. */
function walk<T>(from: Node<T>, method: string, path: string, at: number, found: T[]): void {
  let node = from
  let start = at
  for (;;) {
    const slash = path.indexOf('/', start)
    const end = slash === -1 ? path.length : slash
    if (node.rest !== undefined) take(node.rest, method, found)
    const literal = literalOf(node, path, start, end)
    const parameter = start === end ? undefined : node.parameter
    if (slash === -1) {
      if (literal?.end !== undefined) take(literal.end, method, found)
      if (parameter?.end !== undefined) take(parameter.end, method, found)
      return
    }
    start = slash + 1
    if (literal !== undefined && parameter !== undefined) walk(parameter, method, path, start, found)
    const next = literal ?? parameter
    if (next === undefined) return
    node = next
  }
}

/** The child for the segment. Most nodes have one literal at most, for which no string has to be cut and hashed. */
function literalOf<T>(node: Node<T>, path: string, start: number, end: number): Node<T> | undefined {
  const { onlyText, literals } = node
  if (onlyText !== undefined) return onlyText.length === end - start && path.startsWith(onlyText, start) ? node.only : undefined
  return literals === undefined ? undefined : literals.get(path.slice(start, end))
}
