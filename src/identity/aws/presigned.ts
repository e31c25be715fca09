/** The bearer token of AWS callers: a presigned `GetCallerIdentity`, taken apart and put together again. */
import { CLOCK_SKEW_MS } from '../../core/clock.ts'
import { Refusal } from '../jose/refusal.ts'
import type { StsEndpoint } from './regions.ts'

/** What such a token begins with; base64url of the presigned URL follows. */
export const TOKEN_PREFIX = 'ostiary-aws-v1.'
/** The signed header that binds a request to one gateway. */
export const AUDIENCE_HEADER = 'x-ostiary-audience'
export const SIGNED_HEADERS = `host;${AUDIENCE_HEADER}`
export const ALGORITHM = 'AWS4-HMAC-SHA256'
export const ACTION = 'GetCallerIdentity'
export const VERSION = '2011-06-15'
/** Longest life that a request may ask for, in seconds: AWS itself takes none that is older. */
export const MAX_EXPIRES = 900
/** Longest presigned URL, in characters. Session tokens are about 1000. */
export const MAX_URL = 8192

const REQUIRED = [
  'Action',
  'Version',
  'X-Amz-Algorithm',
  'X-Amz-Credential',
  'X-Amz-Date',
  'X-Amz-Expires',
  'X-Amz-Signature',
  'X-Amz-SignedHeaders',
] as const
const SESSION_TOKEN = 'X-Amz-Security-Token'

type Name = (typeof REQUIRED)[number] | typeof SESSION_TOKEN

const NAMES: ReadonlySet<string> = new Set<Name>([...REQUIRED, SESSION_TOKEN])

/** A presigned request that may be forwarded. Times are in milliseconds since the epoch. */
export interface PresignedRequest {
  readonly endpoint: StsEndpoint
  /** The query, written anew from what was read. A secret: whoever has it is the caller. */
  readonly query: string
  readonly issuedAt: number
  readonly expiresAt: number
}

export interface PresignedLimits {
  readonly endpoints: ReadonlyMap<string, StsEndpoint>
  /** Milliseconds that a request is believed after it was signed, at most. */
  readonly maxAge: number
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** The token of a presigned URL. */
export function tokenOf(url: string): string {
  return TOKEN_PREFIX + Buffer.from(url, 'latin1').toString('base64url')
}

/**
 * Reads a token. Everything that AWS would see is either known here or refused, so that nothing but a `GetCallerIdentity` of this
 * gateway's audience is ever sent on. @throws Refusal
 */
export function readPresigned(token: string, { endpoints, maxAge, now }: PresignedLimits): PresignedRequest {
  const url = readUrl(token)
  const [authority, search] = cut(url.slice('https://'.length), '/?')
  if (search === undefined || !/^[A-Za-z0-9.-]+$/.test(authority)) throw new Refusal('malformed')
  const endpoint = endpoints.get(authority)
  if (endpoint === undefined) throw new Refusal('issuer')
  const parameters = readQuery(search)
  const value = (name: Name): string => parameters.get(name) ?? missing(name)
  for (const name of REQUIRED) value(name)
  if (value('Action') !== ACTION) throw new Refusal('token-type')
  if (value('Version') !== VERSION) throw new Refusal('claim', 'Version')
  if (value('X-Amz-Algorithm') !== ALGORITHM) throw new Refusal('algorithm')
  checkSignedHeaders(value('X-Amz-SignedHeaders'))
  if (!/^[0-9a-f]{64}$/.test(value('X-Amz-Signature'))) throw new Refusal('claim', 'X-Amz-Signature')
  const sessionToken = parameters.get(SESSION_TOKEN)
  if (sessionToken !== undefined && !/^[A-Za-z0-9+/=_-]+$/.test(sessionToken)) throw new Refusal('claim', SESSION_TOKEN)
  const issuedAt = readDate(value('X-Amz-Date'))
  checkScope(value('X-Amz-Credential'), value('X-Amz-Date').slice(0, 8), endpoint.region)
  const expiresAt = issuedAt + Math.min(readExpires(value('X-Amz-Expires')), maxAge)
  if (issuedAt > now + CLOCK_SKEW_MS) throw new Refusal('issued-in-future')
  if (expiresAt <= now) throw new Refusal('expired')
  const query = [...parameters]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, text]) => `${name}=${encode(text)}`)
    .join('&')
  return { endpoint, query, issuedAt, expiresAt }
}

/** Percent-encoding as Signature Version 4 has it: all but the unreserved characters of RFC 3986, in upper-case hex. */
export function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
}

function readUrl(token: string): string {
  if (!token.startsWith(TOKEN_PREFIX)) throw new Refusal('malformed')
  const encoded = token.slice(TOKEN_PREFIX.length)
  if (encoded.length > Math.ceil((MAX_URL * 4) / 3)) throw new Refusal('too-large')
  const bytes = Buffer.from(encoded, 'base64url')
  if (bytes.toString('base64url') !== encoded) throw new Refusal('malformed')
  const url = bytes.toString('latin1')
  // Visible ASCII: no space, line break or other byte that two readers could take differently.
  if (!/^https:\/\/[\x21-\x7e]+$/.test(url)) throw new Refusal('malformed')
  return url
}

function readQuery(search: string): ReadonlyMap<Name, string> {
  const parameters = new Map<Name, string>()
  for (const part of search.split('&')) {
    const [name, text] = cut(part, '=')
    if (text === undefined || !isName(name)) throw new Refusal('malformed')
    if (parameters.has(name)) throw new Refusal('claim', name)
    parameters.set(name, decode(text))
  }
  return parameters
}

function isName(name: string): name is Name {
  return NAMES.has(name)
}

/** Decodes what is encoded in the one way that Signature Version 4 allows. */
function decode(text: string): string {
  let decoded: string
  try {
    decoded = decodeURIComponent(text)
  } catch {
    throw new Refusal('malformed')
  }
  if (encode(decoded) !== text) throw new Refusal('malformed')
  return decoded
}

/** Exactly these two: without the audience a request could be meant for anybody, and we send no others. */
function checkSignedHeaders(headers: string): void {
  if (headers === SIGNED_HEADERS) return
  throw headers.split(';').includes(AUDIENCE_HEADER) ? new Refusal('claim', 'X-Amz-SignedHeaders') : new Refusal('audience')
}

function checkScope(credential: string, day: string, region: string): void {
  const [keyId = '', ...scope] = credential.split('/')
  if (!/^\w{16,128}$/.test(keyId) || scope.join('/') !== `${day}/${region}/sts/aws4_request`) throw new Refusal('claim', 'X-Amz-Credential')
}

/** `20260101T120000Z`, a time that exists. */
function readDate(text: string): number {
  const iso = text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6.000Z')
  const time = iso === text ? Number.NaN : Date.parse(iso)
  if (Number.isNaN(time) || new Date(time).toISOString() !== iso) throw new Refusal('claim', 'X-Amz-Date')
  return time
}

/** Seconds as written, in milliseconds. STS itself doesn't look at it, so it holds only because we do. */
function readExpires(text: string): number {
  if (!/^(0|[1-9][0-9]{0,8})$/.test(text)) throw new Refusal('claim', 'X-Amz-Expires')
  const seconds = Number(text)
  if (seconds < 1 || seconds > MAX_EXPIRES) throw new Refusal('lifetime')
  return seconds * 1000
}

function missing(name: Name): never {
  throw new Refusal('claim', name)
}

/** What is before and after the first `mark`; nothing after it where there is none. */
function cut(text: string, mark: string): readonly [string, string?] {
  const at = text.indexOf(mark)
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + mark.length)]
}
