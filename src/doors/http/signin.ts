import type { Proof } from '../../core/stepup.ts'
import type { CanonicalRequest } from '../../http/canonical.ts'
import type { Cookie } from '../../http/cookies.ts'
import { page, problem } from '../../http/problem.ts'
import type { Answer, OwnRequest } from '../../http/engine.ts'
import type { Caller } from '../../http/forwarded.ts'
import { eventsPath, type SecurityEvents } from './events.ts'
import { logoutPath, type ProviderLogout } from './logout.ts'
import { isSameOrigin } from './origin.ts'
import type { ServedResource } from './resources.ts'

/** Browser sign-in and sessions, as the door needs them. Who implements it owns the cookies' names and contents. */
export interface BrowserSignIn {
  /** Name of the session cookie on https and on http origins. */
  sessionCookie(secure: boolean): string
  /** Whether a cookie is the gateway's: never forwarded, never set by an upstream. */
  ownsCookie(name: string): boolean
  /** A `Set-Cookie` value by which a browser forgets the session cookie. */
  forget(secure: boolean): string
  /** Sends the browser to the issuer. `returnTo` is path and query on `origin`; the sign-in counts only if it proves `prove`. */
  begin(at: SignInContext & { readonly returnTo: string; readonly prove?: readonly Proof[] | undefined }): Promise<SignInAnswer>
  /** Takes an answer: whose callback it came to, whether or not there is such an issuer, and the query of the URL. */
  callback(at: SignInContext & { readonly callback: string; readonly query: string }): Promise<SignInAnswer>
  /** Ends the session at once. */
  signOut(at: SignInContext): Promise<SignInAnswer>
}

export interface SignInContext {
  readonly issuer: string
  readonly resource: string
  /** Scheme and host under which the browser sees the resource. The callback is `/.ostiary/callback/<issuer>` on it. */
  readonly origin: string
  readonly secure: boolean
  /** The gateway's own cookies that came with the request. */
  readonly cookies: readonly Cookie[]
  readonly ip: string
}

export type SignInAnswer =
  | { readonly kind: 'redirect'; readonly location: string; readonly setCookies: readonly string[] }
  | { readonly kind: 'signed-out'; readonly setCookies: readonly string[] }
  /** `reason` is fit for the caller: lower case, one line. */
  | { readonly kind: 'refused'; readonly reason: string; readonly setCookies: readonly string[] }
  | { readonly kind: 'unavailable' }

export const OWN_PATH = '/.ostiary'
const CALLBACK_PATH = `${OWN_PATH}/callback`

/** Where the browser sees the resource: as configured, or else by the host that was matched. */
export function originOf(resource: ServedResource, request: CanonicalRequest, caller: Caller): string {
  const { publicUrl } = resource.config
  return publicUrl === undefined ? `${caller.secure ? 'https' : 'http'}://${request.host}` : new URL(publicUrl).origin
}

/** Turns what sign-in says into a response. Nothing of it may be cached, and its pages are framed by nobody. */
export function signInAnswer(answer: SignInAnswer): Answer {
  switch (answer.kind) {
    case 'redirect':
      return {
        kind: 'answer',
        status: 302,
        fields: ['Location', answer.location, 'Cache-Control', 'no-store', ...setCookies(answer.setCookies)],
        body: '',
      }
    case 'signed-out':
      return page(200, 'You are signed out', 'The session has ended.', setCookies(answer.setCookies))
    case 'refused':
      return problem('http/sign-in-failed', { detail: answer.reason, html: true, fields: setCookies(answer.setCookies) })
    case 'unavailable':
      return problem('http/unavailable', { html: true, fields: ['Retry-After', '5'] })
  }
}

function setCookies(values: readonly string[]): string[] {
  return values.flatMap((value) => ['Set-Cookie', value])
}

export interface OwnPathParts {
  readonly signIn: BrowserSignIn | undefined
  readonly logout: ProviderLogout | undefined
  readonly events: SecurityEvents | undefined
  /** Caller's address. */
  readonly ip: string
  readonly jwks: () => object
  /** Of the token endpoint. */
  readonly metadata: () => object
}

