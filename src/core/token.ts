/**
 * Questions about a verified token, and what is made of them: the language in which a policy is handed to enforcement points that see
 * tokens and no identities. Every question has an answer for every token, so that *no* is never *could not tell*.
 */

/** Where a value stands: in the header or in the payload, and the names of the members on the way there. */
export interface TokenPath {
  readonly part: 'header' | 'payload'
  readonly names: readonly string[]
}

export type TokenValue = string | number | boolean

/** What a declared claim can be; `list` is one of texts, of which entries of other types are passed over. */
export type TokenValueType = 'string' | 'number' | 'boolean' | 'list'

/** `10.0.0.0/8`: an address in its shortest form, and how many of its bits count. */
export interface NativeNetwork {
  readonly address: string
  readonly bits: number
}

export type TokenTest =
  /** There is a value, `null` included. */
  | { readonly is: 'present'; readonly path: TokenPath }
  /** There is a value, of this type. A list may have entries of any type. */
  | { readonly is: 'type'; readonly path: TokenPath; readonly type: TokenValueType | 'object' }
  /** The value is one of these, or a list that has one of these (`type: list`). */
  | { readonly is: 'value'; readonly path: TokenPath; readonly type: TokenValueType; readonly values: readonly TokenValue[] }
  /** A list that has some text. */
  | { readonly is: 'texts'; readonly path: TokenPath }
  /** Both are texts, and the same. */
  | { readonly is: 'same'; readonly path: TokenPath; readonly other: TokenPath }
  /** A text that matches from its first to its last character; RE2's syntax, which every enforcement point shares. */
  | { readonly is: 'matches'; readonly path: TokenPath; readonly pattern: string }
  /** A text of words between single spaces, one of which is this. */
  | { readonly is: 'word'; readonly path: TokenPath; readonly word: string }
  /** A text of at most so many UTF-16 code units, and at least one, none of which is half of a character. */
  | { readonly is: 'length'; readonly path: TokenPath; readonly most: number }
  /** Both are numbers, and the first is larger than the second by at most this. */
  | { readonly is: 'span'; readonly path: TokenPath; readonly since: TokenPath; readonly most: number }
  /** A number of seconds since the epoch that is at most so many seconds from now in the future. */
  | { readonly is: 'past'; readonly path: TokenPath; readonly skew: number }
  /** A number that is on this side of another. */
  | { readonly is: 'compare'; readonly path: TokenPath; readonly op: '<' | '<=' | '>' | '>='; readonly value: number }
  /** The caller's address is in one of these networks. Asks nothing of the token. */
  | { readonly is: 'address'; readonly networks: readonly NativeNetwork[] }
  /** It is before this instant, milliseconds since the epoch. Asks nothing of the token. */
  | { readonly is: 'before'; readonly instant: number }

export type Formula =
  | { readonly all: readonly Formula[] }
  | { readonly any: readonly Formula[] }
  | { readonly not: Formula }
  | { readonly test: TokenTest }

export const ALWAYS: Formula = Object.freeze({ all: Object.freeze([]) })
export const NEVER: Formula = Object.freeze({ any: Object.freeze([]) })

export function isAlways(formula: Formula): boolean {
  return 'all' in formula && formula.all.length === 0
}

export function isNever(formula: Formula): boolean {
  return 'any' in formula && formula.any.length === 0
}

/** All of them, without what is always so. */
export function all(...formulas: readonly Formula[]): Formula {
  const parts = formulas.filter((one) => !isAlways(one)).flatMap((one) => ('all' in one ? one.all : [one]))
  if (parts.some(isNever)) return NEVER
  return parts.length === 1 ? parts[0]! : { all: parts }
}

/** One of them at least, without what never is so. */
export function any(...formulas: readonly Formula[]): Formula {
  const parts = formulas.filter((one) => !isNever(one)).flatMap((one) => ('any' in one ? one.any : [one]))
  if (parts.some(isAlways)) return ALWAYS
  return parts.length === 1 ? parts[0]! : { any: parts }
}

export function not(formula: Formula): Formula {
  if (isAlways(formula)) return NEVER
  if (isNever(formula)) return ALWAYS
  return 'not' in formula ? formula.not : { not: formula }
}

export function test(one: TokenTest): Formula {
  return { test: one }
}

export function payload(...names: readonly string[]): TokenPath {
  return { part: 'payload', names }
}

export function header(...names: readonly string[]): TokenPath {
  return { part: 'header', names }
}

/** A text as an RE2 pattern of itself. */
export function quoted(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}

/** A claim that policy may speak of: where it stands, or, for one that is made of others and always there, when it is true. */
export type NativeClaim =
  | { readonly type: TokenValueType; readonly path: TokenPath; readonly isTrue?: undefined }
  | { readonly type: 'boolean'; readonly isTrue: Formula; readonly path?: undefined }

