/** How *no* looks in HTTP: problem documents (RFC 9457), challenges (RFC 6750), pages for browsers. */
import { createHash } from 'node:crypto'
import type { RejectReason } from '../../core/credential.ts'
import type { Decision, Reason, Requirement } from '../../core/decision.ts'
import { OstiaryError, type Code } from '../../core/errors.ts'
import type { Verdict } from '../../core/record.ts'
import type { CanonicalRequest } from './canonical.ts'
import type { Answer, Fields } from './engine.ts'
import { asksForDpop, provable, stepUpChallenge, stepUpParameters } from './stepup.ts'
import type { Principal } from '../../core/principal.ts'
import { describeDemand } from '../../policy/require.ts'

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1rem;color:#1b1f24;background:#fff}h1{font-size:1.4rem}code{font-size:.9em}@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#16181b}}'
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64')

/** Pages of the gateway share their origin with the application: nothing may run in them, frame them or cache them. */
const PAGE_FIELDS: Fields = [
  'Content-Type',
  'text/html; charset=utf-8',
  'Cache-Control',
  'no-store',
  'Content-Security-Policy',
  `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
  'X-Content-Type-Options',
  'nosniff',
  'Referrer-Policy',
  'no-referrer',
]

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** A small page without scripts. `extra` is HTML of our own. */
export function page(status: number, title: string, text: string, fields: Fields = [], extra = ''): Answer {
  const body = `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escape(title)}</title><style>${STYLE}</style></head><body><h1>${escape(title)}</h1><p>${escape(text)}</p>${extra}</body></html>\n`
  return { kind: 'answer', status, fields: [...PAGE_FIELDS, ...fields], body }
}

export interface ProblemOptions {
  /** A reason fit for the caller, in place of the catalogue's help. */
  readonly detail?: string | undefined
  /** Decision id, where the exchange was recorded. */
  readonly decision?: string | undefined
  readonly html?: boolean
  readonly fields?: Fields
  readonly status?: number
}

/** A problem document, or the same as a page. Its `type` ends in the catalogue's code. */
export function problem(code: Code, options: ProblemOptions): Answer {
  const error = new OstiaryError(code)
  const status = options.status ?? error.status
  const detail = options.detail ?? error.help
  const decision = options.decision === undefined ? [] : ['Ostiary-Decision', options.decision]
  if (options.html === true) {
    const id = options.decision === undefined ? '' : `<p>Decision <code>${escape(options.decision)}</code></p>`
    const title = error.message.charAt(0).toUpperCase() + error.message.slice(1)
    return page(status, title, `${detail.charAt(0).toUpperCase()}${detail.slice(1)}.`, [...decision, ...(options.fields ?? [])], id)
  }
  const body = { type: `https://ostiary.dev/errors/${code}`, title: error.message, status, detail, decision: options.decision }
  return {
    kind: 'answer',
    status,
    fields: [
      'Content-Type',
      'application/problem+json',
      'Cache-Control',
      'no-store',
      'X-Content-Type-Options',
      'nosniff',
      ...decision,
      ...(options.fields ?? []),
    ],
    body: `${JSON.stringify(body)}\n`,
  }
}

/** Whether a person in a browser waits for a page, so that a redirect or HTML is of use. A script's fetch gets neither. */
export function isNavigation({ method, read, upgrade }: CanonicalRequest): boolean {
  if ((method !== 'GET' && method !== 'HEAD') || upgrade !== undefined) return false
  if (read['sec-fetch-mode'] !== undefined) return read['sec-fetch-mode'] === 'navigate'
  return read['x-requested-with'] === undefined && /\btext\/html\b/i.test(read.accept ?? '')
}

