/** The requests of one resource, cut so finely that within each piece all templates say the same of every request. */
import type { Action, HttpAction } from '../../../core/action.ts'
import { TooManyCells, type ActionCell, type CellInput, type CellValues, type OpenInput, type Scalar, type Wanted } from '../cells.ts'
import { isCanonicalMethod, normalSegment, segmentsOf, type HttpPattern } from './template.ts'

interface TrieNode {
  readonly literals: Map<string, TrieNode>
  parameter: TrieNode | undefined
  readonly end: number[]
  readonly rest: number[]
  /** Some pattern that is wanted ends here or below. */
  wanted: boolean
}

const trieNode = (): TrieNode => ({ literals: new Map(), parameter: undefined, end: [], rest: [], wanted: false })

/** A segment of a cell: one text, or any but some. */
type CellSegment = { readonly text: string } | { readonly name: string; readonly but: ReadonlySet<string> }

interface Place {
  readonly nodes: readonly TrieNode[]
  /** Patterns with `**` that cover everything from here on. */
  readonly rest: readonly number[]
  readonly segments: readonly CellSegment[]
}

/** Cells of http: nodes of the determinised trie of path templates, by method. */
export function* httpCells(patterns: readonly HttpPattern[], { named, wants, most }: Wanted): Generator<ActionCell> {
  const methods = named('method')
  const root = trieNode()
  for (const [number, { segments, rest }] of patterns.entries()) {
    const wanted = wants(number)
    let node = root
    node.wanted ||= wanted
    for (const segment of segments) {
      if (segment.kind === 'parameter') node = node.parameter ??= trieNode()
      else {
        let child = node.literals.get(segment.text)
        if (child === undefined) node.literals.set(segment.text, (child = trieNode()))
        node = child
      }
      node.wanted ||= wanted
    }
    ;(rest ? node.rest : node.end).push(number)
  }
  let count = 0
  let visited = 0
  for (const { segments, below, covering } of places({ nodes: [root], rest: [], segments: [] }, wants)) {
    if (++visited > most) throw new TooManyCells()
    if (!covering.some(wants)) continue
    for (const method of methodsOf(covering, patterns, methods)) {
      const here = covering.filter((number) => meets(patterns[number]!.method, method))
      if (!here.some(wants)) continue
      if (++count > most) throw new TooManyCells()
      yield new HttpCell(
        patterns,
        here.toSorted((a, b) => a - b),
        method,
        methods === undefined &&
          covering.some((number) => patterns[number]!.method === 'GET') &&
          !covering.some((number) => patterns[number]!.method === 'HEAD'),
        segments,
        below,
      )
    }
  }
}

interface PathCell {
  readonly segments: readonly CellSegment[]
  /** Set where at least one more segment follows, the first of them none of these. */
  readonly below: ReadonlySet<string> | undefined
  readonly covering: readonly number[]
}

function* places(from: Place, wants: Wanted['wants']): Generator<PathCell> {
  const { nodes, rest, segments } = from
  // Below here everything is covered by what nobody asks for.
  if (!nodes.some(({ wanted }) => wanted) && !rest.some(wants)) return
  const covering = [...rest, ...nodes.flatMap(({ end }) => end)]
  if (segments.length > 0 && covering.length > 0) yield { segments, below: undefined, covering }
  const further = [...rest, ...nodes.flatMap((node) => node.rest)]
  const literals = new Set(nodes.flatMap((node) => [...node.literals.keys()]))
  const parameters = nodes.flatMap(({ parameter }) => parameter ?? [])
  for (const text of literals) {
    const next = nodes.flatMap((node) => node.literals.get(text) ?? [])
    const at = [...segments, { text }]
    // An empty segment is the last.
    if (text === '') yield { segments: at, below: undefined, covering: [...further, ...next.flatMap(({ end }) => end)] }
    else yield* places({ nodes: [...next, ...parameters], rest: further, segments: at }, wants)
  }
  if (parameters.length === 0) {
    if (further.length > 0) yield { segments, below: literals, covering: further }
    return
  }
  const but = new Set([...literals].filter((text) => text !== ''))
  yield* places({ nodes: parameters, rest: further, segments: [...segments, { name: `segment-${segments.length + 1}`, but }] }, wants)
  if (!literals.has('') && further.length > 0) yield { segments: [...segments, { text: '' }], below: undefined, covering: further }
}

