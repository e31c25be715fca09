import { CLOCK_SKEW_MS } from '../../../core/clock.ts'
import type { RejectReason } from '../../../core/credential.ts'
import { instant, quoted } from './decoded.ts'
import type { Diagnosis, Place } from './diagnosis.ts'
import { audienceDiagnosis, graphDiagnosis, issuerDiagnosis, keyDiagnosis, tenantDiagnosis } from './origin.ts'
import type { Refused } from './refused.ts'

type Explain = (refused: Refused) => Diagnosis

const simply =
  (cause: string, where: Place, change: string, more: Pick<Diagnosis, 'found' | 'wanted'> = {}): Explain =>
  () => ({ cause, ...more, where, change })

const damaged = 'copy the token whole, without line breaks: it has three parts with dots between them'

/** Every reason for which the gateway refuses a token. */
const explanations: Readonly<Record<RejectReason, Explain>> = {
  malformed: simply('it is no well-formed token', 'client', damaged),
  'too-large': simply(
    'it is longer than any token that is accepted',
    'registration',
    'leave claims out, such as groups: assign roles instead',
    {
      wanted: 'at most 16384 characters',
    },
  ),
  unsigned: (refused) => ({
    cause: 'it is not signed',
    ...algorithmOf(refused),
    where: 'client',
    change: 'send a token as its provider issued it',
  }),
  algorithm: (refused) => ({
    cause: 'it is signed in a way that is not accepted',
    ...algorithmOf(refused),
    where: 'registration',
    change: 'have the provider sign with one of those; of kind `oidc` and `jwt`, `algorithms` may name others',
  }),
  encrypted: simply('it is encrypted', 'registration', 'turn token encryption off for the API, or send a token that is signed only'),
  'critical-header': simply('its header has an extension that has to be understood, and none is', 'client', 'send a plain JWT', {
    wanted: 'no `crit` and no `b64`',
  }),
  'unknown-key': keyDiagnosis,
  signature: (refused) => ({
    cause: 'its signature is wrong: something in it was changed, or another signed it',
    found: `alg ${quoted(refused.token?.header['alg'])}, kid ${quoted(refused.token?.header['kid'])}`,
    where: 'client',
    change: 'get it anew, and send it as it is; a token that was cut off, re-encoded or edited looks like this',
  }),
  expired: (refused) => timed(refused, 'exp', 'it has ended', 'client', 'get a new one; keep tokens no longer than `expires_in` says'),
  'not-yet-valid': (refused) =>
    timed(
      refused,
      'nbf',
      'it is not valid yet',
      'elsewhere',
      'set the clocks by NTP, here and at the issuer: `ostiary doctor issuer` compares them',
    ),
  'issued-in-future': (refused) =>
    timed(
      refused,
      'iat',
      'it was issued in the future',
      'elsewhere',
      'set the clocks by NTP, here and at the issuer: `ostiary doctor issuer` compares them',
    ),
  lifetime: ({ token, issuer }) => {
    const { iat, exp } = token?.payload ?? {}
    const life = typeof iat === 'number' && typeof exp === 'number' ? `${Math.round((exp - iat) / 60)} min` : 'unknown'
    const most = issuer?.config.maxLifetime
    return {
      cause: 'it lives longer than is accepted',
      found: `${life} from iat to exp`,
      wanted: most === undefined ? undefined : `at most ${Math.round(most / 60_000)} min`,
      where: 'wiring',
      change: 'shorten the life of tokens at the provider, or raise `maxLifetime` of the issuer',
    }
  },
  issuer: issuerDiagnosis,
  audience: audienceDiagnosis,
  tenant: tenantDiagnosis,
  'key-issuer': (refused) => ({
    cause: 'its key may not sign for this issuer',
    found: `kid ${quoted(refused.token?.header['kid'])}, iss ${quoted(refused.token?.payload['iss'])}`,
    where: 'client',
    change: 'get it from the tenant that it is for: keys of consumers’ accounts and of other tenants are published beside those of yours',
  }),
  cloud: simply('its key is of another cloud', 'wiring', 'write the `authority` of the cloud that the tenant is in'),
  client: ({ token }) => ({
    cause: 'it was issued to another client',
    found: `azp ${quoted(token?.payload['azp'] ?? token?.payload['appid'])}`,
    where: 'client',
    change: 'use the client that is configured',
  }),
  'token-type': ({ token }) => ({
    cause: 'it is no access token of the kind that this issuer has',
    found: `typ ${quoted(token?.header['typ'])}`,
    wanted: 'an access token',
    where: 'wiring',
    change:
      'send the access token, not the ID, refresh or logout token. If it is one: of kind `oidc`, name the `provider`, or set `acceptPlainJwt: true` for one that does not write `typ: at+jwt`',
  }),
  'id-token': simply(
    'it is an ID token: it tells a client who signed in, and opens no API',
    'client',
    'send the `access_token` of the same answer, and ask for a scope of the API so that it is for it',
    { found: 'the claims of an ID token', wanted: 'an access token' },
  ),
  'graph-token': graphDiagnosis,
  'legacy-token': simply(
    'it is a service-account token without an end',
    'client',
    'use a projected token of the pod, or `kubectl create token`',
  ),
  claim: claimDiagnosis,
  revoked: simply('it was revoked', 'client', 'sign in anew; `ostiary revocations list` says why'),
  inactive: simply('its provider says that it is not active: it has ended, was revoked, or never was', 'client', 'get a new one'),
  'session-unknown': simply('it belongs to no session', 'client', 'sign in anew'),
  'session-expired': simply('its session has ended', 'client', 'sign in anew'),
  ambiguous: simply('several credentials came at once', 'client', 'send one'),
  'too-many-parties': simply('more than four parties act for one another in it', 'client', 'exchange tokens fewer times'),
  unproven: ({ claim }) => ({
    cause: 'it is bound to a key, and good only with a proof of that key',
    found: claim === undefined ? 'cnf.jkt' : `cnf.${claim}`,
    where: 'client',
    change:
      claim === undefined
        ? 'send it as `Authorization: DPoP`, with a proof in `DPoP` for each request (RFC 9449)'
        : 'send it over TLS with the client certificate that it was issued to (RFC 8705)',
  }),
  proof: simply('its proof of possession is wrong', 'client', 'make the proof anew for each request'),
  'proof-replayed': simply('its proof of possession was used before', 'client', 'make the proof anew for each request'),
  'proof-nonce': simply('its proof lacks a nonce of the gateway', 'client', 'repeat the request with the `DPoP-Nonce` of the answer'),
  certificate: simply(
    'no authority that is believed vouches for the certificate',
    'client',
    'present one of an authority that the listener trusts',
  ),
}

