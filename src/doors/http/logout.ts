/** Where a provider tells that somebody has signed out there: `/.ostiary/backchannel-logout/<issuer>`, `/.ostiary/frontchannel-logout/<issuer>`. */
import type { CanonicalRequest } from '../../http/canonical.ts'
import { problem } from '../../http/problem.ts'
import type { Answer, OwnRequest } from '../../http/engine.ts'
import { isForm } from './tokenendpoint.ts'

/** Ends what began with a provider's session, as the door needs it. */
export interface ProviderLogout {
  /** @param form Body of the request. @param source Caller's address. */
  backChannel(issuer: string, form: string, source: string): Promise<LogoutAnswer>
  frontChannel(issuer: string, query: string, source: string): Promise<LogoutAnswer>
}

export type LogoutAnswer =
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'failed' }
  | { readonly kind: 'overloaded' }

const PATH = /^\/\.ostiary\/(backchannel|frontchannel)-logout\/([a-z][a-z0-9-]{0,62})$/
/** Longest body of a logout request, in bytes: a token and its name. */
const LOGOUT_REQUEST_BYTES = 17 * 1024

const FIELDS = ['Cache-Control', 'no-store', 'X-Content-Type-Options', 'nosniff']

/** What is answered on these paths; undefined elsewhere. `source` is the caller's address. */
export function logoutPath(
  request: CanonicalRequest,
  source: string,
  logout: ProviderLogout,
): Answer | OwnRequest | Promise<Answer> | undefined {
  const { method, path } = request
  const [, channel, issuer] = PATH.exec(path) ?? []
  if (issuer === undefined) return undefined
  if (channel === 'backchannel') {
    if (method !== 'POST' || request.upgrade !== undefined) return problem('http/method-not-allowed', { fields: ['Allow', 'POST'] })
    return {
      kind: 'own',
      limit: LOGOUT_REQUEST_BYTES,
      expectsContinue: request.expectsContinue,
      answer: (body) =>
        isForm(request)
          ? logout.backChannel(issuer, body.toString('latin1'), source).then(backChannelAnswer, failed)
          : backChannelAnswer({ kind: 'refused', reason: 'send the logout token as application/x-www-form-urlencoded' }),
    }
  }
  if (method !== 'GET') return problem('http/method-not-allowed', { fields: ['Allow', 'GET'] })
  return logout.frontChannel(issuer, request.query.slice(1), source).then(frontChannelAnswer, () => frontChannelAnswer({ kind: 'failed' }))
}

function failed(): Answer {
  return backChannelAnswer({ kind: 'failed' })
}

/** OpenID Connect Back-Channel Logout §2.8: 400 also for what is good and could not be carried out. */
function backChannelAnswer(answer: LogoutAnswer): Answer {
  const refusal = (error: string, description: string): Answer => ({
    kind: 'answer',
    status: 400,
    fields: ['Content-Type', 'application/json', ...FIELDS],
    body: `${JSON.stringify({ error, error_description: description })}\n`,
  })
  switch (answer.kind) {
    case 'done':
      return { kind: 'answer', status: 200, fields: FIELDS, body: '' }
    case 'refused':
      return refusal('invalid_request', answer.reason)
    case 'failed':
      return refusal('temporarily_unavailable', 'the logout could not be carried out; nothing has ended')
    case 'overloaded':
      return problem('http/unavailable', { fields: ['Retry-After', '5'] })
  }
}

/** Seen by nobody, in a frame of the provider's page (OpenID Connect Front-Channel Logout §2): so it may be framed. */
function frontChannelAnswer(answer: LogoutAnswer): Answer {
  switch (answer.kind) {
    case 'done':
      return { kind: 'answer', status: 200, fields: ['Content-Type', 'text/plain; charset=utf-8', ...FIELDS], body: '' }
    case 'refused':
      return { kind: 'answer', status: 400, fields: ['Content-Type', 'text/plain; charset=utf-8', ...FIELDS], body: `${answer.reason}\n` }
    case 'failed':
    case 'overloaded':
      return problem('http/unavailable', { fields: ['Retry-After', '5'] })
  }
}
