/**
 * What an Envoy with this configuration makes of a request, read from what was emitted alone: the reference that a real Envoy and the
 * engine are both held against. It knows Envoy's filters, and nothing of policies or of how these were made.
 */
import { only, takenBy } from './evaluateroute.ts'

/** A request after Envoy has verified its token and brought its path into the form that is forwarded. */
export interface EvaluatedRequest {
  readonly host: string
  readonly method: string
  /** As forwarded, with the query. */
  readonly path: string
  /** The value of `authorization`; undefined for none. Several are joined by a comma. */
  readonly authorization: string | undefined
  /** What `jwt_authn` verified; undefined for none. */
  readonly token: { readonly header: unknown; readonly payload: unknown } | undefined
  /** What `ext_authz` was answered along with an allow; undefined where it wasn't asked. */
  readonly checked?: unknown
  /** The value of `upgrade`; undefined for none. */
  readonly upgrade?: string | undefined
  /** URIs in the certificate that the other end of the connection showed; default: none. */
  readonly peer?: readonly string[]
  /** Port that the connection was made to. */
  readonly port?: number
  /** Other header fields, by their names in small letters, with the value of each line. Without any, a matcher of one isn't known. */
  readonly fields?: Readonly<Record<string, readonly string[]>>
  /** Name that the TLS handshake asked for. */
  readonly serverName?: string
  /** Whether the address that is connected from, or to, is in a network. */
  readonly isFrom?: (address: string, bits: number) => boolean
  readonly isTo?: (address: string, bits: number) => boolean
  /** What filters and connections left behind, each by its name. */
  readonly metadata?: Json
  /** What the route that is taken says of itself; default: nothing. */
  readonly ofRoute?: Json
  readonly filterState?: Readonly<Record<string, string>>
  /** Whether the caller's address is in a network. */
  readonly isIn?: (address: string, bits: number) => boolean
  /** Milliseconds since the epoch. */
  readonly time: number
}

export interface Evaluated {
  readonly allowed: boolean
  /** The filter that denied; undefined where none did. */
  readonly filter: string | undefined
  /** Name of the policy that matched in it; undefined where none did. */
  readonly policy: string | undefined
}

type Json = { readonly [name: string]: unknown }

/** Whether a text matches an RE2 pattern wholly, or anywhere. */
export interface Regexes {
  readonly wholly: (pattern: string, text: string) => boolean
  readonly anywhere: (pattern: string, text: string) => boolean
}

/** @param extensions What filters are where routes say nothing of them @throws Error for what it doesn't know: then nothing is said. */
export function evaluateEnvoy(
  routes: Json,
  filters: readonly string[],
  request: EvaluatedRequest,
  regexes: Regexes,
  extensions: readonly Json[] = [],
): Evaluated {
  const taken = takenBy(routes, request.host, request.path)
  if (taken === undefined) return { allowed: false, filter: 'route', policy: undefined }
  const { host, route } = taken
  // What a route says of a filter stands in the place of what its host says.
  const perFilter = { ...(host['typedPerFilterConfig'] as Json), ...(route['typedPerFilterConfig'] as Json | undefined) }
  const byDefault = (filter: string): Json => extensions.find(({ name }) => name === filter)!['typedConfig'] as Json
  const configured = (filter: string): Json => ((perFilter[filter] as Json | undefined)?.['rbac'] ?? byDefault(filter)) as Json
  const ofRoute = ((route['metadata'] as Json | undefined)?.['filterMetadata'] ?? {}) as Json
  return evaluateFilters(
    filters.map((name) => [name, configured(name)['rules'] as Json]),
    { ...request, ofRoute },
    regexes,
  )
}

/** The first policy of `rules` that matches, in the order of names. @throws Error for what it doesn't know */
export function matchedPolicy({ policies = {} }: Json, request: EvaluatedRequest, regexes: Regexes): string | undefined {
  const evaluator = new Evaluator(request, regexes)
  const all = policies as Json
  return Object.keys(all)
    .toSorted()
    .find((name) => evaluator.policy(all[name] as Json))
}

