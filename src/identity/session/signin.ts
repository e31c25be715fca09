import type { Clock, Entropy } from '../../core/clock.ts'
import { OstiaryError } from '../../core/errors.ts'
import { isLoopbackHost } from '../../config/fields.ts'
import type { Meter } from '../../core/meter.ts'
import type { Identity } from '../../core/principal.ts'
import { Secret } from '../../core/secret.ts'
import { acrValues, claimsRequest, isProven, type Proof } from '../../core/stepup.ts'
import type { SessionStore } from '../../store/sessions.ts'
import type { Issuer, ProviderMetadata, SignInSettings, TokenResult } from '../issuer.ts'
import { Attempts, ATTEMPT_MS, challengeOf, type Attempt } from './attempt.ts'
import { attemptCookieName, forgetCookie, ownsCookie, sessionCookieName, setCookie, type Cookie } from './cookies.ts'
import { redeem, type Redeemed } from './redeem.ts'
import type { Seal } from './seal.ts'
import type { Ended, Given, Sessions } from './sessions.ts'

/**
 * Where an issuer sends the browser back to, below the origin that it came from. Each has its own, so that whose answer it is shows also
 * where the provider doesn't say (RFC 9700 §4.4.2).
 */
export function callbackPath(issuer: string): string {
  return `/.ostiary/callback/${issuer}`
}

export interface SignInContext {
  /** Configured name of the issuer to sign in with. */
  readonly issuer: string
  readonly resource: string
  /** Scheme and host under which the browser sees the resource. */
  readonly origin: string
  readonly secure: boolean
  /** The gateway's own cookies that came with the request. */
  readonly cookies: readonly Cookie[]
  /** Caller's address. */
  readonly ip: string
}

export type SignInAnswer =
  | { readonly kind: 'redirect'; readonly location: string; readonly setCookies: readonly string[] }
  | { readonly kind: 'signed-out'; readonly setCookies: readonly string[] }
  /** `reason` is fit for the caller: lower case, one line, nothing that the provider or the caller wrote. */
  | { readonly kind: 'refused'; readonly reason: string; readonly setCookies: readonly string[] }
  | { readonly kind: 'unavailable' }

/** For the record: somebody signed in or out, or the provider no longer stands for a session. */
export type SignInEvent =
  | {
      readonly kind: 'sign-in' | 'sign-out'
      /** Undefined where a session ended that nobody can read. */
      readonly identity: Identity | undefined
      readonly resource: string
      readonly ip: string
    }
  | { readonly kind: 'session-refused'; readonly identity: Identity; readonly reason: string }
  | {
      readonly kind: 'sign-in-refused'
      readonly identity?: undefined
      /** The answer to a sign-in with one issuer came from another, or to the callback of another. */
      readonly reason: 'mixed-up'
      /** With whom the sign-in was begun. */
      readonly issuer: string
      /** Whose callback the answer came to. */
      readonly callback: string
      readonly resource: string
      readonly ip: string
    }

export interface SignInParts {
  readonly issuers: readonly Issuer[]
  readonly sessions: Sessions
  readonly store: SessionStore
  readonly seal: Seal
  readonly fetch: typeof fetch
  readonly clock: Clock
  readonly entropy: Entropy
  readonly meter: Meter
  readonly log: (line: string) => void
  readonly onEvent: (event: SignInEvent) => void
}

const NOT_BEGUN = 'this sign-in was not begun in this browser, or took too long; try again'
const MIXED_UP = 'the answer came from another identity provider than was asked'

/**
 * Sign-in of browsers, as a relying party of OpenID Connect: authorization code with PKCE, `state`, `nonce` and `iss` (RFC 9700). Whether
 * an answer belongs to this browser is known before its code is redeemed.
 */
export class SignIn {
  readonly #parts: SignInParts
  readonly #attempts: Attempts

  constructor(parts: SignInParts) {
    this.#parts = parts
    this.#attempts = new Attempts(parts.seal, parts.clock, parts.entropy)
  }

  sessionCookie(secure: boolean): string {
    return sessionCookieName(secure)
  }

  ownsCookie(name: string): boolean {
    return ownsCookie(name)
  }

  /** `Set-Cookie` by which the browser forgets its session. */
  forget(secure: boolean): string {
    return forgetCookie(sessionCookieName(secure), secure)
  }

