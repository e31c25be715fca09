/**
 * Reads policies of Envoy's `rbac` filter back: what they ask of a request and of a token, without any of what made them. Whatever has
 * another shape than is known here is an error, and nothing is said of it.
 */
import {
  all,
  any,
  ALWAYS,
  isAlways,
  isNever,
  NEVER,
  not,
  test,
  type Formula,
  type TokenPath,
  type TokenTest,
  type TokenValue,
} from '../core/token.ts'
import { celOf, celOfPart, wordPattern, type Cel } from './cel.ts'
import { METADATA, PARTS } from './metadata.ts'
import { booleans, TEXT } from './plain.ts'
import type { Json, PathPattern } from './rbac.ts'

/** What was read has a shape that is not known. */
export class NotRead extends Error {}

/** A path template without its method. */
export type PathTemplate = Omit<PathPattern, 'method'>

export type RequestAtom =
  | { readonly about: 'path'; readonly template: PathTemplate }
  | { readonly about: 'method'; readonly is: string }
  /** It is in the one form that is decided. */
  | { readonly about: 'canonical'; readonly of: 'path' | 'method' }
  | { readonly about: 'credential' }
  /** There is one credential, and it has the form of a token. */
  | { readonly about: 'one-token' }
  | { readonly about: 'host'; readonly is: string }
  | { readonly about: 'port'; readonly is: number }
  /** The connection is to become one of another protocol. */
  | { readonly about: 'upgrade' }

export type Read =
  | { readonly all: readonly Read[] }
  | { readonly any: readonly Read[] }
  | { readonly not: Read }
  | { readonly request: RequestAtom }
  | { readonly token: TokenTest }

export interface ReadFilter {
  readonly action: 'ALLOW' | 'DENY'
  readonly policies: readonly { readonly name: string; readonly matches: Read }[]
}

export interface ReadWith {
  /** Regular expressions for the one form of a path, of a method and of a credential. */
  readonly canonical: { readonly path: string; readonly method: string; readonly token: string }
  /** Questions that conditions may ask. A condition is read as far as it is made of them; each of them is proven apart. */
  readonly asked: Iterable<TokenTest>
}

const ANYTHING: Read = { all: [] }

/** @param rules `rules` of an `rbac` filter, in protobuf's JSON. @throws NotRead */
export function readFilter(rules: Json, options: ReadWith): ReadFilter {
  const reader = new Reader(options)
  const { action = 'ALLOW', policies = {}, ...rest } = rules
  nothingElse(rest)
  if (action !== 'ALLOW' && action !== 'DENY') throw new NotRead(`action \`${String(action)}\``)
  return { action, policies: Object.entries(policies as Json).map(([name, policy]) => ({ name, matches: reader.policy(policy as Json) })) }
}

const NOTHING_KNOWN: ReadWith = { canonical: { path: '', method: '', token: '' }, asked: [] }

/** One permission of a policy: what it asks of a request. @throws NotRead */
export function permissionRead(permission: Json): Read {
  return new Reader(NOTHING_KNOWN).rule(permission)
}

/** Path templates one of which covers whatever matches; undefined where that can't be said. */
export function templatesNeeded(read: Read): readonly PathTemplate[] | undefined {
  if ('request' in read) return read.request.about === 'path' ? [read.request.template] : undefined
  if ('all' in read) return read.all.map(templatesNeeded).find((one) => one !== undefined)
  if (!('any' in read)) return undefined
  const each = read.any.map(templatesNeeded)
  return each.every((one) => one !== undefined) ? each.flat() : undefined
}

class Reader {
  readonly #canonical: ReadWith['canonical']
  readonly #asked: ReadonlyMap<string, TokenTest>
  /** In the form that is an error where the answer is no, which no negation may stand before. */
  readonly #askedInPart: ReadonlyMap<string, TokenTest>

  constructor({ canonical, asked }: ReadWith) {
    this.#canonical = canonical
    const all = [...asked].filter(isAskable)
    this.#asked = new Map(all.map((one) => [JSON.stringify(plain(celOf(test(one)))), one]))
    this.#askedInPart = new Map(all.map((one) => [JSON.stringify(plain(celOfPart(test(one)))), one]))
  }

