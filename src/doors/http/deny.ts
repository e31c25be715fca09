/** How *no* looks in HTTP: problem documents (RFC 9457), challenges (RFC 6750), pages for browsers. */
import type { RejectReason } from '../../core/credential.ts'
import type { Decision, Requirement } from '../../core/decision.ts'
import { denialDetail, REJECTED } from '../../core/denial.ts'
import type { Code } from '../../core/errors.ts'
import type { Verdict } from '../../core/record.ts'
import type { CanonicalRequest } from '../../http/canonical.ts'
import type { Answer, Fields } from '../../http/engine.ts'
import { bearerChallenge, problem } from '../../http/problem.ts'
import { asksForDpop, provable, stepUpChallenge, stepUpParameters } from './stepup.ts'
import type { Principal } from '../../core/principal.ts'
import { describeDemand } from '../../policy/require.ts'

/** Whether a person in a browser waits for a page, so that a redirect or HTML is of use. A script's fetch gets neither. */
export function isNavigation({ method, read, upgrade }: CanonicalRequest): boolean {
  if ((method !== 'GET' && method !== 'HEAD') || upgrade !== undefined) return false
  if (read['sec-fetch-mode'] !== undefined) return read['sec-fetch-mode'] === 'navigate'
  return read['x-requested-with'] === undefined && /\btext\/html\b/i.test(read.accept ?? '')
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