/** What a caller may know of why a credential was refused. */
export const REJECTED: Record<RejectReason, string> = {
  malformed: 'the credential is malformed',
  'too-large': 'the token is too large',
  unsigned: 'the token is not signed',
  algorithm: 'the token is signed with an algorithm that is not accepted',
  'unknown-key': 'the token is signed with an unknown key',
  signature: 'the signature of the token is wrong',
  expired: 'the token has expired',
  'not-yet-valid': 'the token is not valid yet',
  'issued-in-future': 'the token was issued in the future',
  lifetime: 'the token lives too long',
  issuer: 'the issuer of the token is not accepted here',
  audience: 'the token is for another audience',
  tenant: 'the tenant of the token is not accepted here',
  'key-issuer': 'the token is signed with the key of another issuer',
  cloud: 'the token is from another cloud',
  client: 'the client of the token is not accepted here',
  'token-type': 'this kind of token is not accepted',
  'id-token': 'this is an ID token; send an access token',
  'graph-token': 'this is a token for Microsoft Graph; ask for one for this API',
  'legacy-token': 'this is a legacy service-account token without an end; ask for a bound one',
  claim: 'a claim of the token is missing or malformed',
  revoked: 'access was revoked',
  inactive: 'the token is not active: it has ended, was revoked, or is not known',
  'session-unknown': 'the session is not known',
  'session-expired': 'the session has expired',
  ambiguous: 'the request carries more than one credential',
  encrypted: 'the token is encrypted, which is not accepted',
  'critical-header': 'the token demands an extension that is not supported',
  'too-many-parties': 'the token speaks for too many parties',
  unproven: 'the token is bound to a key, and nothing proves that you have it',
  proof: 'the proof of possession is not for this request, this token or this key',
  'proof-replayed': 'the proof of possession was used before; make one for each request',
  certificate: 'the client certificate is not accepted here',
  'proof-nonce': 'the proof of possession needs the nonce of this answer',
}

/** Why the policy said no, without telling a stranger which role would do. The first that applies is told. */
const DENIED: readonly (readonly [Reason['code'], string])[] = [
  ['unknown-resource', 'the policy does not know this resource'],
  ['guardrail', 'a guardrail forbids this'],
  ['guardrail-unknown', 'a guardrail forbids this unless it is known that it does not apply to you'],
  ['guardrail-error', 'a guardrail forbids this because its condition could not be evaluated'],
  ['scope', 'the scopes of the token do not cover this'],
  ['party', 'somebody who acts for you, or for whom you act, may not do this'],
  ['role-unknown', 'it can not be told at the moment whether you hold a role that allows this'],
  ['condition-error', 'a condition of this access could not be evaluated'],
  ['peer-not-held', 'this is allowed by way of other services only'],
  ['condition-false', 'a condition of this access is not met'],
  ['role-not-held', 'you hold no role that allows this'],
  ['no-rule', 'no rule allows this to anybody'],
]

export function denialDetail({ reasons }: Decision): string {
  return DENIED.find(([code]) => reasons.some((reason) => reason.code === code))?.[1] ?? 'nothing allows this'
}

/** `WWW-Authenticate: Bearer …` (RFC 6750 §3). An error is named only where something was presented. */
export function bearerChallenge(realm: string, authorizationUri: string | undefined, error?: string, description?: string): Fields {
  const parameters = [`realm="${realm}"`]
  if (authorizationUri !== undefined) parameters.push(`authorization_uri="${authorizationUri}"`)
  if (error !== undefined) parameters.push(`error="${error}"`)
  if (description !== undefined) parameters.push(`error_description="${description}"`)
  return ['WWW-Authenticate', `Bearer ${parameters.join(', ')}`]
}

const PROOFS: ReadonlySet<RejectReason> = new Set(['proof', 'proof-replayed', 'proof-nonce', 'unproven'])

