import { isObject, readJson, type JsonObject, type JsonValue } from '../../../identity/jose/json.ts'
import { MAX_TOKEN } from '../../../identity/jose/compact.ts'

/** A token as far as it can be read, whatever is wrong with it. Nothing of it is proven. */
export interface Decoded {
  readonly header: JsonObject
  readonly payload: JsonObject
}

/** What may be shown of a token: how it is signed, for whom, by whom, and when. Of all else only the names of its claims. */
export interface TokenView {
  readonly header: Readonly<Record<string, string>>
  readonly claims: Readonly<Record<string, string>>
  /** Instants, RFC 3339. */
  readonly times: Readonly<Record<string, string>>
  /** Names of the claims that are not shown. */
  readonly others: readonly string[]
}

const HEADER = ['typ', 'alg', 'kid'] as const
const CLAIMS = ['iss', 'aud', 'tid', 'ver', 'azp', 'appid', 'scp', 'roles', 'idtyp'] as const
const TIMES = ['iat', 'nbf', 'exp'] as const

/** Longest text that is shown, in characters, and most items of a list. */
const MAX_TEXT = 200
const MAX_ITEMS = 20
const MAX_NAMES = 60

/** Takes a JWT apart without judging it; undefined for what is none. */
export function decoded(token: string): Decoded | undefined {
  if (token.length > MAX_TOKEN) return undefined
  const [head = '', body = '', ...rest] = token.split('.', 4)
  if (rest.length !== 1) return undefined
  const header = readJson(Buffer.from(head, 'base64url'))
  const payload = readJson(Buffer.from(body, 'base64url'))
  return isObject(header) && isObject(payload) ? { header, payload } : undefined
}

export function viewOf({ header, payload }: Decoded): TokenView {
  const named = (from: JsonObject, names: readonly string[]): Record<string, string> =>
    Object.fromEntries(names.filter((name) => from[name] !== undefined).map((name) => [name, shown(from[name])]))
  const times = TIMES.filter((name) => payload[name] !== undefined).map((name) => [name, instant(payload[name]) ?? shown(payload[name])])
  const listed = new Set<string>([...CLAIMS, ...TIMES])
  return {
    header: named(header, HEADER),
    claims: named(payload, CLAIMS),
    times: Object.fromEntries(times) as Record<string, string>,
    others: Object.keys(payload)
      .filter((name) => !listed.has(name))
      .slice(0, MAX_NAMES)
      .map((name) => printable(name, 40)),
  }
}

/** A value for a terminal: printable ASCII, of bounded length, lists joined. */
export function shown(value: JsonValue | undefined): string {
  if (value === undefined) return 'nothing'
  if (typeof value === 'string') return printable(value, MAX_TEXT)
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value)
  if (!Array.isArray(value)) return 'an object'
  const items = value as readonly JsonValue[]
  const told = items.slice(0, MAX_ITEMS).map((item) => (typeof item === 'object' && item !== null ? 'an object' : shown(item)))
  return items.length > MAX_ITEMS ? `${told.join(', ')} and ${items.length - MAX_ITEMS} more` : told.join(', ')
}

/** The same in backticks, or in words where there is nothing. */
export function quoted(value: JsonValue | undefined): string {
  return value === undefined ? 'none' : `\`${shown(value)}\``
}

/** Whatever a token says must neither move the cursor nor look like what the command says itself. */
function printable(text: string, longest: number): string {
  const clean = text.replaceAll(/[^\x20-\x7e]|`/g, '?')
  return clean.length > longest ? `${clean.slice(0, longest)}…` : clean
}

/** Seconds since the epoch → RFC 3339; undefined for what is no instant. */
export function instant(value: JsonValue | undefined): string | undefined {
  if (typeof value !== 'number' || !Number.isFinite(value) || Math.abs(value) > 8.64e12) return undefined
  return new Date(value * 1000).toISOString().replace('.000Z', 'Z')
}
