/** OpenAPI documents (3.0, 3.1), as far as an operation id tells a method and a path. Nothing else in them is looked at. */
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Node } from 'yaml'
import { diagnostic, type Diagnostic } from '../core/errors.ts'
import { formatSpan, type Span } from '../core/span.ts'
import { readDocument, type Located } from './document.ts'
import type { SourceFile, Sources } from './wiring.ts'

/** Where a resource says what operations it has. */
export interface OpenApiConfig {
  /** Relative to the configuration folder. */
  readonly file: string
  /** In place of what `servers` of the document say. */
  readonly basePath?: string | undefined
}

/** An operation: its method in upper case, and its path from the root of the host, as a template. */
export interface Operation {
  readonly method: string
  readonly template: string
}

const MAX_OPERATIONS = 20_000
const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace', 'query']
/** A file of the configuration folder, and nothing outside of it. */
export const OPENAPI_FILE = /^(?![./])(?!.*(?:\/\/|\/\.))[A-Za-z0-9._/@+-]{1,255}$/

/** Files that resources of the wiring name, in the order of their names. What is wrong with it is found elsewhere. */
export function openApiFiles({ wiring, environment }: Pick<Sources, 'wiring' | 'environment'>): readonly string[] {
  const files = new Set<string>()
  for (const source of [wiring, environment]) {
    const resources = source === undefined ? undefined : at(readDocument(source.path, source.text).root, 'resources')
    if (resources?.kind !== 'map') continue
    for (const { node } of resources.entries.values()) {
      const named = at(node, 'openapi')
      const file = named?.kind === 'map' ? at(named, 'file') : named
      if (file?.kind === 'scalar' && typeof file.value === 'string' && OPENAPI_FILE.test(file.value)) files.add(file.value)
    }
  }
  return [...files].toSorted()
}

function at(node: Located | undefined, key: string): Located | undefined {
  return node?.kind === 'map' ? node.entries.get(key)?.node : undefined
}

export interface ReadOperations {
  readonly operations: ReadonlyMap<string, Operation>
  readonly diagnostics: readonly Diagnostic[]
}

/** Reads the operations of one document. Findings point into it. */
export function readOperations(source: SourceFile, basePath: string | undefined): ReadOperations {
  const reader = new Reader(source)
  return reader.read(basePath)
}

class Reader {
  readonly #source: SourceFile
  readonly #lines = new LineCounter()
  readonly #diagnostics: Diagnostic[] = []
  readonly #operations = new Map<string, Operation>()
  readonly #places = new Map<string, Span>()

  constructor(source: SourceFile) {
    this.#source = source
  }

  read(basePath: string | undefined): ReadOperations {
    const root = this.#parse()
    if (root !== undefined) this.#document(root, basePath)
    return { operations: this.#operations, diagnostics: this.#diagnostics.slice(0, 20) }
  }

  #wrong(problem: string, node: unknown, help?: string): undefined {
    this.#diagnostics.push(diagnostic('config/openapi', { file: this.#source.path, problem }, this.#span(node), { help }))
  }

  #span(node: unknown): Span {
    const [from, to] = (node as Node | null | undefined)?.range ?? [0, 0]
    const [start, end] = [this.#lines.linePos(from), this.#lines.linePos(to)]
    return { file: this.#source.path, line: start.line || 1, column: start.col || 1, endLine: end.line || 1, endColumn: end.col || 1 }
  }

  #parse(): unknown {
    const { text } = this.#source
    try {
      const document = parseDocument(text, {
        version: '1.2',
        merge: false,
        stringKeys: true,
        uniqueKeys: false,
        prettyErrors: false,
        logLevel: 'error',
        lineCounter: this.#lines,
      })
      const [error] = document.errors
      if (error === undefined) return document.contents
      return this.#wrong(`it is not valid YAML or JSON: ${error.message.split('\n')[0]}`, { range: error.pos })
    } catch {
      return this.#wrong('it is nested too deep', undefined)
    }
  }