function isMethod(text: string): boolean {
  return /^[!#$%&'*+.^_`|~0-9A-Z-]{1,32}$/.test(text)
}

/** One method, or every method but some. */
type CellMethod = string | ReadonlySet<string>

/** @param more Further methods that conditions name; undefined where none looks at the method. */
function methodsOf(
  covering: readonly number[],
  patterns: readonly HttpPattern[],
  more: ReadonlySet<string> | undefined,
): readonly CellMethod[] {
  const named = new Set(covering.map((number) => patterns[number]!.method))
  const any = named.delete('*')
  if (any) for (const method of more ?? []) if (isMethod(method)) named.add(method)
  // Where nothing tells `HEAD` apart it is decided as `GET` is, and needs no cell of its own.
  if (named.has('GET') && more !== undefined) named.add('HEAD')
  const each = [...named].toSorted()
  return any ? [...each, named] : each
}

function meets(pattern: string, method: CellMethod): boolean {
  return pattern === '*' || pattern === method || (pattern === 'GET' && method === 'HEAD')
}

class HttpCell implements ActionCell {
  readonly covering: readonly number[]
  readonly #patterns: readonly HttpPattern[]
  readonly #method: CellMethod
  /** `HEAD` is where `GET` is. */
  readonly #headAsGet: boolean
  readonly #segments: readonly CellSegment[]
  readonly #below: ReadonlySet<string> | undefined

  constructor(
    patterns: readonly HttpPattern[],
    covering: readonly number[],
    method: CellMethod,
    headAsGet: boolean,
    segments: readonly CellSegment[],
    below: ReadonlySet<string> | undefined,
  ) {
    this.covering = covering
    this.#patterns = patterns
    this.#method = method
    this.#headAsGet = headAsGet
    this.#segments = segments
    this.#below = below
  }

  get text(): string {
    const shown = this.#segments.map((segment, i) => ('text' in segment ? segment.text : `{${this.#nameOf(i)}}`))
    const path = `/${[...shown, ...(this.#below === undefined ? [] : ['**'])].join('/')}`
    return `${typeof this.#method === 'string' ? this.#method : '*'} ${path}${this.#except()}`
  }

  /** What of the text is not meant, because other patterns tell it apart. */
  #except(): string {
    const but = [...this.#segments.flatMap((one) => ('text' in one ? [] : [...one.but])), ...(this.#below ?? [])].filter(
      (one) => one !== '',
    )
    const methods = typeof this.#method === 'string' ? [] : [...this.#method].toSorted()
    const all = [...methods, ...but].map((one) => `\`${one}\``)
    const told = all.length > 4 ? [...all.slice(0, 3), `${all.length - 3} more`] : all
    return told.length === 0 ? '' : `, except ${told.join(', ')}`
  }

  /** What the patterns call a segment. */
  #nameOf(at: number): string {
    for (const number of this.covering) {
      const segment = this.#patterns[number]!.segments[at]
      if (segment?.kind === 'parameter') return segment.name
    }
    return `segment${at + 1}`
  }

  input(root: 'request' | 'params', name: string, pattern: number): CellInput {
    if (root === 'request' && name === 'method') {
      const method = this.#method
      if (typeof method === 'string') return { kind: 'fixed', value: method }
      return open('request.method', (value) => isCanonicalMethod(value) && !method.has(value), { stem: 'OTHER', but: method })
    }
    // Open also where one path is all there is: a request may write its characters in more than one way.
    if (root === 'request') return open('request.path', (value) => this.#has(value), undefined)
    const { segments } = this.#patterns[pattern]!
    const at = segments.findIndex((segment) => segment.kind === 'parameter' && segment.name === name)
    const segment = this.#segments[at]
    if (segment === undefined) return { kind: 'fixed', value: undefined }
    if ('text' in segment) return { kind: 'fixed', value: decoded(segment.text) }
    const admits = (value: string): boolean => {
      const encoded = encodedSegment(value)
      return encoded !== undefined && !segment.but.has(encoded)
    }
    return { ...open(`segment ${at + 1}`, admits, { stem: 'x', but: segment.but }), mayFail: true }
  }

  has(action: Action): boolean {
    if (action.protocol !== 'http' || !isCanonicalMethod(action.method) || !this.#has(action.path)) return false
    const method = this.#headAsGet && action.method === 'HEAD' ? 'GET' : action.method
    return typeof this.#method === 'string' ? this.#method === method : !this.#method.has(method)
  }

  #has(path: string): boolean {
    const parts = segmentsOf(path)
    if (parts === undefined || (this.#below === undefined ? parts.length !== this.#segments.length : parts.length <= this.#segments.length))
      return false
    const fits = this.#segments.every((segment, i) => {
      const part = parts[i]!
      return 'text' in segment ? segment.text === part : part !== '' && !segment.but.has(part)
    })
    return fits && this.#below?.has(parts[this.#segments.length]!) !== true
  }

  #witness(values: CellValues): string | undefined {
    const parts: string[] = []
    for (const [i, segment] of this.#segments.entries()) {
      const key = `segment ${i + 1}`
      const part = 'text' in segment ? segment.text : values.has(key) ? segmentOf(values.get(key)) : fresh(segment.but)
      if (part === undefined || (!('text' in segment) && segment.but.has(part))) return undefined
      parts.push(part)
    }
    if (this.#below !== undefined) parts.push(fresh(this.#below))
    return `/${parts.join('/')}`
  }

  action(values: CellValues): HttpAction | undefined {
    const path = values.get('request.path') ?? this.#witness(values)
    const method = values.get('request.method') ?? (typeof this.#method === 'string' ? this.#method : fresh(this.#method, 'OTHER'))
    return path === undefined || !this.#has(String(path)) ? undefined : { protocol: 'http', method: String(method), path: String(path) }
  }
}

/** @param others What to make another value of; undefined where none is made */
function open(
  key: string,
  admits: (value: string) => boolean,
  others: { readonly stem: string; readonly but: ReadonlySet<string> } | undefined,
): OpenInput {
  return {
    kind: 'open',
    key,
    type: 'string',
    admits: (value) => typeof value === 'string' && admits(value),
    mayFail: false,
    ...(others === undefined ? {} : { other: (but) => fresh(new Set([...but, ...others.but].map(String)), others.stem) }),
    tries: (named) => named.filter((value) => typeof value === 'string' && admits(value)),
  }
}

/** What can't be read is no UTF-8. */
function segmentOf(value: Scalar | undefined): string | undefined {
  return value === undefined ? '%FF' : encodedSegment(String(value))
}

/** A segment in the form in which templates are compared; undefined for what can't be one. */
function encodedSegment(value: string): string | undefined {
  if (value === '' || value === '.' || value === '..' || !value.isWellFormed()) return undefined
  return normalSegment(encodeURIComponent(value))
}

function decoded(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}

/** A text that isn't taken. */
function fresh(taken: ReadonlySet<string>, stem = 'x'): string {
  for (let i = 0; ; i++) {
    const text = i === 0 ? stem : `${stem}${i}`
    if (!taken.has(text)) return text
  }
}
