/**
 * The one canonical request (design, invariant 1). It is built from the raw target and the raw header lines alone; the
 * decision is made on it and the upstream request is written from it. Whatever is ambiguous is refused, never repaired.
 */
import type { Code } from '../core/errors.ts'
import type { RawRequest, UpgradeProtocol } from './engine.ts'
import { scanFields, tokens, withoutListed, type CanonicalLimits, type ReadFields, type Scan } from './fields.ts'
import { formatAuthority, parseAuthority, parseTarget, type Authority } from './target.ts'

/** What follows the head: nothing, so many bytes, or bytes until the message says that it ends. */
export type BodyFraming = 'none' | 'until-end' | number

export interface CanonicalRequest {
  /** Case-sensitive; `GET` for a WebSocket handshake, also over HTTP/2. */
  readonly method: string
  readonly authority: Authority
  /** `host[:port]`, as it is forwarded. */
  readonly host: string
  /** Canonical path, or `*`. Decided and forwarded. */
  readonly path: string
  /** With its `?`, or empty. Forwarded as received, not decided on. */
  readonly query: string
  readonly body: BodyFraming
  /** End-to-end fields that the gateway neither reads nor writes: names and values alternating, as received and in order. */
  readonly fields: readonly string[]
  /** Values of `Authorization` lines. */
  readonly authorization: readonly string[]
  /** Values of `DPoP` lines. */
  readonly dpop: readonly string[]
  /** The `Cookie` value; crumbs of HTTP/2 are joined. */
  readonly cookie: string | undefined
  /** Fields by lower-case name that the gateway reads, all of them end-to-end. */
  readonly read: ReadFields
  readonly expectsContinue: boolean
  readonly acceptsTrailers: boolean
  readonly announcesTrailers: boolean
  readonly upgrade: UpgradeProtocol | undefined
  readonly forwardedFor: readonly string[]
  readonly forwardedProto: readonly string[]
  readonly traceparent: readonly string[]
  readonly tracestate: readonly string[]
}

/** Why a request has no canonical form. Host and authority where they could be told, so that the refusal can be recorded. */
export interface Refusal {
  readonly ok: false
  readonly code: Code
  readonly authority: Authority | undefined
}

export type Canonical = { readonly ok: true; readonly request: CanonicalRequest } | Refusal

const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}$/

