import type { ClaimType, IssuerBase } from '../config/schema.ts'
import type { ClaimValue, Claims } from '../core/principal.ts'
import type { ClaimInfo } from './issuer.ts'
import { isObject, type JsonObject, type JsonValue } from './jose/json.ts'

/** A claim as it is read: its type and where it stands. */
export interface DeclaredClaim {
  readonly name: string
  readonly type: ClaimType
  readonly path: readonly string[]
}

/** What a token says of the declared claims. */
export interface ReadClaims {
  readonly claims: Claims
  readonly unknownClaims: ReadonlySet<string>
}

/** The claims of a kind with those that the configuration declares; a declaration replaces a built-in claim of its name. */
export function declaredClaims(builtIn: Readonly<Record<string, ClaimInfo>>, declared: IssuerBase['claims']): readonly DeclaredClaim[] {
  const all = new Map<string, DeclaredClaim>()
  for (const [name, { type }] of Object.entries(builtIn)) all.set(name, { name, type, path: [name] })
  for (const [name, declaration] of Object.entries(declared)) {
    const { type, path } = typeof declaration === 'string' ? { type: declaration, path: undefined } : declaration
    all.set(name, { name, type, path: path ?? [name] })
  }
  return [...all.values()]
}

const NONE = Object.freeze(Object.create(null) as JsonObject)
const NOTHING: ReadonlySet<string> = new Set()

/**
 * Reads the declared claims. One that is absent is absent. Of a list, entries that are no texts are passed over: so do enforcement points
 * that a policy is compiled for, which can't tell such a list from another. One that can't be told is unknown: of another type than
 * declared (never coerced), or said to be elsewhere by `_claim_names` (OpenID Connect Core §5.6.2), which is also how Entra marks a group overage.
 * @param derived Members that stand in place of those that the payload has. Has no prototype.
 */
export function readClaims(payload: JsonObject, declared: readonly DeclaredClaim[], derived: JsonObject = NONE): ReadClaims {
  const claims = bare<ClaimValue>()
  let unknownClaims: Set<string> | undefined
  const elsewhere = payload['_claim_names']
  for (const { name, type, path } of declared) {
    if (isElsewhere(elsewhere, path[0]!)) {
      unknownClaims = (unknownClaims ?? new Set()).add(name)
      continue
    }
    const found = follow((path[0] ?? name) in derived ? derived : payload, path)
    if (found === ABSENT) continue
    const value = typed(found, type)
    if (value === undefined) unknownClaims = (unknownClaims ?? new Set()).add(name)
    else claims[name] = value
  }
  return { claims, unknownClaims: unknownClaims ?? NOTHING }
}

/**
 * An object without a prototype. Not one that begins without: the engine keeps those as tables, which take five times the memory, and each
 * is held for as long as its token.
 */
export function bare<T>(): Record<string, T> {
  return Object.setPrototypeOf({}, null) as Record<string, T>
}

/** A copy with other members; those that are undefined are taken away. Has no prototype. */
export function withMembers(payload: JsonObject, members: Readonly<Record<string, JsonValue | undefined>>): JsonObject {
  // Spread and not assigned to an object that begins without a prototype: the engine has a far slower form for those.
  const derived = Object.setPrototypeOf({ ...payload, ...members }, null) as Record<string, JsonValue>
  for (const name of Object.keys(members)) if (members[name] === undefined) delete derived[name]
  return derived
}

/** `_claim_names` that isn't a map could mean anything: then every claim is elsewhere. */
function isElsewhere(names: JsonValue | undefined, claim: string): boolean {
  if (names === undefined) return false
  return isObject(names) ? claim in names : true
}

const ABSENT = Symbol('absent')

/** The value at a path; `undefined` where the way there isn't made of objects. */
function follow(payload: JsonObject, path: readonly string[]): JsonValue | typeof ABSENT | undefined {
  let at: JsonValue | undefined = payload
  for (const name of path) {
    if (!isObject(at)) return undefined
    if (!(name in at)) return ABSENT
    at = at[name]
  }
  return at
}

function typed(value: JsonValue | undefined, type: ClaimType): ClaimValue | undefined {
  switch (type) {
    case 'string':
      return typeof value === 'string' ? value : undefined
    case 'number':
      return typeof value === 'number' ? value : undefined
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined
    case 'list':
      if (!Array.isArray(value)) return undefined
      // An entry that is no text is none of those that policy can name.
      return value.every(isText) ? value : value.filter(isText)
  }
}

function isText(value: JsonValue): value is string {
  return typeof value === 'string'
}