/** What an issuer's tokens look like to an enforcement point that checks signature, `iss`, `aud`, `exp` and `nbf` by itself. */
export interface NativeIssuer {
  /** The issuer's configured name. */
  readonly name: string
  /** Tells its forms apart, where it has several: one for each `iss`. Unique among all issuers. */
  readonly form: string
  /** The exact `iss` of its tokens. */
  readonly iss: string
  /** Accepted `aud` values, of which a token has to name one. */
  readonly audiences: readonly string[]
  readonly algorithms: readonly string[]
  /**
   * True only of tokens that Ostiary accepts as well, as an identity without an actor, of which every claim can be told. What else it
   * accepts is refused there: narrower, and said so.
   */
  readonly credential: Formula
  /** Claims at the top level that together name the subject for good: `sub`, or `tid` and `oid`. */
  readonly subject: readonly string[]
  /** Names of what it refuses although Ostiary may accept it, for people to read. */
  readonly narrower: readonly string[]
  /** Declared claims: where they stand, and what type they have if they are there. */
  readonly claims: Readonly<Record<string, NativeClaim>>
  /** Declared claims that can't be asked about: Ostiary derives them. Not to be taken for claims that there are not. */
  readonly derived: readonly string[]
  /** Claims at the top level by which a revocation may name the token, and those by which it may name the client. */
  readonly tokenId: string
  readonly clients: readonly string[]
  readonly appOnly: Formula
  readonly listedClient: Formula
  /** Kinds of principal that its tokens can be of. */
  readonly kinds: Readonly<Record<string, Formula>>
  /** Whether the token is capped by scopes, and whether it has a scope. */
  readonly capped: Formula
  readonly hasScope: (scope: string) => Formula
}

/** A token as far as it can be asked about, and where it comes from. */
export interface AskedToken {
  /** Whether the caller's address is in one of these networks; default: in none. */
  readonly isIn?: (networks: readonly NativeNetwork[]) => boolean
  readonly header: Readonly<Record<string, unknown>>
  readonly payload: Readonly<Record<string, unknown>>
}

/** Whether a formula is true of a token at an instant (milliseconds since the epoch): the meaning that every translation has to keep. */
export function holdsOf(formula: Formula, token: AskedToken, now: number, matches: (pattern: string, text: string) => boolean): boolean {
  if ('all' in formula) return formula.all.every((one) => holdsOf(one, token, now, matches))
  if ('any' in formula) return formula.any.some((one) => holdsOf(one, token, now, matches))
  if ('not' in formula) return !holdsOf(formula.not, token, now, matches)
  return answer(formula.test, token, now, matches)
}

const ABSENT = Symbol('absent')

function valueAt({ part, names }: TokenPath, token: AskedToken): unknown {
  let at: unknown = token[part]
  for (const name of names) {
    if (typeof at !== 'object' || at === null || Array.isArray(at) || !Object.hasOwn(at, name)) return ABSENT
    at = (at as Readonly<Record<string, unknown>>)[name]
  }
  return at
}

function answer(one: TokenTest, token: AskedToken, now: number, matches: (pattern: string, text: string) => boolean): boolean {
  if (one.is === 'before') return now < one.instant
  if (one.is === 'address') return token.isIn?.(one.networks) === true
  const value = valueAt(one.path, token)
  switch (one.is) {
    case 'present':
      return value !== ABSENT
    case 'type':
      if (one.type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value)
      return one.type === 'list' ? Array.isArray(value) : typeof value === one.type
    case 'value':
      if (one.type === 'list') return Array.isArray(value) && value.some((entry) => one.values.includes(entry as TokenValue))
      return typeof value === one.type && one.values.includes(value as TokenValue)
    case 'texts':
      return Array.isArray(value) && value.some((entry) => typeof entry === 'string')
    case 'same':
      return typeof value === 'string' && value === valueAt(one.other, token)
    case 'matches':
      return typeof value === 'string' && matches(one.pattern, value)
    case 'word':
      return typeof value === 'string' && value.split(' ').includes(one.word)
    case 'length':
      return typeof value === 'string' && value !== '' && value.length <= one.most && !/[\uD800-\uDFFF]/.test(value)
    case 'span': {
      const since = valueAt(one.since, token)
      return typeof value === 'number' && typeof since === 'number' && value - since <= one.most
    }
    case 'compare':
      return typeof value === 'number' && compares(value, one.op, one.value)
    case 'past':
      return typeof value === 'number' && value <= Math.floor(now / 1000) + one.skew
  }
}

function compares(left: number, op: '<' | '<=' | '>' | '>=', right: number): boolean {
  switch (op) {
    case '<':
      return left < right
    case '<=':
      return left <= right
    case '>':
      return left > right
    case '>=':
      return left >= right
  }
}