  /**
   * Sends the browser to the issuer. `returnTo` is path and query on `origin`; anything else becomes `/`. With `prove`, the sign-in counts
   * only if it proves that much.
   */
  async begin(at: SignInContext & { readonly returnTo: string; readonly prove?: readonly Proof[] | undefined }): Promise<SignInAnswer> {
    const { issuer, client } = this.#issuer(at.issuer)
    if (issuer === undefined || client === undefined) return refuse('sign-in is not configured here')
    // Without https anybody on the way takes the session; on this machine there is no way.
    if (!at.secure && !isLoopbackHost(new URL(at.origin).hostname)) return refuse('signing in needs https')
    const metadata = await this.#metadata(issuer)
    if (metadata?.authorizationEndpoint === undefined || metadata.tokenEndpoint === undefined) return { kind: 'unavailable' }
    const attempt = this.#attempts.begin(issuer.name, at.origin, at.returnTo, at.prove)
    const cookie = setCookie(attemptCookieName(attempt.id, at.secure), this.#attempts.write(attempt), at.secure, ATTEMPT_MS / 1000)
    const surplus = this.#attempts.surplus(at.cookies, at.secure).map((name) => forgetCookie(name, at.secure))
    this.#count('begun')
    return {
      kind: 'redirect',
      location: authorizationUrl(metadata.authorizationEndpoint, client, attempt),
      setCookies: [...surplus, cookie],
    }
  }

  /** Takes an answer: whose callback it came to, and the query there (RFC 6749 §4.1.2). */
  async callback(at: SignInContext & { readonly callback: string; readonly query: string }): Promise<SignInAnswer> {
    const answer = readAnswer(at.query)
    const attempt = answer?.state === undefined ? undefined : this.#attempts.find(answer.state, at.cookies, at.secure)
    // Before anything else: an answer to the callback of another issuer than was asked is the end of the attempt.
    if (attempt !== undefined && attempt.issuer !== at.callback) return await this.#mixedUp(at, attempt)
    if (answer === undefined || attempt === undefined || attempt.origin !== at.origin || attempt.issuer !== at.issuer) {
      this.#count('not-begun-here')
      return refuse(NOT_BEGUN)
    }
    const forgetAttempt = forgetCookie(attemptCookieName(attempt.id, at.secure), at.secure)
    const end = (outcome: string, reason: string): SignInAnswer => {
      this.#count(outcome)
      return refuse(reason, forgetAttempt)
    }
    const { issuer, client } = this.#issuer(attempt.issuer)
    if (issuer === undefined || client === undefined) return end('refused', NOT_BEGUN)
    const metadata = await this.#metadata(issuer)
    if (metadata === undefined) return { kind: 'unavailable' }
    // Whose answer it is, before anything of it is believed (RFC 9207 §2.4).
    if (answer.iss === undefined ? metadata.issInResponse : answer.iss !== metadata.issuer && !issuer.owns(answer.iss))
      return await this.#mixedUp(at, attempt)
    if (answer.error !== undefined) return end('provider', answer.error)
    if (answer.code === undefined || answer.code === '') return end('refused', NOT_BEGUN)
    if (!(await this.#spend(attempt))) return end('replayed', 'this sign-in is complete already; go back to where you came from')

    const redeemed = await this.#redeem(issuer, client, metadata, answer.code, attempt)
    if (redeemed.outcome === 'unavailable') return { kind: 'unavailable' }
    if (redeemed.outcome === 'refused') return end('refused', 'the identity provider did not complete the sign-in; try again')
    const proven = await issuer.verifyIdToken(redeemed.idToken, { clientId: client.clientId, nonce: attempt.nonce })
    switch (proven.outcome) {
      case 'unavailable':
        return { kind: 'unavailable' }
      case 'rejected':
        this.#parts.log(
          `issuer ${issuer.name}: a sign-in was refused: ${proven.reason}${proven.claim === undefined ? '' : ` ${proven.claim}`}`,
        )
        return end(
          'refused',
          proven.reason === 'tenant' ? 'your account is of a tenant that is not accepted here' : 'the sign-in was refused',
        )
      case 'identity':
        // Going back without it would lead straight here again.
        if (!isProven(attempt.prove ?? [], proven.identity.claims))
          return end('not-proven', 'the identity provider did not confirm the stronger sign-in that this needs')
        return this.#complete(at, attempt, proven.identity, forgetAttempt, given(client, metadata, attempt, redeemed, proven))
    }
  }

  /** Ends the session at once, at the issuer too if it takes part in sign-out (OpenID Connect RP-Initiated Logout). */
  async signOut(at: SignInContext): Promise<SignInAnswer> {
    const handles = this.#handles(at)
    let ended: Ended | undefined
    for (const handle of handles) {
      try {
        ended = (await this.#parts.sessions.end(handle)) ?? ended
      } catch {
        return { kind: 'unavailable' } // ended here, but the store doesn't know yet: that is not what was asked for
      }
    }
    if (ended !== undefined) this.#parts.onEvent({ kind: 'sign-out', identity: ended.identity, resource: at.resource, ip: at.ip })
    const setCookies = [this.forget(at.secure)]
    const { issuer, client } = this.#issuer(ended?.issuer ?? '')
    const endpoint = issuer === undefined ? undefined : (await this.#metadata(issuer))?.endSessionEndpoint
    if (client === undefined || endpoint === undefined) return { kind: 'signed-out', setCookies }
    const location = new URL(endpoint)
    location.searchParams.set('client_id', client.clientId)
    if (ended?.idToken !== undefined) location.searchParams.set('id_token_hint', ended.idToken)
    location.searchParams.set('post_logout_redirect_uri', `${at.origin}/`)
    return { kind: 'redirect', location: location.href, setCookies }
  }

  /** False if it was spent before. */
  #spend({ id, endsAt }: Attempt): Promise<boolean> {
    return this.#parts.store.spend(`attempt ${id}`, endsAt, this.#parts.clock.now())
  }

  /** Nothing of the answer is shown to any issuer, and the attempt is over. */
  async #mixedUp(
    { callback, resource, ip, secure }: SignInContext & { readonly callback: string },
    attempt: Attempt,
  ): Promise<SignInAnswer> {
    this.#count('mixed-up')
    if (await this.#spend(attempt))
      this.#parts.onEvent({ kind: 'sign-in-refused', reason: 'mixed-up', issuer: attempt.issuer, callback, resource, ip })
    return refuse(MIXED_UP, forgetCookie(attemptCookieName(attempt.id, secure), secure))
  }

  async #complete(
    at: SignInContext,
    attempt: Attempt,
    identity: Identity,
    forgetAttempt: string,
    byProvider: Given,
  ): Promise<SignInAnswer> {
    const { sessions, onEvent, log } = this.#parts
    // A session is bound to nothing, whatever the ID token was.
    const { confirmation: _, ...evidence } = identity.evidence
    const signedIn: Identity = { ...identity, evidence: { ...evidence, credential: 'session' } }
    let session
    try {
      // Always a new one, and what the browser brought is over: nobody signs in to a session that somebody else has planted.
      session = await sessions.create(signedIn, undefined, byProvider)
      for (const handle of this.#handles(at)) await sessions.end(handle)
    } catch (error) {
      if (error instanceof OstiaryError && error.code === 'identity/revoked') {
        this.#count('revoked')
        return refuse('your access was revoked; ask the people who run this gateway', forgetAttempt)
      }
      if (error instanceof OstiaryError) log(error.message)
      this.#count('unavailable')
      return { kind: 'unavailable' }
    }
    this.#count('signed-in')
    onEvent({ kind: 'sign-in', identity: session.identity, resource: at.resource, ip: at.ip })
    const cookie = setCookie(sessionCookieName(at.secure), session.handle.reveal(), at.secure)
    return { kind: 'redirect', location: attempt.returnTo, setCookies: [forgetAttempt, cookie] }
  }

  async #redeem(issuer: Issuer, client: SignInSettings, metadata: ProviderMetadata, code: string, attempt: Attempt): Promise<Redeemed> {
    const { fetch, clock, log } = this.#parts
    const { tokenEndpoint, secretIn } = metadata
    if (tokenEndpoint === undefined) return { outcome: 'unavailable', detail: 'it names no token endpoint' }
    const redirectUri = redirectUriOf(attempt)
    try {
      const redeemed = await redeem({ fetch, clock, tokenEndpoint, client, secretIn, code, redirectUri, verifier: attempt.verifier })
      if (redeemed.outcome !== 'tokens') log(`issuer ${issuer.name}: a code was not redeemed: ${redeemed.detail}`)
      return redeemed
    } catch (error) {
      // The client secret can't be read: the operator's to mend, nothing that the caller did.
      if (!(error instanceof OstiaryError)) throw error
      log(`issuer ${issuer.name}: ${error.message}`)
      return { outcome: 'unavailable', detail: error.code }
    }
  }

  #issuer(name: string): { readonly issuer: Issuer | undefined; readonly client: SignInSettings | undefined } {
    const issuer = this.#parts.issuers.find((one) => one.name === name)
    return { issuer, client: issuer?.signIn }
  }

  async #metadata(issuer: Issuer): Promise<ProviderMetadata | undefined> {
    try {
      return await issuer.metadata()
    } catch (error) {
      if (!(error instanceof OstiaryError)) throw error
      this.#count('unavailable')
      return undefined
    }
  }

