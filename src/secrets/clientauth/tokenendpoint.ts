import { jsonOf, request, type RequestDeps, type RequestLimits } from '../request.ts'
import type { ClientAuth, ProofTarget } from './auth.ts'

/** Longest wait for a token endpoint, and its longest answer. */
export const tokenLimits: RequestLimits = { timeout: 10_000, maxBytes: 256 * 1024 }

export interface TokenRequest extends RequestDeps, ProofTarget {
  readonly auth: ClientAuth
  /** `grant_type` and what belongs to it. */
  readonly grant: Readonly<Record<string, string>>
}

/** A token endpoint's answer. `detail` is for the operator: codes of the standards and numbers, no text of the provider. */
export type TokenAnswer =
  /** `body` is the answer of RFC 6749 §5.1, not looked at yet. */
  | { readonly outcome: 'granted'; readonly body: Uint8Array }
  | { readonly outcome: 'refused'; readonly error: string; readonly codes: readonly number[]; readonly detail: string }
  | { readonly outcome: 'unavailable'; readonly detail: string }

/** Error codes of RFC 6749 §5.2, and one that Entra adds. */
const ERRORS = new Set([
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
  'interaction_required',
])

/**
 * Entra's numbers for a proof that another could take the place of: a certificate that isn't registered (any more), is out of its
 * time or was revoked, and a secret that is wrong or has ended.
 */
const REPLACEABLE = new Set([700_027, 7_000_274, 700_024, 7_000_214, 7_000_277, 1_000_502, 7_000_215, 7_000_222])

/**
 * Asks a token endpoint (RFC 6749 §3.2). Where the proof of the client itself is refused, what it is made from is read again, and
 * asked once more if there is another one.
 * @throws OstiaryError of the family `secrets/` where the client has nothing to prove itself with
 */
export async function askToken(asked: TokenRequest): Promise<TokenAnswer> {
  const first = await ask(asked)
  if (first.outcome !== 'refused' || !concernsProof(first) || !(await asked.auth.renew())) return first
  return ask(asked)
}

async function ask({ fetch, clock, endpoint, secretIn, auth, grant }: TokenRequest): Promise<TokenAnswer> {
  const proof = await auth.prove({ endpoint, secretIn })
  const headers = { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded', ...proof.headers }
  const body = new URLSearchParams({ ...grant, ...proof.form }).toString()
  const answer = await request({ fetch, clock }, endpoint, { method: 'POST', headers, body }, tokenLimits)
  if (answer.outcome === 'failed') return { outcome: 'unavailable', detail: answer.detail }
  if (answer.status === 200) return { outcome: 'granted', body: answer.body }
  if (answer.status === 400 || answer.status === 401) return refusal(answer.body)
  return { outcome: 'unavailable', detail: `it answered ${answer.status}` }
}

function concernsProof({ error, codes }: { readonly error: string; readonly codes: readonly number[] }): boolean {
  return codes.length === 0 ? error === 'invalid_client' : codes.some((code) => REPLACEABLE.has(code))
}

function refusal(body: Uint8Array): TokenAnswer {
  const answer = jsonOf(body)
  const given = answer?.['error']
  const error = typeof given === 'string' && ERRORS.has(given) ? given : 'unknown'
  const listed = answer?.['error_codes']
  const codes = Array.isArray(listed) ? listed.filter((one): one is number => Number.isSafeInteger(one)).slice(0, 4) : []
  const detail = codes.length === 0 ? error : `${error}, ${codes.map((one) => `AADSTS${one}`).join(' ')}`
  return { outcome: 'refused', error, codes, detail }
}
