/** What a field name means to a gateway, whatever its value. */
export type NameKind =
  /** Goes on to the other side. */
  | 'end-to-end'
  /** Speaks of this connection only (RFC 9110 §7.6.1). */
  | 'hop-by-hop'
  /** Read by the gateway and written anew, or not at all: host, framing, credentials, forwarding. */
  | 'own'
  /** An identity or control name, in whatever spelling, that only a gateway may write: dropped. */
  | 'reserved'
  /** Not a token of RFC 9110 §5.6.2. */
  | 'invalid'
  /** Holds `_`, which CGI-like servers can't tell from `-`. */
  | 'underscore'

export interface NameInfo {
  readonly lower: string
  readonly kind: NameKind
}

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
])

const OWN = new Set([
  'host',
  'content-length',
  'expect',
  'authorization',
  'dpop',
  'cookie',
  'x-forwarded-for',
  'x-forwarded-proto',
  'traceparent',
  'tracestate',
])

/** Folds of the names above: `Content.Length` reads as `Content-Length` to some server, so only the exact spelling is that field. */
const EXACT_ONLY = new Set([...HOP_BY_HOP, ...OWN].map(fold))

/** Folds of names by which some gateway or framework is told who calls or what to do. Whatever starts with one is reserved. */
const RESERVED_PREFIXES = [
  'ostiary',
  'xostiary',
  'xforwarded',
  'forwarded',
  'xoriginal',
  'xrewrite',
  'xhttpmethod',
  'xmethodoverride',
  'xmiddleware',
  'xenvoy',
  'xrealip',
  'xclusterclientip',
  'clientip',
  'xclientip',
  'xamznoidc',
  'trueclientip',
  'cfconnectingip',
  'cfaccess',
  'xclientcert',
  'xclientverify',
  'xclientdn',
  'xsslclient',
  'sslclient',
  'xremote',
  'remoteuser',
  'remotegroup',
  'remotename',
  'remoteemail',
  'impersonate',
  'xauthrequest',
  'xauthenticated',
  'xauthentik',
  'xauthelia',
  'xpomerium',
  'xgoogauthenticated',
  'xgoogiap',
  'xmsclientprincipal',
  'xmstoken',
  'xwebauth',
  'xjwtassertion',
  'xuser',
  'proxy',
] as const

/** `X-Forwarded.User` → `xforwardeduser`: the form in which names are compared, as loosely as the loosest server behind. */
export function fold(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

function classify(name: string): NameInfo {
  const lower = name.toLowerCase()
  if (!TOKEN.test(name)) return { lower, kind: 'invalid' }
  if (name.includes('_')) return { lower, kind: 'underscore' }
  if (HOP_BY_HOP.has(lower)) return { lower, kind: 'hop-by-hop' }
  if (OWN.has(lower)) return { lower, kind: 'own' }
  const folded = fold(lower)
  if (folded === '' || EXACT_ONLY.has(folded) || RESERVED_PREFIXES.some((prefix) => folded.startsWith(prefix)))
    return { lower, kind: 'reserved' }
  return { lower, kind: 'end-to-end' }
}

/** Names are few and repeat: the first so many, not longer than so much, are remembered. */
const MAX_KNOWN = 1000
const MAX_KNOWN_LENGTH = 64
const known = new Map<string, NameInfo>()

/** Classifies a field name of a request. Case-insensitive; total. */
export function nameInfo(name: string): NameInfo {
  const found = known.get(name)
  if (found !== undefined) return found
  const info = classify(name)
  if (known.size < MAX_KNOWN && name.length <= MAX_KNOWN_LENGTH) known.set(name, info)
  return info
}

const dropped = new Map<string, boolean>()

/** Whether a field of a response is the gateway's or the connection's, so that an upstream's is dropped. `Alt-Svc` would lead past the gateway. */
export function isDroppedFromResponse(lower: string): boolean {
  const found = dropped.get(lower)
  if (found !== undefined) return found
  const drop =
    HOP_BY_HOP.has(lower) ||
    lower === 'alt-svc' ||
    lower === 'clear-site-data' ||
    lower.startsWith(':') ||
    fold(lower).startsWith('ostiary')
  if (dropped.size < MAX_KNOWN && lower.length <= MAX_KNOWN_LENGTH) dropped.set(lower, drop)
  return drop
}

/** Fields that must not be in a trailer section (RFC 9110 §6.5.1), besides those that a gateway drops anyway. */
const NEVER_IN_TRAILERS =
  /^(content-|access-control-|set-cookie$|www-authenticate$|cache-control$|expires$|date$|age$|vary$|location$|range$|if-|te$|trailer$|max-forwards$|pragma$|retry-after$)/

export function isAllowedInTrailers(name: string): boolean {
  const { lower, kind } = nameInfo(name)
  return kind === 'end-to-end' && !NEVER_IN_TRAILERS.test(lower)
}
