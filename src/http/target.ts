import { isIPv6 } from 'node:net'
import type { Code } from '../core/errors.ts'

/** A part of the request in its one form, or the code of why it has none. */
export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly code: Code }

const refused = (code: Code): { readonly ok: false; readonly code: Code } => ({ ok: false, code })

/** pchar of RFC 3986 §3.3 without `%` and without `;`, whose meaning differs between servers. */
const PATH_CHARACTER = characterTable("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,=:@")
const UNRESERVED = characterTable('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~')

function characterTable(characters: string): Uint8Array {
  const table = new Uint8Array(256)
  for (const character of characters) table[character.charCodeAt(0)] = 1
  return table
}

function hex(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const letter = code | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

/** The byte that `%xx` at `at` stands for, or -1. */
function encodedByte(text: string, at: number): number {
  const high = hex(text.charCodeAt(at + 1))
  const low = hex(text.charCodeAt(at + 2))
  return high < 0 || low < 0 ? -1 : high * 16 + low
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

export function isUtf8(bytes: Uint8Array): boolean {
  try {
    utf8.decode(bytes)
    return true
  } catch {
    return false
  }
}

/**
 * The path as received, or why it is refused: every path that another server could read as a different one. That is empty
 * segments, dot segments, path parameters, backslashes, encoded separators, encoded unreserved characters, control
 * characters, double encodings, and what isn't UTF-8.
 */
export function canonicalPath(raw: string): Parsed<string> {
  if (raw.charCodeAt(0) !== 0x2f) return refused('http/target-form')
  let segment = 1
  let encoded = false
  for (let i = 1; i <= raw.length; i++) {
    const code = i === raw.length ? 0x2f : raw.charCodeAt(i)
    if (code === 0x2f) {
      const length = i - segment
      if (length === 0 && i < raw.length) return refused('http/path-empty-segment')
      if (isDots(raw, segment, length)) return refused('http/path-dots')
      segment = i + 1
    } else if (code === 0x25) {
      encoded = true
    } else if (code > 0xff || PATH_CHARACTER[code] !== 1) {
      return refused(code === 0x23 ? 'http/fragment' : 'http/path-character')
    }
  }
  return encoded ? canonicalEncodings(raw) : { ok: true, value: raw }
}

function isDots(raw: string, start: number, length: number): boolean {
  if (length === 1) return raw.charCodeAt(start) === 0x2e
  return length === 2 && raw.charCodeAt(start) === 0x2e && raw.charCodeAt(start + 1) === 0x2e
}

function canonicalEncodings(raw: string): Parsed<string> {
  let high: number[] = []
  for (let i = raw.indexOf('%'); i >= 0; i = raw.indexOf('%', i + 3)) {
    const byte = encodedByte(raw, i)
    if (byte < 0x20 || byte === 0x7f) return refused('http/path-encoding')
    if (byte === 0x2f || byte === 0x5c || byte === 0x3b) return refused('http/path-separator')
    // `%252e` is `.` to whoever decodes twice.
    if (byte === 0x25 && encodedByte(raw, i + 2) >= 0) return refused('http/path-encoding')
    if (UNRESERVED[byte] === 1) return refused('http/path-unreserved')
    if (byte >= 0x80) high.push(byte)
    if (high.length > 0 && (byte < 0x80 || raw.charCodeAt(i + 3) !== 0x25)) {
      if (!isUtf8(Uint8Array.from(high))) return refused('http/path-encoding')
      high = []
    }
  }
  return { ok: true, value: raw }
}

/** Checks a query (from its `?` on, or empty). It is not decided on and so not rewritten: visible ASCII without `#`, encodings well-formed. */
export function canonicalQuery(raw: string): Parsed<string> {
  for (let i = 0; i < raw.length; i++) {
    const code = raw.charCodeAt(i)
    if (code === 0x23) return refused('http/fragment')
    if (code <= 0x20 || code >= 0x7f) return refused('http/query')
    if (code === 0x25 && encodedByte(raw, i) < 0) return refused('http/query')
  }
  return { ok: true, value: raw }
}

export interface Authority {
  /** Lower case, without trailing dot; IPv6 in brackets. */
  readonly host: string
  /** Undefined for the scheme's default port. */
  readonly port: number | undefined
}

const HOST = /^(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/
const AUTHORITY = /^(\[[0-9A-Fa-f:.]{2,45}\]|[^:[\]@]{1,254})(?::([1-9][0-9]{0,4}))?$/

/** Parses `host[:port]`: host in lower case, one trailing dot and the default port of the scheme removed. No user information. */
export function parseAuthority(text: string, secure: boolean): Authority | undefined {
  const match = AUTHORITY.exec(text)
  if (match === null) return undefined
  let host = match[1]!.toLowerCase()
  if (host.startsWith('[')) {
    if (!isIPv6(host.slice(1, -1))) return undefined
  } else {
    if (host.endsWith('.')) host = host.slice(0, -1)
    if (!HOST.test(host)) return undefined
  }
  const port = match[2] === undefined ? undefined : Number(match[2])
  if (port !== undefined && port > 65_535) return undefined
  return { host, port: port === (secure ? 443 : 80) ? undefined : port }
}

export function formatAuthority({ host, port }: Authority): string {
  return port === undefined ? host : `${host}:${port}`
}

export interface Target {
  /** Canonical path, or `*`. */
  readonly path: string
  /** With its `?`, or empty. */
  readonly query: string
  /** Authority of an absolute-form target. */
  readonly authority: string | undefined
}

/** Parses a request target (RFC 9112 §3.2): origin form, absolute form of this connection's scheme, or `*` with OPTIONS. */
export function parseTarget(raw: string, method: string, secure: boolean): Parsed<Target> {
  if (raw === '*')
    return method === 'OPTIONS' ? { ok: true, value: { path: '*', query: '', authority: undefined } } : refused('http/target-form')
  let rest = raw
  let authority: string | undefined
  if (raw.charCodeAt(0) !== 0x2f) {
    const absolute = /^(https?):\/\/([^/?#]+)(\/.*|)$/i.exec(raw)
    if (absolute === null || absolute[1]!.toLowerCase() !== (secure ? 'https' : 'http'))
      return refused(raw.includes('#') ? 'http/fragment' : 'http/target-form')
    authority = absolute[2]!
    rest = absolute[3] === '' ? '/' : absolute[3]!
  }
  const cut = rest.indexOf('?')
  const path = canonicalPath(cut < 0 ? rest : rest.slice(0, cut))
  if (!path.ok) return path
  const query = canonicalQuery(cut < 0 ? '' : rest.slice(cut))
  if (!query.ok) return query
  return { ok: true, value: { path: path.value, query: query.value, authority } }
}
