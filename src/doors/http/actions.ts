import type { HttpAction } from '../../core/action.ts'
import type { CanonicalRequest } from '../../http/canonical.ts'

/** The action that a request is, of the canonical form alone. A WebSocket handshake is a `GET`. */
export function actionOf(request: Pick<CanonicalRequest, 'method' | 'path'>): HttpAction {
  return { protocol: 'http', method: request.method, path: request.path }
}
