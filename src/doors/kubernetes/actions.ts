/** From a canonical HTTP request to what is decided about a cluster. */
import { ALL, type KubernetesAction } from '../../core/action.ts'
import type { Credential } from '../../core/credential.ts'
import { Secret } from '../../core/secret.ts'
import type { CanonicalRequest } from '../../http/canonical.ts'
import { presented } from '../../http/credential.ts'

/** A token as a subprotocol, for pages that can set no other field (`k8s.io/apiserver/pkg/authentication/request/websocket`). */
const TOKEN_PROTOCOL = 'base64url.bearer.authorization.k8s.io.'

/** Fields that are the gateway's to write towards a cluster, in lower case. */
const OWN: ReadonlySet<string> = new Set(['audit-id', 'sec-websocket-protocol', 'kubernetes-dry-run'])

export interface Presented {
  readonly credential: Credential | undefined
  /** End-to-end fields without what was presented, and without what only the gateway may say. */
  readonly fields: readonly string[]
  /** The caller's token as it came; undefined where it is none. */
  readonly token: Secret | undefined
}

/** The one credential of a request, wherever Kubernetes takes one: two are ambiguous. A cookie is none. */
export function presentedIn(request: CanonicalRequest, url: () => string): Presented {
  const { credential } = presented(request, url, [], undefined)
  const fields: string[] = []
  const protocols: string[] = []
  for (let i = 0; i + 1 < request.fields.length; i += 2) {
    const name = request.fields[i]!
    const lower = name.toLowerCase()
    if (lower === 'sec-websocket-protocol') protocols.push(...request.fields[i + 1]!.split(',').map((one) => one.trim()))
    else if (!OWN.has(lower)) fields.push(name, request.fields[i + 1]!)
  }
  const tokens = protocols.filter((one) => one.startsWith(TOKEN_PROTOCOL))
  const rest = protocols.filter((one) => !one.startsWith(TOKEN_PROTOCOL) && one !== '')
  if (rest.length > 0) fields.push('Sec-WebSocket-Protocol', rest.join(', '))
  if (tokens.length === 0) return { credential, fields, token: tokenOf(credential) }
  const token = tokens.length === 1 && credential === undefined && request.upgrade === 'websocket' ? decodedToken(tokens[0]!) : undefined
  if (token === undefined) return { credential: { kind: 'unusable', reason: 'ambiguous' }, fields, token: undefined }
  const own = new Secret(token)
  return { credential: { kind: 'bearer', token: own }, fields, token: own }
}

function tokenOf(credential: Credential | undefined): Secret | undefined {
  return credential?.kind === 'bearer' || credential?.kind === 'dpop' ? credential.token : undefined
}

function decodedToken(protocol: string): string | undefined {
  const encoded = protocol.slice(TOKEN_PROTOCOL.length)
  if (!/^[A-Za-z0-9_-]+$/.test(encoded)) return undefined
  const token = Buffer.from(encoded, 'base64url').toString('latin1')
  return /^[A-Za-z0-9\-._~+/]+=*$/.test(token) ? token : undefined
}

/** What stands in the record for a request that is none. Its path is harmless. */
export function unreadAction(method: string, path: string): KubernetesAction {
  return {
    protocol: 'kubernetes',
    verb: method.toLowerCase(),
    group: '',
    resource: '',
    subresource: '',
    namespace: '',
    name: '',
    path,
  }
}

/** Questions of callers about their own access, which the gateway answers with the cluster. */
export type SelfReview = 'selfsubjectaccessreviews' | 'selfsubjectrulesreviews'

/** Which of them a request is, if any. */
export function selfReviewOf({ verb, group, resource, subresource, name }: KubernetesAction): SelfReview | undefined {
  if (verb !== 'create' || group !== 'authorization.k8s.io' || subresource !== '' || name !== ALL) return undefined
  return resource === 'selfsubjectaccessreviews' || resource === 'selfsubjectrulesreviews' ? resource : undefined
}