/** `WWW-Authenticate: DPoP …` (RFC 9449 §7.1, §9), with the nonce to use where one is asked for. */
function dpopChallenge(realm: string, { reason, nonce }: Pick<Extract<Verdict, { kind: 'rejected' }>, 'reason' | 'nonce'>): Fields {
  const error = reason === 'proof-nonce' ? 'use_dpop_nonce' : reason === 'unproven' ? 'invalid_token' : 'invalid_dpop_proof'
  const parameters = [`realm="${realm}"`, `algs="${PROOF_ALGORITHMS}"`, `error="${error}"`, `error_description="${REJECTED[reason]}"`]
  return ['WWW-Authenticate', `DPoP ${parameters.join(', ')}`, ...(nonce === undefined ? [] : ['DPoP-Nonce', nonce])]
}

/** Signature algorithms of proofs; identity has the list, and a test holds them together. */
export const PROOF_ALGORITHMS = 'RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA'

export interface DenyContext {
  readonly decision: string
  readonly realm: string
  readonly authorizationUri: string | undefined
  readonly html: boolean
  readonly principal: Principal
  /** Further fields: CORS, a cookie to forget. */
  readonly fields: Fields
}

/** What nobody can prove by another sign-in, in words that tell a stranger nothing of the network. */
const UNPROVABLE: ReadonlyMap<Requirement['kind'], string> = new Map([
  ['network', 'this is not answered to the network that you come from'],
])

/** The answer to every verdict that isn't `allowed`. */
export function deny(verdict: Exclude<Verdict, { kind: 'allowed' }>, context: DenyContext): Answer {
  const { decision, html, realm, authorizationUri } = context
  const answer = (code: Code, detail: string | undefined, more: Fields = []): Answer =>
    problem(code, { decision, html, detail, fields: [...more, ...context.fields] })
  const stepUp = ({ requirements }: Decision): Answer => {
    // What only the request itself can show is asked for first: another sign-in doesn't bring it.
    const missing = requirements?.find(({ kind }) => kind === 'justification') ?? requirements?.find(({ kind }) => UNPROVABLE.has(kind))
    if (missing?.kind === 'justification') return answer('http/justification', missing.name === '' ? undefined : describeDemand(missing))
    if (missing !== undefined) return answer('http/challenge', UNPROVABLE.get(missing.kind))
    if (asksForDpop(requirements, context.principal)) return answer('http/step-up', undefined, dpopChallenge(realm, { reason: 'unproven' }))
    const proofs = provable(requirements, context.principal)
    const parameters = proofs === undefined ? undefined : stepUpParameters(proofs, context.principal)
    if (parameters === undefined) return answer('http/challenge', undefined)
    return answer('http/step-up', undefined, stepUpChallenge(realm, authorizationUri, parameters))
  }
  switch (verdict.kind) {
    case 'unauthenticated':
      return answer('http/no-credential', undefined, bearerChallenge(realm, authorizationUri))
    case 'rejected': {
      const detail = REJECTED[verdict.reason]
      if (verdict.reason === 'ambiguous')
        return answer('http/ambiguous-credential', undefined, bearerChallenge(realm, authorizationUri, 'invalid_request', detail))
      if (PROOFS.has(verdict.reason) && verdict.claim !== 'x5t#S256') return answer('http/rejected', detail, dpopChallenge(realm, verdict))
      return answer('http/rejected', detail, bearerChallenge(realm, authorizationUri, 'invalid_token', detail))
    }
    case 'malformed':
      return answer(verdict.code, undefined)
    case 'unavailable':
      return answer('http/unavailable', undefined, ['Retry-After', '2'])
    case 'limited':
      return answer('http/limited', undefined, ['Retry-After', String(Math.ceil(verdict.retryAfter / 1000))])
    case 'denied': {
      const { effect, reasons } = verdict.decision
      if (effect === 'challenge') return stepUp(verdict.decision)
      if (effect === 'needs-approval') return answer('http/needs-approval', undefined)
      const scope = reasons.some(({ code }) => code === 'scope')
      return answer(
        'http/denied',
        denialDetail(verdict.decision),
        scope ? bearerChallenge(realm, authorizationUri, 'insufficient_scope') : [],
      )
    }
  }
}
