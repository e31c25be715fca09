import type { Diagnosis, Place } from './diagnosis.ts'
import type { ErrorContext } from './errors.ts'
import { redirectDiagnosis } from './redirecturi.ts'

/** Errors of OAuth 2.0 and OpenID Connect, where the provider says nothing more exact. */
const explanations: Readonly<Record<string, readonly [cause: string, where: Place, change: string]>> = {
  invalid_client: [
    'the provider does not believe the client: its id or its proof is wrong',
    'wiring',
    'compare `signIn.clientId` with the registration, and see `ostiary doctor issuer` for what the client proves itself with',
  ],
  invalid_grant: [
    'the code, refresh token or assertion is not good: redeemed before, over, revoked, or of another client or redirect URI',
    'client',
    'begin the sign-in anew; redeem a code once, with the redirect URI that was sent before',
  ],
  invalid_scope: [
    'a scope is not known, or this client may not have it',
    'registration',
    'compare `signIn.scopes` with the scopes that the provider lets this client ask for',
  ],
  invalid_request: [
    'the provider misses a parameter, or has one twice',
    'client',
    'see its `error_description`; PKCE, `scope` and `redirect_uri` are the usual ones',
  ],
  unauthorized_client: [
    'the client may not use this grant',
    'registration',
    'allow the grant for the client: authorization code for browsers, device code for `ostiary login --device`, client credentials for services',
  ],
  unsupported_grant_type: [
    'the provider has no such grant',
    'client',
    'use another: `ostiary login --browser` needs the authorization code only',
  ],
  unsupported_response_type: [
    'the provider does not let this client have codes',
    'registration',
    'allow the authorization code flow for the client',
  ],
  access_denied: [
    'the sign-in was declined, by the person or by a rule of the provider',
    'registration',
    'assign the person to the application at the provider; its own log says which rule it was',
  ],
  consent_required: [
    'nobody has consented to what the client asks for',
    'registration',
    'consent once, or have an administrator do so for all',
  ],
  interaction_required: [
    'the provider asks for more than it could do unseen',
    'client',
    'sign in interactively; pass `claims` of the error on, where there is one',
  ],
  login_required: ['the provider asks for a sign-in', 'client', 'sign in anew, without `prompt=none`'],
  insufficient_claims: [
    'a stronger sign-in is asked for',
    'client',
    'sign in with the `claims` of the challenge; clients that declare `cp1` do so by themselves',
  ],
  insufficient_scope: [
    'the token’s scopes do not cover the action',
    'client',
    'ask for a scope that the resource lists for it in `scopes`',
  ],
  invalid_token: ['the token was refused', 'client', 'give this command the token itself: it says why'],
  invalid_target: [
    'the provider knows no such resource or audience',
    'registration',
    'define the API at the provider, with the identifier that is asked for',
  ],
  authorization_pending: ['nobody has entered the code yet', 'client', 'enter it in a browser, and wait'],
  authorization_declined: ['whoever entered the code declined', 'client', 'begin anew'],
  bad_verification_code: ['the provider does not know the device code', 'client', 'begin anew'],
  expired_token: ['the device code was not entered in time', 'client', 'begin anew, and enter the code within minutes'],
  slow_down: ['the client asks too often', 'client', 'wait five seconds longer between questions (RFC 8628 §3.5)'],
  use_dpop_nonce: [
    'the proof has to hold the server’s nonce',
    'client',
    'repeat the request with the `DPoP-Nonce` of the answer (RFC 9449 §8)',
  ],
  temporarily_unavailable: ['the provider is not available at the moment', 'elsewhere', 'try again later'],
  server_error: ['the provider has a fault', 'elsewhere', 'try again later, and see its own log'],
}

export function explainOauth(context: ErrorContext): Diagnosis | undefined {
  const { code } = context.error
  if (code === 'redirect_uri_mismatch') return redirectDiagnosis(context)
  const known = code !== undefined && Object.hasOwn(explanations, code) ? explanations[code] : undefined
  if (known === undefined) return undefined
  const [cause, where, change] = known
  return { cause: `${code}: ${cause}`, where, change }
}
