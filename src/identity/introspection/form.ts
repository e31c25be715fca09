/** What tokens of the gateway's own making begin with: they are nobody else's to see. */
export const GATEWAY_PREFIX = 'ostiary-'

/** RFC 6750 §2.1. */
const B64TOKEN = /^[A-Za-z0-9._~+/-]+=*$/

/**
 * Whether a token is opaque, and begins with one of `prefixes`. Three parts are a JWT, five an encrypted one, and `ey` begins most of
 * either, be they good or not: what another issuer made is not shown to this one because a part of it got lost.
 */
export function isOpaque(token: string, prefixes: readonly string[]): boolean {
  if (token.startsWith(GATEWAY_PREFIX) || !B64TOKEN.test(token)) return false
  const dots = token.split('.', 6).length - 1
  if (dots === 2 || dots === 4 || (dots > 0 && token.startsWith('ey'))) return false
  return prefixes.some((prefix) => token.startsWith(prefix))
}
