import type { CanonicalRequest } from '../../http/canonical.ts'
import { isAllowed } from './cors.ts'
import type { ServedResource } from './resources.ts'

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Whether another site makes a browser send this, in the name of the person who sits there. WebSockets are held to it in
 * any case, because the same-origin policy doesn't cover them; other requests where the session cookie is what speaks
 * for the caller and the method isn't safe.
 */
export function isCrossSite(request: CanonicalRequest, resource: ServedResource, origin: string, session: boolean): boolean {
  const { read } = request
  if (request.upgrade !== undefined) {
    if (read.origin === undefined) return session
    return read.origin !== origin && resource.websocketOrigins?.has(read.origin) !== true
  }
  if (!session || SAFE.has(request.method)) return false
  if (isSameOrigin(request, origin)) return false
  if (read.origin !== undefined) return !isAllowed(resource.config.cors, read.origin)
  const site = read['sec-fetch-site']
  return site !== undefined && site !== 'none'
}

/**
 * Whether a page of this very origin sent it. A page without referrer makes browsers write `Origin: null` also to its own
 * origin; `Sec-Fetch-Site`, which no page can set, tells then (Fetch Metadata §2.4).
 */
export function isSameOrigin({ read }: CanonicalRequest, origin: string): boolean {
  if (read.origin !== undefined && read.origin !== 'null') return read.origin === origin
  return read['sec-fetch-site'] === 'same-origin'
}