  #document(root: unknown, basePath: string | undefined): void {
    const entries = this.#entries(root, 'the document')
    if (entries === undefined) return
    const version = entries.get('openapi')
    const text = isScalar(version) ? String(version.value) : ''
    if (!/^3\.[01](?:\.|$)/.test(text)) {
      const swagger = entries.has('swagger')
        ? 'it is Swagger 2.0'
        : text === ''
          ? 'it does not say `openapi: 3.1.0`'
          : `it is of version ${text}`
      this.#wrong(swagger, version ?? root, 'OpenAPI 3.0 and 3.1 are read')
      return
    }
    const paths = entries.get('paths')
    const byPath = paths === undefined ? new Map<string, unknown>() : this.#entries(paths, '`paths`')
    const base = basePath ?? this.#base(entries.get('servers'))
    for (const [path, item] of byPath ?? []) if (!path.startsWith('x-')) this.#path(path, item, base, basePath)
  }

  #path(path: string, item: unknown, base: string | undefined, given: string | undefined): void {
    if (!path.startsWith('/')) return this.#wrong(`the path \`${path}\` does not start with \`/\``, item)
    const entries = this.#entries(item, `path \`${path}\``)
    if (entries === undefined) return
    if (entries.has('$ref'))
      return this.#wrong(`path \`${path}\` is somewhere else, by \`$ref\``, item, 'bundle the document into one file')
    const here = given ?? (entries.has('servers') ? this.#base(entries.get('servers')) : base)
    for (const method of METHODS) {
      const operation = entries.get(method)
      const said = operation === undefined ? undefined : this.#entries(operation, `\`${method}\` of \`${path}\``)
      const id = said?.get('operationId')
      if (said === undefined || id === undefined) continue
      const own = given ?? (said.has('servers') ? this.#base(said.get('servers')) : here)
      if (isScalar(id) && typeof id.value === 'string')
        this.#operation(id.value, id, { method: method.toUpperCase(), template: `${own ?? ''}${templateOf(path)}` })
      else this.#wrong('an `operationId` is a text', id)
    }
  }

  #operation(id: string, node: unknown, operation: Operation): void {
    const before = this.#places.get(id)
    if (before !== undefined)
      return this.#wrong(
        `the operation id \`${id}\` is there twice`,
        node,
        `it is also at ${formatSpan(before)}; an id names one operation`,
      )
    if (this.#operations.size >= MAX_OPERATIONS) return this.#wrong(`it has more than ${MAX_OPERATIONS} operations`, node)
    this.#places.set(id, this.#span(node))
    this.#operations.set(id, operation)
  }

  /** The path that all servers share, without its last slash. */
  #base(servers: unknown): string | undefined {
    if (servers === undefined) return ''
    const list = isSeq(servers) ? servers.items : []
    const bases = new Set<string>()
    for (const server of list) {
      const entries = this.#entries(server, 'a server')
      const url = entries?.get('url')
      const base =
        isScalar(url) && typeof url.value === 'string'
          ? pathOf(withDefaults(url.value, this.#defaults(entries?.get('variables'))))
          : undefined
      if (base === undefined)
        return this.#wrong(
          'a server has no URL that tells a path',
          url ?? server,
          'say it on the resource: `openapi: { file: api.yaml, basePath: /v1 }`',
        )
      bases.add(base)
    }
    if (bases.size > 1)
      return this.#wrong(
        `its servers have different paths: ${[...bases].map((base) => `\`${base === '' ? '/' : base}\``).join(', ')}`,
        servers,
        'say which on the resource: `openapi: { file: api.yaml, basePath: /v1 }`',
      )
    return [...bases][0] ?? ''
  }

  #defaults(variables: unknown): ReadonlyMap<string, string> {
    const defaults = new Map<string, string>()
    if (!isMap(variables)) return defaults
    for (const [name, variable] of this.#entries(variables, '`variables`') ?? []) {
      const value = this.#entries(variable, 'a variable')?.get('default')
      if (isScalar(value)) defaults.set(name, String(value.value))
    }
    return defaults
  }

  /** What a map holds by its keys; a key that is there twice is a finding. */
  #entries(node: unknown, where: string): ReadonlyMap<string, unknown> | undefined {
    if (!isMap(node)) return this.#wrong(`${where} is no map`, node)
    const entries = new Map<string, unknown>()
    for (const { key, value } of node.items) {
      const name = isScalar(key) && typeof key.value === 'string' ? key.value : undefined
      if (name === undefined) this.#wrong(`${where} has a key that is no text`, key)
      else if (entries.has(name)) this.#wrong(`\`${name}\` is there twice in ${where}`, key)
      else entries.set(name, value)
    }
    return entries
  }
}

function withDefaults(url: string, defaults: ReadonlyMap<string, string>): string {
  return url.replaceAll(/\{([^{}]*)\}/g, (whole, name: string) => defaults.get(name) ?? whole)
}

/** Path of an absolute URL, or of one from the root of whatever host; undefined for others. */
function pathOf(url: string): string | undefined {
  if (url.includes('{') || url.includes('\\') || (!url.startsWith('/') && !/^https?:\/\//i.test(url))) return undefined
  if (!URL.canParse(url, 'https://host.invalid')) return undefined
  const { pathname } = new URL(url, 'https://host.invalid')
  return pathname.replace(/\/$/, '')
}

/** Names of parameters here are of letters, digits and `_`. */
function templateOf(path: string): string {
  return path.replaceAll(/\{([^{}/]+)\}/g, (_, name: string) => `{${name.replaceAll(/[^A-Za-z0-9_]/g, '_').replace(/^(?=\d)/, '_')}}`)
}