/** `rules` of `rbac` filters, by the filters' names, one after the other. @throws Error for what it doesn't know */
export function evaluateFilters(filters: readonly (readonly [string, Json])[], request: EvaluatedRequest, regexes: Regexes): Evaluated {
  const evaluator = new Evaluator(request, regexes)
  for (const [filter, { action = 'ALLOW', policies = {} }] of filters) {
    const all = policies as Json
    const matched = Object.keys(all)
      .toSorted()
      .find((name) => evaluator.policy(all[name] as Json))
    if ((matched !== undefined) !== (action === 'ALLOW')) return { allowed: false, filter, policy: matched }
  }
  return { allowed: true, filter: undefined, policy: undefined }
}

/** No value: of a claim that isn't there. */
const ABSENT = Symbol('absent')

class Evaluator {
  readonly #request: EvaluatedRequest
  readonly #regexes: Regexes
  readonly #metadata: unknown

  constructor(request: EvaluatedRequest, regexes: Regexes) {
    this.#request = request
    this.#regexes = regexes
    this.#metadata = {
      ...(request.token && { 'envoy.filters.http.jwt_authn': { payload: request.token.payload, header: request.token.header } }),
      ...(request.checked === undefined ? {} : { 'envoy.filters.http.ext_authz': request.checked }),
      ...request.metadata,
    }
  }

  policy({ permissions, principals, condition }: Json): boolean {
    return (
      (permissions as readonly Json[]).some((one) => this.#rule(one)) &&
      (principals as readonly Json[]).some((one) => this.#rule(one)) &&
      (condition === undefined || this.#condition(condition as Json))
    )
  }

  /** A permission or a principal. */
  #rule(rule: Json): boolean {
    const [kind, value] = only(rule)
    const inner = value as Json
    switch (kind) {
      case 'any':
        return value === true
      case 'andRules':
        return (inner['rules'] as readonly Json[]).every((one) => this.#rule(one))
      case 'orRules':
        return (inner['rules'] as readonly Json[]).some((one) => this.#rule(one))
      case 'andIds':
        return (inner['ids'] as readonly Json[]).every((one) => this.#rule(one))
      case 'orIds':
        return (inner['ids'] as readonly Json[]).some((one) => this.#rule(one))
      case 'notRule':
      case 'notId':
        return !this.#rule(inner)
      case 'remoteIp':
        return this.#request.isIn?.(inner['addressPrefix'] as string, inner['prefixLen'] as number) === true
      case 'destinationPort':
        return this.#request.port === value
      case 'authenticated':
        return (this.#request.peer ?? []).some((uri) => this.#text(inner['principalName'] as Json, uri))
      case 'header':
        return this.#header(inner)
      case 'urlPath':
        return this.#text(inner['path'] as Json, this.#request.path.replace(/[?#].*$/s, ''))
      case 'sourcedMetadata':
        return this.#metadataMatcher(inner['metadataMatcher'] as Json, inner['metadataSource'])
      case 'metadata':
        return this.#metadataMatcher(inner)
      case 'directRemoteIp':
        return given(this.#request.isFrom)(inner['addressPrefix'] as string, inner['prefixLen'] as number)
      case 'destinationIp':
        return given(this.#request.isTo)(inner['addressPrefix'] as string, inner['prefixLen'] as number)
      case 'requestedServerName':
        return this.#text(inner, this.#request.serverName ?? '')
      case 'filterState': {
        const found = this.#request.filterState?.[inner['key'] as string]
        return found !== undefined && this.#text(inner['stringMatch'] as Json, found)
      }
      case 'uriTemplate':
        return templateOf((inner['typedConfig'] as Json)['pathTemplate'] as string).test(this.#request.path.replace(/[?#].*$/s, ''))
      default:
        throw new Error(`\`${kind}\` is not known`)
    }
  }

  #metadataMatcher({ filter, path, value }: Json, source: unknown = 'DYNAMIC'): boolean {
    if (source !== 'DYNAMIC' && source !== 'ROUTE') throw new Error(`metadata of \`${String(source)}\` are not known`)
    let at: unknown = valueIn(source === 'ROUTE' ? this.#request.ofRoute : this.#metadata, filter as string)
    for (const { key } of path as readonly Json[]) at = valueIn(at, key as string)
    return at !== ABSENT && this.#value(value as Json, at)
  }

  #header({ name: written, stringMatch, presentMatch }: Json): boolean {
    const name = (written as string).toLowerCase()
    const { method, host, path, authorization, upgrade, fields } = this.#request
    const known = new Map([
      [':method', method],
      [':authority', host],
      ['authorization', authorization],
      ['upgrade', upgrade],
      ...(fields === undefined ? [] : [[':path', path] as const, ['host', host] as const]),
    ])
    if (!known.has(name) && fields === undefined) throw new Error(`header \`${name}\` is not known`)
    const own = known.get(name)
    const values = known.has(name) ? (own === undefined ? [] : [own]) : valuesOf(fields!, name)
    if (presentMatch !== undefined) return presentMatch === values.length > 0
    // Each line by itself: what one says isn't hidden by another.
    return values.some((value) => this.#text(stringMatch as Json, value))
  }

  #text({ ignoreCase, ...matcher }: Json, text: string): boolean {
    const [kind, value] = only(matcher)
    if (ignoreCase === true && typeof value === 'string') return this.#text({ [kind]: lower(value) }, lower(text))
    if (ignoreCase !== undefined && ignoreCase !== false) throw new Error('`ignoreCase` of this is not known')
    switch (kind) {
      case 'exact':
        return text === value
      case 'prefix':
        return text.startsWith(value as string)
      case 'suffix':
        return text.endsWith(value as string)
      case 'safeRegex':
        return this.#regexes.wholly((value as Json)['regex'] as string, text)
      default:
        throw new Error(`\`${kind}\` of a text is not known`)
    }
  }

  /** `envoy.type.matcher.v3.ValueMatcher` */
  #value(matcher: Json, found: unknown): boolean {
    const [kind, value] = only(matcher)
    switch (kind) {
      case 'presentMatch':
        return value === true
      case 'stringMatch':
        return typeof found === 'string' && this.#text(value as Json, found)
      case 'doubleMatch':
        return typeof found === 'number' && isNumber(value as Json, found)
      case 'boolMatch':
        return found === value
      case 'listMatch':
        return Array.isArray(found) && found.some((one) => this.#value((value as Json)['oneOf'] as Json, one))
      case 'orMatch':
        return ((value as Json)['valueMatchers'] as readonly Json[]).some((one) => this.#value(one, found))
      default:
        throw new Error(`\`${kind}\` of a value is not known`)
    }
  }

  /** A condition that is an error matches nothing. */
  #condition(condition: Json): boolean {
    return this.#cel(condition) === true
  }

  /** @returns A value, or `ABSENT` for an error. */
  #cel(expr: Json): unknown {
    const { id: _, ...rest } = expr
    const [kind, value] = only(rest)
    const inner = value as Json
    switch (kind) {
      case 'constExpr': {
        const [type, said] = only(inner)
        return type === 'int64Value' ? Number(said) : said
      }
      case 'identExpr':
        return (
          { metadata: { filter_metadata: this.#metadata }, request: { time: this.#request.time } }[inner['name'] as string] ?? {
            type: inner['name'],
          }
        )
      case 'selectExpr': {
        const operand = this.#cel(inner['operand'] as Json)
        const found = valueIn(operand, inner['field'] as string)
        return inner['testOnly'] === true ? (operand === ABSENT ? ABSENT : found !== ABSENT) : found
      }
      case 'listExpr':
        return ((inner['elements'] as readonly Json[] | undefined) ?? []).map((one) => this.#cel(one))
      case 'callExpr':
        return this.#call(inner)
      default:
        throw new Error(`\`${kind}\` is not known`)
    }
  }

  #call({ function: name, target, args = [] }: Json): unknown {
    const given = args as readonly Json[]
    // These two come to a result where one side is an error.
    if (name === '_&&_' || name === '_||_') {
      const decisive = name === '_||_'
      const sides = given.map((one) => this.#cel(one))
      if (sides.includes(decisive)) return decisive
      return sides.every((side) => side === !decisive) ? !decisive : ABSENT
    }
    const values = (target === undefined ? given : [target as Json, ...given]).map((one) => this.#cel(one))
    if (values.includes(ABSENT)) return ABSENT
    const [a, b] = values
    switch (name) {
      case '!_':
        return typeof a === 'boolean' ? !a : ABSENT
      case '_[_]':
        return valueIn(a, b as string)
      case '_==_':
        return isSame(a, b)
      case '_!=_':
        return !isSame(a, b)
      case '@in':
        return Array.isArray(b) ? b.some((one) => isSame(a, one)) : ABSENT
      case '_<_':
      case '_<=_':
      case '_>_':
      case '_>=_':
        return typeof a === 'number' && typeof b === 'number' ? ordered(name, a, b) : ABSENT
      case '_-_':
        return typeof a === 'number' && typeof b === 'number' ? a - b : ABSENT
      case '_+_':
        return typeof a === 'number' && typeof b === 'number' ? a + b : ABSENT
      case 'type':
        return { type: typeOf(a) }
      case 'size':
        return typeof a === 'string' ? Array.from(a).length : ABSENT
      case 'int':
        return Math.floor((a as number) / 1000) // of `request.time`
      case 'double':
        return a
      case 'timestamp':
        return Date.parse(a as string)
      case 'matches':
        return typeof a === 'string' ? this.#regexes.anywhere(b as string, a) : ABSENT
      default:
        throw new Error(`\`${String(name)}\` is not known`)
    }
  }
}

/** A range has its start in it, and not its end. */
function isNumber({ exact, range }: Json, found: number): boolean {
  if (range === undefined) return found === exact
  const { start = 0, end = 0 } = range as Json
  return found >= Number(start) && found < Number(end)
}

/** Envoy's letters are those of ASCII. */
function lower(text: string): string {
  return text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
}

function given<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('an address is not known')
  return value
}

function valuesOf(fields: Readonly<Record<string, readonly string[]>>, name: string): readonly string[] {
  return Object.hasOwn(fields, name) ? fields[name]! : []
}

/** `*` is one segment and `**` the rest, of the signs that a path may have. */
function templateOf(template: string): RegExp {
  const signs = String.raw`a-zA-Z0-9\-._~%!$&'()*+,;:@=`
  const pattern = template
    .split(/(\*\*|\*)/)
    .map((part) => (part === '**' ? `[${signs}/]*` : part === '*' ? `[${signs}]+` : part.replaceAll(/[\\.+?()|[\]{}^$]/g, String.raw`\$&`)))
  return new RegExp(`^${pattern.join('')}$`)
}

function valueIn(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, name)) return ABSENT
  return (value as Json)[name]
}

function isSame(a: unknown, b: unknown): boolean {
  if (typeof a === 'object' && typeof b === 'object' && a !== null && b !== null && 'type' in a && 'type' in b) return a.type === b.type
  return a === b
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return 'list'
  if (value === null) return 'null_type'
  const type = typeof value
  return type === 'number' ? 'double' : type === 'boolean' ? 'bool' : type === 'object' ? 'map' : type
}

function ordered(operator: string, a: number, b: number): boolean {
  if (operator === '_<_') return a < b
  if (operator === '_<=_') return a <= b
  return operator === '_>_' ? a > b : a >= b
}