/** Explains a refusal by what the token says and what this configuration wants. */
export function explainRefusal(refused: Refused): Diagnosis {
  return explanations[refused.reason](refused)
}

function algorithmOf({ token, issuer }: Refused): Pick<Diagnosis, 'found' | 'wanted'> {
  const wanted = issuer?.config.kind === 'entra' ? ['RS256'] : issuer?.config.algorithms
  return {
    found: `alg ${quoted(token?.header['alg'])}`,
    wanted: wanted === undefined ? undefined : `alg ${wanted.map((one) => `\`${one}\``).join(' or ')}`,
  }
}

function timed({ token, now }: Refused, claim: 'exp' | 'nbf' | 'iat', cause: string, where: Place, change: string): Diagnosis {
  return {
    cause,
    found: `${claim} ${instant(token?.payload[claim]) ?? 'without a meaning'}`,
    wanted: `${claim === 'exp' ? 'later' : 'not later'} than now, ${new Date(now).toISOString().slice(0, 19)}Z, give or take ${CLOCK_SKEW_MS / 1000} s`,
    where,
    change,
  }
}

/** What is to be done about a claim that is missing, or is not what it has to be. */
const CLAIM_HELP: Readonly<Record<string, readonly [wanted: string, where: Place, change: string]>> = {
  tid: ['the tenant’s id', 'client', 'send an access token of Entra ID as it was issued'],
  oid: [
    'the object id',
    'client',
    'have the client ask for the scope `profile`: without it, tokens of people have neither `oid` nor `tid`',
  ],
  ver: ['`1.0` or `2.0`, in accord with `iss`', 'client', 'send the token as it was issued'],
  azp: ['the client that got the token', 'client', 'send an access token'],
  client_id: [
    'the client that got the token, in `client_id` or `azp`',
    'wiring',
    'name the `provider` of the issuer; or `acceptPlainJwt: true`, for one that does not say the client',
  ],
  uid: [
    '`uid`, as Okta writes it for people',
    'registration',
    'use a custom authorization server of Okta: the organisation’s own leaves it out',
  ],
  exp: ['an end', 'registration', 'have the provider give tokens an end'],
  iat: ['when it was issued', 'registration', 'have the provider write `iat`'],
  tfp: ['a policy that is listed in `policies`', 'wiring', 'add the user flow or custom policy to `policies`, if it may sign people in'],
  idtyp: ['`app` without scopes, or `user`', 'client', 'send the token as it was issued'],
  scp: ['scopes as text', 'client', 'send the token as it was issued'],
  act: ['parties of the same issuer, each with `sub`', 'client', 'exchange the token at its own issuer'],
  nonce: ['the one that was sent', 'client', 'sign in anew'],
}

function claimDiagnosis({ claim = 'a claim', token }: Refused): Diagnosis {
  const value = token?.payload[claim]
  const [wanted, where, change] = CLAIM_HELP[claim] ?? ['a value of the right form', 'client', 'send the token as it was issued']
  // Its value is shown only where it is among those that may be.
  const found = value === undefined ? 'it is not there' : 'it is there, and can not be used'
  return { cause: `the claim \`${claim}\` is missing or wrong`, found, wanted, where, change }
}
