import { isObject, readJsonText } from '../../../core/json.ts'

/** What somebody pasted: a token, or what an error said. */
export type Given =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'error'; readonly error: GivenError }
  | { readonly kind: 'nothing' }

/** An error of a provider, an API or a browser. Its text is searched, and never shown. */
export interface GivenError {
  readonly text: string
  /** `error` of OAuth (RFC 6749 §5.2), where there is one. */
  readonly code: string | undefined
  /** Numbers of Entra ID, the first that was named first. */
  readonly aadsts: readonly number[]
}

/** Longest input that is read, in bytes. */
export const MAX_INPUT = 64 * 1024

/** Errors of OAuth and OpenID Connect that may stand alone. */
const OAUTH_ERRORS = new Set([
  'access_denied',
  'account_selection_required',
  'authorization_declined',
  'authorization_pending',
  'bad_verification_code',
  'consent_required',
  'expired_token',
  'insufficient_claims',
  'insufficient_scope',
  'interaction_required',
  'invalid_client',
  'invalid_grant',
  'invalid_request',
  'invalid_resource',
  'invalid_scope',
  'invalid_target',
  'invalid_token',
  'login_required',
  'redirect_uri_mismatch',
  'server_error',
  'slow_down',
  'temporarily_unavailable',
  'unauthorized_client',
  'unsupported_grant_type',
  'unsupported_response_type',
  'use_dpop_nonce',
])

/** Tells what was pasted. A token in an answer of a provider, or behind `Bearer`, is the token. */
export function readGiven(input: string): Given {
  const text = input.replace(/^\uFEFF/, '').trim()
  if (text === '') return { kind: 'nothing' }
  const fields = jsonFields(text) ?? formFields(text)
  const token = fields?.['access_token']
  if (token !== undefined) return { kind: 'token', token }
  if (fields?.['error'] !== undefined || fields?.['error_description'] !== undefined)
    return { kind: 'error', error: errorOf([fields['error_description'] ?? '', text].join(' '), fields['error']) }
  const bare = text.replace(/^(authorization:\s*)?(bearer|dpop)\s+/i, '')
  // One that was broken into lines is a token still, and a bad one.
  if (/^ey[A-Za-z0-9_-]{10,}[.\s]/.test(bare)) return { kind: 'token', token: bare }
  if (!/\s/.test(bare) && !/^AADSTS\d/i.test(bare) && !OAUTH_ERRORS.has(bare) && !/^https?:\/\//.test(bare))
    return { kind: 'token', token: bare }
  return { kind: 'error', error: errorOf(text, OAUTH_ERRORS.has(bare) ? bare : undefined) }
}

function errorOf(text: string, code: string | undefined): GivenError {
  const known = code ?? /\berror["']?\s*[:=]\s*["']?([a-z_]{4,40})\b/.exec(text)?.[1]
  const named = [...text.matchAll(/AADSTS(\d{4,8})/gi)].map(([, number]) => Number(number))
  const coded = /"error_codes"\s*:\s*\[([\d,\s]{1,200})\]/.exec(text)?.[1]?.split(',').map(Number) ?? []
  const inUrl = [...text.matchAll(/[?&]code=(\d{4,8})\b/g)].map(([, number]) => Number(number))
  const aadsts = [...new Set([...named, ...coded, ...inUrl])].slice(0, 10)
  return { text, code: known !== undefined && OAUTH_ERRORS.has(known) ? known : undefined, aadsts }
}

/** Texts of a JSON object, such as the body of an answer. */
function jsonFields(text: string): Readonly<Record<string, string>> | undefined {
  const value = text.startsWith('{') ? readJsonText(text) : undefined
  return isObject(value) ? textsOf(Object.entries(value)) : undefined
}

/** Those of a query or fragment, such as the URL that the browser was sent back to. */
function formFields(text: string): Readonly<Record<string, string>> | undefined {
  if (/\s/.test(text) || !/(^|[?#&])(error|error_description|access_token)=/.test(text)) return undefined
  return textsOf(new URLSearchParams(text.replace(/^[^?#]*[?#]/, '')))
}

function textsOf(entries: Iterable<readonly [string, unknown]>): Readonly<Record<string, string>> {
  const texts = Object.create(null) as Record<string, string>
  for (const [name, value] of entries) if (typeof value === 'string') texts[name] = value
  return texts
}