  #handles({ cookies, secure }: SignInContext): readonly Secret[] {
    return cookies.filter(({ name }) => name === sessionCookieName(secure)).map(({ value }) => new Secret(value))
  }

  #count(outcome: string): void {
    this.#parts.meter.count('identity_sign_ins', { outcome })
  }
}

/** Longest ID token that is kept to sign out with, in characters: it goes into a URL. */
const MAX_HINT = 4_096

/** What of the provider's answer is kept with the session. */
function given(
  { refresh }: SignInSettings,
  { endSessionEndpoint }: ProviderMetadata,
  { nonce }: Attempt,
  { idToken, refreshToken }: Extract<Redeemed, { outcome: 'tokens' }>,
  { expiresAt, sid }: Extract<TokenResult, { outcome: 'identity' }>,
): Given {
  const kept = refresh ? refreshToken : undefined
  const hint = endSessionEndpoint !== undefined && idToken.length <= MAX_HINT ? idToken : undefined
  return { tokens: { refreshToken: kept, nonce, idToken: hint }, provenUntil: kept === undefined ? undefined : expiresAt, sid }
}

function refuse(reason: string, ...setCookies: readonly string[]): SignInAnswer {
  return { kind: 'refused', reason, setCookies }
}

function redirectUriOf({ origin, issuer }: Attempt): string {
  return origin + callbackPath(issuer)
}

