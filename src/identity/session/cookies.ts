/** Names and attributes of the gateway's own cookies (RFC 6265bis: `__Host-` binds a cookie to https, to its host and to all paths). */

/** A cookie as it came. */
export interface Cookie {
  readonly name: string
  readonly value: string
}

const SESSION = 'ostiary-session'
const ATTEMPT = 'ostiary-attempt-'
const HOST = '__Host-'

const named = (name: string, secure: boolean): string => (secure ? HOST + name : name)

export function sessionCookieName(secure: boolean): string {
  return named(SESSION, secure)
}

/** One cookie per attempt, so that tabs that sign in side by side don't take each other's. */
export function attemptCookieName(attempt: string, secure: boolean): string {
  return named(ATTEMPT + attempt.slice(0, 8), secure)
}

export function isAttemptCookie(name: string, secure: boolean): boolean {
  const start = named(ATTEMPT, secure)
  return name.startsWith(start) && /^[A-Za-z0-9_-]{8}$/.test(name.slice(start.length))
}

/** Whether a cookie is the gateway's, in whatever case: then it goes to no application, and no application sets it. */
export function ownsCookie(name: string): boolean {
  const plain = name.toLowerCase().replace(/^__(?:host|secure)-/, '')
  return plain === SESSION || plain.startsWith(ATTEMPT)
}

/** `Set-Cookie` for one of them. @param seconds Life; without it, as long as the browser is open. */
export function setCookie(name: string, value: string, secure: boolean, seconds?: number): string {
  const life = seconds === undefined ? '' : `; Max-Age=${seconds}`
  return `${name}=${value}; Path=/; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}${life}`
}

export function forgetCookie(name: string, secure: boolean): string {
  return setCookie(name, '', secure, 0)
}