/** What is served under `/.ostiary/` on every resource's host. None of it reaches the upstream. */
export function ownPath(
  request: CanonicalRequest,
  resource: ServedResource,
  context: SignInContext | undefined,
  parts: OwnPathParts,
): Answer | OwnRequest | Promise<Answer> {
  const { method } = request
  switch (request.path) {
    case `${OWN_PATH}/jwks.json`:
      if (method !== 'GET' && method !== 'HEAD') return notAllowed('GET, HEAD')
      return {
        kind: 'answer',
        status: 200,
        fields: ['Content-Type', 'application/jwk-set+json', 'Cache-Control', 'public, max-age=300'],
        body: JSON.stringify(parts.jwks()),
      }
    case `${OWN_PATH}/token`:
    case `${OWN_PATH}/oauth-authorization-server`: {
      const { assertion } = resource.config
      if (assertion === false || !assertion.issue) break
      if (request.path === `${OWN_PATH}/token`) return notAllowed('POST')
      if (method !== 'GET' && method !== 'HEAD') return notAllowed('GET, HEAD')
      return {
        kind: 'answer',
        status: 200,
        fields: ['Content-Type', 'application/json', 'Cache-Control', 'public, max-age=300'],
        body: JSON.stringify(parts.metadata()),
      }
    }
    case `${OWN_PATH}/sign-out`:
      if (parts.signIn === undefined || context === undefined) break
      if (method === 'GET') return signOutPage(resource.name)
      if (method !== 'POST') return notAllowed('GET, POST')
      if (!isSameOrigin(request, context.origin)) return problem('http/cross-site', { html: true })
      return parts.signIn.signOut(context).then(signedOut, unavailable)
    default: {
      const { signIn, logout, events, ip } = parts
      const answer =
        (signIn === undefined || context === undefined ? undefined : callbackAnswer(request, context, signIn)) ??
        (events === undefined ? undefined : eventsPath(request, ip, events)) ??
        (logout === undefined ? undefined : logoutPath(request, ip, logout))
      if (answer !== undefined) return answer
    }
  }
  return problem('http/not-found', {})
}

/** What is answered below `/.ostiary/callback`; undefined elsewhere. */
function callbackAnswer(request: CanonicalRequest, context: SignInContext, signIn: BrowserSignIn): Answer | Promise<Answer> | undefined {
  const { method, path, query } = request
  if (path !== CALLBACK_PATH && !path.startsWith(`${CALLBACK_PATH}/`)) return undefined
  if (method !== 'GET') return notAllowed('GET')
  const callback = path.slice(CALLBACK_PATH.length + 1)
  // The names that issuers can have: no other was ever registered.
  if (!/^[a-z][a-z0-9-]{0,62}$/.test(callback)) return problem('http/callback', { html: true })
  return signIn.callback({ ...context, callback, query: query.slice(1) }).then(signInAnswer, unavailable)
}

function unavailable(): Answer {
  return signInAnswer({ kind: 'unavailable' })
}

function notAllowed(methods: string): Answer {
  return problem('http/method-not-allowed', { fields: ['Allow', methods] })
}

/** The issuer's own sign-out comes by `Refresh`: a redirect of a posted form is bound by the page's `form-action` as the form is. */
function signedOut(answer: SignInAnswer): Answer {
  if (answer.kind !== 'redirect') return signInAnswer(answer)
  const fields = ['Refresh', `0; url=${answer.location}`, ...setCookies(answer.setCookies)]
  return page(200, 'You are signed out', 'The session has ended here. Your identity provider is asked to end its own.', fields)
}

function signOutPage(resource: string): Answer {
  return page(
    200,
    'Sign out',
    `This ends your session at ${resource}.`,
    [],
    `<form method="post" action="${OWN_PATH}/sign-out"><button>Sign out</button></form>`,
  )
}