function authorizationUrl(endpoint: string, { clientId, scopes }: SignInSettings, attempt: Attempt): string {
  const url = new URL(endpoint)
  const parameters = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUriOf(attempt),
    scope: [...new Set(['openid', ...scopes])].join(' '),
    state: attempt.id,
    nonce: attempt.nonce,
    code_challenge: challengeOf(attempt.verifier),
    code_challenge_method: 'S256',
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  for (const [name, value] of Object.entries(stepUpParameters(attempt.prove ?? []))) url.searchParams.set(name, value)
  return url.href
}

/** `acr` has a parameter of its own, which every provider knows; all else is asked for by name. */
function stepUpParameters(prove: readonly Proof[]): Readonly<Record<string, string>> {
  const classes = acrValues(prove)
  const named = prove.filter(({ claim }) => claim !== 'acr')
  return {
    ...(classes === undefined ? {} : { acr_values: classes }),
    ...(named.length === 0 ? {} : { claims: JSON.stringify({ id_token: claimsRequest(named) }) }),
  }
}

interface CallbackAnswer {
  readonly state: string | undefined
  readonly code: string | undefined
  readonly iss: string | undefined
  /** What may be told of an error; the provider's own text is not passed on. */
  readonly error: string | undefined
}

/** Longest parameter that is looked at, in characters. */
const MAX_PARAMETER = 8_192

/** What is told of the errors of RFC 6749 §4.1.2.1 and OpenID Connect Core §3.1.2.6. */
const TOLD: Readonly<Record<string, string>> = {
  access_denied: 'the sign-in was declined, or your account may not use this application',
  login_required: 'the identity provider asks you to sign in again',
  interaction_required: 'the identity provider asks for more than it could do unseen; try again',
  consent_required: 'consent to this application is missing',
  temporarily_unavailable: 'the identity provider is not available at the moment; try again later',
}

/** Undefined where a parameter that decides comes twice (RFC 6749 §3.1) or is too long. */
function readAnswer(query: string): CallbackAnswer | undefined {
  const parameters = new URLSearchParams(query)
  const read: Record<'state' | 'code' | 'iss' | 'error', string | undefined> = {
    state: undefined,
    code: undefined,
    iss: undefined,
    error: undefined,
  }
  for (const name of Object.keys(read) as (keyof typeof read)[]) {
    const values = parameters.getAll(name)
    if (values.length > 1 || (values[0]?.length ?? 0) > MAX_PARAMETER) return undefined
    read[name] = values[0]
  }
  const { error } = read
  const told = error === undefined ? undefined : Object.hasOwn(TOLD, error) ? TOLD[error] : 'the identity provider refused the sign-in'
  return { ...read, error: told }
}