  policy({ permissions, principals, condition, ...rest }: Json): Read {
    nothingElse(rest)
    const one = (list: unknown): Read => ({ any: (list as readonly Json[]).map((rule) => this.rule(rule)) })
    const matched = [one(permissions), one(principals)]
    return { all: condition === undefined ? matched : [...matched, this.#condition(plain(condition) as Cel, true)] }
  }

  /** A permission or a principal. */
  rule(rule: Json): Read {
    const [kind, value] = only(rule)
    const inner = value as Json
    const each = (list: unknown): readonly Read[] => (list as readonly Json[]).map((one) => this.rule(one))
    switch (kind) {
      case 'any':
        if (value !== true) throw new NotRead('`any` that is not true')
        return ANYTHING
      case 'andRules':
        return { all: each(inner['rules']) }
      case 'andIds':
        return { all: each(inner['ids']) }
      case 'orRules':
        return { any: each(inner['rules']) }
      case 'orIds':
        return { any: each(inner['ids']) }
      case 'notRule':
      case 'notId':
        return { not: this.rule(inner) }
      case 'urlPath':
        return { request: this.#path(inner['path'] as Json) }
      case 'header':
        return { request: this.#header(inner) }
      case 'destinationPort':
        return { request: { about: 'port', is: Number(value) } }
      case 'remoteIp':
        return { token: { is: 'address', networks: [{ address: String(inner['addressPrefix']), bits: Number(inner['prefixLen']) }] } }
      case 'sourcedMetadata':
        return metadata(inner['metadataMatcher'] as Json)
      default:
        throw new NotRead(`\`${kind}\``)
    }
  }

  #path(matcher: Json): RequestAtom {
    const [kind, value] = only(matcher)
    if (kind === 'exact') return { about: 'path', template: { segments: literals(String(value)), rest: false } }
    if (kind === 'prefix') {
      const prefix = String(value)
      // Without a slash at its end it would cover what only begins alike.
      if (!prefix.endsWith('/')) throw new NotRead(`prefix \`${prefix}\` without a slash at its end`)
      return { about: 'path', template: { segments: prefix === '/' ? [] : literals(prefix.slice(0, -1)), rest: true } }
    }
    if (kind !== 'safeRegex') throw new NotRead(`\`${kind}\` of a path`)
    const regex = regexOf(value)
    return regex === this.#canonical.path ? { about: 'canonical', of: 'path' } : { about: 'path', template: templateOf(regex) }
  }

  #header({ name, stringMatch, presentMatch, ...rest }: Json): RequestAtom {
    nothingElse(rest)
    if (name === 'authorization' && presentMatch === true && stringMatch === undefined) return { about: 'credential' }
    if (name === 'upgrade' && presentMatch === true && stringMatch === undefined) return { about: 'upgrade' }
    if (presentMatch !== undefined) throw new NotRead(`header \`${String(name)}\``)
    const { ignoreCase, ...matcher } = stringMatch as Json
    const [kind, value] = only(matcher)
    // Hosts are compared without regard to case, and nothing else is.
    if (name === ':authority' && kind === 'exact' && ignoreCase === true) return { about: 'host', is: String(value).toLowerCase() }
    if (ignoreCase !== undefined) throw new NotRead(`header \`${String(name)}\``)
    if (name === 'authorization' && kind === 'safeRegex' && regexOf(value) === this.#canonical.token) return { about: 'one-token' }
    if (name === ':method' && kind === 'exact') return { about: 'method', is: String(value) }
    if (name === ':method' && kind === 'safeRegex' && regexOf(value) === this.#canonical.method) return { about: 'canonical', of: 'method' }
    throw new NotRead(`header \`${String(name)}\``)
  }

  /** @param isPart Whether all of it is only joined by *and* and *or*, so that an error comes to the same as no */
  #condition(cel: Cel, isPart: boolean): Read {
    const text = JSON.stringify(cel)
    const asked = this.#asked.get(text) ?? (isPart ? this.#askedInPart.get(text) : undefined)
    if (asked !== undefined) return { token: asked }
    const [kind, value] = only(cel)
    if (kind === 'constExpr' && (value as Json)['boolValue'] === true) return ANYTHING
    if (kind === 'constExpr' && (value as Json)['boolValue'] === false) return { any: [] }
    if (kind !== 'callExpr') throw new NotRead('a condition')
    const { function: name, args, ...rest } = value as { readonly function: string; readonly args: readonly Cel[] }
    nothingElse(rest)
    if (name === '!_' && args.length === 1) return { not: this.#condition(args[0]!, false) }
    if (name === '_&&_') return { all: args.map((one) => this.#condition(one, isPart)) }
    if (name === '_||_') return { any: args.map((one) => this.#condition(one, isPart)) }
    throw new NotRead('a condition')
  }
}

/** Questions that only matchers ask. */
function isAskable({ is }: TokenTest): boolean {
  return is !== 'texts' && is !== 'address'
}

function metadata({ filter, path, value, ...rest }: Json): Read {
  nothingElse(rest)
  const [part, ...names] = (path as readonly Json[]).map(({ key }) => String(key))
  const from = (['payload', 'header'] as const).find((one) => PARTS[one] === part)
  if (filter !== METADATA || from === undefined || names.length === 0) throw new NotRead(`metadata of \`${String(filter)}\``)
  return valueOf({ part: from, names }, value as Json)
}

/** `envoy.type.matcher.v3.ValueMatcher` */
function valueOf(path: TokenPath, matcher: Json): Read {
  const [kind, value] = only(matcher)
  const inner = value as Json
  switch (kind) {
    case 'presentMatch':
      if (value !== true) throw new NotRead('`presentMatch` that is not true')
      return { token: { is: 'present', path } }
    case 'stringMatch':
      return textOf(path, inner)
    case 'doubleMatch':
      return 'range' in inner ? atLeast(path, inner['range'] as Json) : value1(path, 'number', Number(inner['exact']))
    case 'boolMatch':
      return value1(path, 'boolean', value === true)
    case 'orMatch':
      return { any: (inner['valueMatchers'] as readonly Json[]).map((one) => valueOf(path, one)) }
    case 'listMatch':
      return entryOf(path, inner['oneOf'] as Json)
    default:
      throw new NotRead(`\`${kind}\` of a value`)
  }
}

function value1(path: TokenPath, type: 'string' | 'number' | 'boolean' | 'list', value: TokenValue): Read {
  return { token: { is: 'value', path, type, values: [value] } }
}

function atLeast(path: TokenPath, { start = 0, end, ...rest }: Json): Read {
  nothingElse(rest)
  if (Number(end) !== Infinity) throw new NotRead('numbers up to another')
  return { token: { is: 'compare', path, op: '>=', value: Number(start) } }
}

function textOf(path: TokenPath, matcher: Json): Read {
  const [kind, value] = only(matcher)
  if (kind === 'exact') return value1(path, 'string', String(value))
  if (kind !== 'safeRegex') throw new NotRead(`\`${kind}\` of a text`)
  const pattern = regexOf(value)
  if (pattern === TEXT) return { token: { is: 'type', path, type: 'string' } }
  return pattern === '' ? value1(path, 'string', '') : { token: { is: 'matches', path, pattern } }
}

/** A list that has an entry. */
function entryOf(path: TokenPath, matcher: Json): Read {
  const [kind, value] = only(matcher)
  const inner = value as Json
  if (kind === 'orMatch') return { any: (inner['valueMatchers'] as readonly Json[]).map((one) => entryOf(path, one)) }
  if (kind !== 'stringMatch') throw new NotRead(`\`${kind}\` of an entry`)
  const [how, said] = only(inner)
  if (how === 'exact') return value1(path, 'list', String(said))
  if (how === 'safeRegex' && regexOf(said) === '') return value1(path, 'list', '')
  if (how === 'safeRegex' && regexOf(said) === TEXT) return { token: { is: 'texts', path } }
  throw new NotRead('an entry')
}

function regexOf(value: unknown): string {
  const { regex, ...rest } = value as Json
  nothingElse(rest)
  return String(regex)
}

function literals(path: string): PathTemplate['segments'] {
  if (!path.startsWith('/')) throw new NotRead(`path \`${path}\``)
  return path
    .slice(1)
    .split('/')
    .map((text) => ({ kind: 'literal', text }))
}

/** `/a/[^/]+/b`, and `.*` at the end. */
function templateOf(regex: string): PathTemplate {
  const PARAMETER = '[^/]+'
  if (!regex.startsWith('/')) throw new NotRead(`path \`${regex}\``)
  const segments: PathTemplate['segments'][number][] = []
  let at = 1
  for (;;) {
    if (regex.slice(at) === '.*') return { segments, rest: true }
    if (regex.startsWith(PARAMETER, at)) {
      segments.push({ kind: 'parameter' })
      at += PARAMETER.length
    } else {
      let text = ''
      for (; at < regex.length && regex[at] !== '/'; at++) {
        if (regex[at] === '\\') at++
        else if (/[\^$.*+?()[\]{}|]/.test(regex[at]!)) throw new NotRead(`path \`${regex}\``)
        text += regex[at] ?? ''
      }
      segments.push({ kind: 'literal', text })
    }
    if (at >= regex.length) return { segments, rest: false }
    if (regex[at] !== '/') throw new NotRead(`path \`${regex}\``)
    at++
  }
}

function only(value: Json): readonly [string, unknown] {
  const [entry, ...others] = Object.entries(value)
  if (entry === undefined || others.length > 0) throw new NotRead(`${Object.keys(value).join(', ')} together`)
  return entry
}

function nothingElse(rest: object): void {
  const [key] = Object.keys(rest)
  if (key !== undefined) throw new NotRead(`\`${key}\``)
}

/** A tree of a condition without numbers of nodes, its members in one order. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  const isNode = Object.keys(value).some((key) => key.endsWith('Expr'))
  const kept = Object.entries(value).filter(([key]) => !(isNode && key === 'id'))
  return Object.fromEntries(kept.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, plain(inner)]))
}

/** What was read, where the answers about the request, and some about the token, are known. */
export function settled(read: Read, request: (atom: RequestAtom) => boolean, token: (test: TokenTest) => Formula): Formula {
  if ('token' in read) return token(read.token)
  if ('request' in read) return request(read.request) ? ALWAYS : NEVER
  if ('not' in read) return not(settled(read.not, request, token))
  const [parts, join, last] = 'all' in read ? [read.all, all, isNever] : [read.any, any, isAlways]
  const made: Formula[] = []
  for (const part of parts) {
    const one = settled(part, request, token)
    if (last(one)) return one
    made.push(one)
  }
  return join(...made)
}

/** Every question about a request in it. */
export function* requestAtoms(read: Read): Generator<RequestAtom> {
  if ('request' in read) yield read.request
  else if ('not' in read) yield* requestAtoms(read.not)
  else if ('all' in read || 'any' in read) for (const one of 'all' in read ? read.all : read.any) yield* requestAtoms(one)
}

/** Every question about a token in a formula. */
export function* testsOf(formula: Formula): Generator<TokenTest> {
  if ('test' in formula) yield formula.test
  else if ('not' in formula) yield* testsOf(formula.not)
  else for (const one of 'all' in formula ? formula.all : formula.any) yield* testsOf(one)
}

/** The same formula, with each question as it is read back: one value at a time, and words as the patterns that stand for them. */
export function asRead(formula: Formula): Formula {
  if ('all' in formula) return all(...formula.all.map(asRead))
  if ('any' in formula) return any(...formula.any.map(asRead))
  if ('not' in formula) return not(asRead(formula.not))
  const one = formula.test
  if (one.is === 'word') return test({ is: 'matches', path: one.path, pattern: wordPattern(one.word) })
  if (one.is === 'value') return any(...one.values.map((value) => test({ ...one, values: [value] })))
  if (one.is === 'type' && one.type === 'boolean') return booleans(one.path)
  if (one.is === 'address') return any(...one.networks.map((network) => test({ is: 'address', networks: [network] })))
  return formula
}
