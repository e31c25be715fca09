import { OstiaryError } from '../../core/errors.ts'
import { jsonOf, type RequestDeps } from '../request.ts'
import type { ClientAuth } from './auth.ts'
import { askToken } from './tokenendpoint.ts'
import { KeptTokens, readOwnToken, type TokenSource } from './tokensource.ts'

/** Tokens that a client gets for itself at `endpoint` (RFC 6749 §4.4), with the scope `<resource>/.default` that Entra asks for. */
export function clientTokens(endpoint: string, auth: ClientAuth, deps: RequestDeps): TokenSource {
  return new KeptTokens(deps.clock, async (resource) => {
    const grant = { grant_type: 'client_credentials', scope: `${resource}/.default` }
    const answer = await askToken({ ...deps, endpoint, secretIn: 'body', auth, grant })
    if (answer.outcome !== 'granted') throw new OstiaryError('secrets/app-token', { endpoint, cause: answer.detail })
    const token = readOwnToken(jsonOf(answer.body), deps.clock.now())
    if (token === undefined) throw new OstiaryError('secrets/app-token', { endpoint, cause: 'an answer that is not understood' })
    return token
  })
}