/** Builds the canonical request, or says why there is none. Total: never throws, whatever it is given. */
export function canonical(raw: RawRequest, limits: CanonicalLimits): Canonical {
  const scan = scanFields(raw, limits)
  const host = hostOf(raw, scan)
  const authority = typeof host === 'string' ? undefined : host
  const refuse = (code: Code): Refusal => ({ ok: false, code, authority })

  if (scan.problem !== undefined) return refuse(scan.problem)
  if (raw.version === 'other') return refuse('http/version')
  if (!METHOD.test(raw.method)) return refuse('http/malformed')
  const websocket = raw.protocol === 'websocket' && raw.method === 'CONNECT'
  if (raw.protocol !== undefined && !websocket) return refuse('http/upgrade')
  if (raw.method === 'TRACE' || (raw.method === 'CONNECT' && !websocket)) return refuse('http/method')
  if (raw.target.length > limits.url) return refuse('http/url-too-long')
  // `:path` has no absolute form (RFC 9113 §8.3.1).
  if (raw.version === '2' && !/^[/*]/.test(raw.target)) return refuse('http/target-form')
  const target = parseTarget(raw.target, raw.method, raw.secure)
  if (!target.ok) return refuse(target.code)
  if (typeof host === 'string') return refuse(host)
  if (target.value.authority !== undefined && !same(parseAuthority(target.value.authority, raw.secure), host))
    return refuse('http/host-mismatch')
  const body = framing(raw, scan)
  if (body === undefined) return refuse('http/framing')
  const expect = scan.expect?.toLowerCase()
  if (expect !== undefined && expect !== '100-continue') return refuse('http/expectation')
  const upgrade =
    websocket || isUpgradeTo('websocket', scan)
      ? 'websocket'
      : limits.spdy === true && isUpgradeTo('spdy/3.1', scan)
        ? 'spdy/3.1'
        : undefined
  if (upgrade === 'websocket' && !isHandshake(raw, scan, websocket, body)) return refuse('http/upgrade')
  if (upgrade === 'spdy/3.1' && (raw.version !== '1.1' || (body !== 'none' && body !== 0))) return refuse('http/upgrade')

  return {
    ok: true,
    request: {
      method: websocket ? 'GET' : raw.method,
      authority: host,
      host: formatAuthority(host),
      path: target.value.path,
      query: target.value.query,
      body: websocket ? 'none' : body,
      fields: scan.connection.length === 0 ? scan.fields : withoutListed(scan.fields, scan.connection),
      authorization: scan.authorization,
      dpop: scan.dpop,
      cookie: scan.cookie.length === 0 ? undefined : scan.cookie.join('; '),
      read: scan.read,
      expectsContinue: expect !== undefined && raw.version !== '1.0' && body !== 'none',
      acceptsTrailers: scan.te.some((value) => tokens(value).includes('trailers')),
      announcesTrailers: scan.trailer && body === 'until-end',
      upgrade,
      forwardedFor: scan.forwardedFor,
      forwardedProto: scan.forwardedProto,
      traceparent: scan.traceparent,
      tracestate: scan.tracestate,
    },
  }
}

/** The host that the request names, once. Over HTTP/2 that is `:authority`, and a `host` beside it has to say the same. */
function hostOf(raw: RawRequest, scan: Scan): Authority | Code {
  if (scan.host.length > 1) return 'http/host-duplicate'
  const named = scan.host[0] === undefined ? undefined : (parseAuthority(scan.host[0], raw.secure) ?? 'http/host-invalid')
  if (raw.version !== '2') return named ?? 'http/host-missing'
  if (raw.scheme !== (raw.secure ? 'https' : 'http')) return 'http/target-form'
  if (raw.authority === undefined) return named ?? 'http/host-missing'
  const authority = parseAuthority(raw.authority, raw.secure)
  if (authority === undefined) return 'http/host-invalid'
  return named === undefined || (typeof named !== 'string' && same(named, authority)) ? authority : 'http/host-mismatch'
}

function same(a: Authority | undefined, b: Authority): boolean {
  return a !== undefined && a.host === b.host && a.port === b.port
}

/** RFC 9112 §6.3, without its leniency: both fields, HTTP/1.0 with a transfer coding, or any coding but `chunked`, is refused. */
function framing(raw: RawRequest, scan: Scan): BodyFraming | undefined {
  const [length] = scan.contentLength
  const [coding] = scan.transferEncoding
  if (length !== undefined && !/^[0-9]{1,15}$/.test(length)) return undefined
  if (coding !== undefined) {
    if (raw.version !== '1.1' || length !== undefined || coding.toLowerCase() !== 'chunked') return undefined
    return 'until-end'
  }
  if (raw.version === '2')
    return raw.endStream
      ? Number(length ?? 0) === 0
        ? length === undefined
          ? 'none'
          : 0
        : undefined
      : length === undefined
        ? 'until-end'
        : Number(length)
  return length === undefined ? 'none' : Number(length)
}

/** Exactly `Upgrade: websocket`, asked for by `Connection`. Any other upgrade is left unanswered (RFC 9110 §7.8). */
function isUpgradeTo(protocol: string, scan: Pick<Scan, 'upgrade' | 'connection'>): boolean {
  return (
    scan.upgrade.length === 1 &&
    scan.upgrade[0]!.toLowerCase() === protocol &&
    scan.connection.some((value) => tokens(value).includes('upgrade'))
  )
}

/** RFC 6455 §4.1 and RFC 8441 §5. */
function isHandshake(raw: RawRequest, scan: Scan, extended: boolean, body: BodyFraming): boolean {
  if (scan.read['sec-websocket-version'] !== '13') return false
  if (extended) return body === 'until-end'
  const key = scan.read['sec-websocket-key']
  return raw.version === '1.1' && raw.method === 'GET' && body === 'none' && key !== undefined && /^[A-Za-z0-9+/]{21}[AQgw]==$/.test(key)
}

/** Method and path of a request that has no canonical form, made harmless for the record: cut, and in visible ASCII. */
export function harmless(raw: RawRequest): { readonly method: string; readonly path: string } {
  const path = raw.target.slice(0, 256).split('?')[0]!
  return {
    method: METHOD.test(raw.method) ? raw.method : 'INVALID',
    path: path.replaceAll(
      /[^\x21-\x7e]/g,
      (character) => `%${(character.charCodeAt(0) & 0xff).toString(16).toUpperCase().padStart(2, '0')}`,
    ),
  }
}

/**
 * Whether a parser that found an upgrade should leave the connection to it: the same rule as above, on the raw lines. Node's takes
 * `Proxy-Connection` for `Connection`.
 */
export function asksForSwitch(rawHeaders: readonly string[], protocols: ReadonlySet<string>): boolean {
  const upgrade: string[] = []
  const connection: string[] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const lower = rawHeaders[i]!.toLowerCase()
    if (lower === 'upgrade') upgrade.push(rawHeaders[i + 1]!)
    else if (lower === 'connection') connection.push(rawHeaders[i + 1]!)
  }
  return [...protocols].some((protocol) => isUpgradeTo(protocol, { upgrade, connection }))
}
