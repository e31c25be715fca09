/** The token endpoint of a resource: any credential that the gateway believes becomes a short token that a service or a mesh can check (RFC 8693). */
import type { Credential, PresentedCertificate } from '../../core/credential.ts'
import type { Admitted, Pipeline } from '../../core/pipeline.ts'
import { Secret } from '../../core/secret.ts'
import { assertionFor, type AssertionParts } from './assertion.ts'
import type { CanonicalRequest } from '../../http/canonical.ts'
import { denialDetail, REJECTED } from '../../core/denial.ts'
import type { Answer } from '../../http/engine.ts'
import type { ServedResource } from './resources.ts'

/** Below `/.ostiary`. The policy has to grant `POST /.ostiary/token` on the resource. */
export const TOKEN_PATH = '/.ostiary/token'
/** Bytes of a request at most: a token and its parameters. */
export const TOKEN_REQUEST_BYTES = 64 * 1024

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const JWT_TYPE = 'urn:ietf:params:oauth:token-type:jwt'
const ACCESS_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token'

export interface TokenEndpointParts extends AssertionParts {
  readonly pipeline: Pipeline
  /** Name of the door in records. */
  readonly name: string
}

/** A request as far as the endpoint needs it. */
export interface TokenRequest {
  readonly request: CanonicalRequest
  readonly resource: ServedResource
  /** What came beside the body: `Authorization`, never a cookie. */
  readonly presented: Credential | undefined
  readonly certificate: PresentedCertificate | undefined
  /** Scheme and host of the resource, as the caller sees it. */
  readonly origin: string
  readonly ip: string
  readonly trace: string | undefined
}

/** An error of RFC 6749 §5.2 or RFC 8693 §2.2.2. Its description is fit for the caller. */
interface TokenError {
  readonly error:
    | 'invalid_request'
    | 'invalid_grant'
    | 'invalid_target'
    | 'invalid_scope'
    | 'unsupported_grant_type'
    | 'temporarily_unavailable'
  readonly description: string
}

/** Answers a token request. The exchange that it is takes the one path, as `POST /.ostiary/token`, with a record that is always strict. */
export function answerToken(body: Buffer, asked: TokenRequest, parts: TokenEndpointParts): Answer | Promise<Answer> {
  const { request, resource, ip, trace } = asked
  const read = readForm(body, asked)
  if ('error' in read) return refusal(read, 400)
  const passage = parts.pipeline.admit({
    door: parts.name,
    resource: resource.name,
    action: { protocol: 'http', method: request.method, path: request.path },
    credential: read.credential,
    certificate: asked.certificate,
    maxTokenLifetime: resource.config.maxTokenLifetime,
    ip,
    trace,
    recordMode: 'strict',
  })
  return passage instanceof Promise ? passage.then((admitted) => decided(admitted, resource, parts)) : decided(passage, resource, parts)
}

function decided(passage: Admitted, resource: ServedResource, parts: TokenEndpointParts): Answer | Promise<Answer> {
  const { verdict, verified } = passage
  const id = ['Ostiary-Decision', passage.id]
  switch (verdict.kind) {
    case 'rejected':
      return refusal({ error: 'invalid_grant', description: REJECTED[verdict.reason] }, 400, id)
    case 'denied':
    case 'unauthenticated':
      return refusal({ error: 'invalid_target', description: denialDetail(verdict.decision) }, 400, id)
    case 'limited':
    case 'malformed':
    case 'unavailable':
      return refusal({ error: 'temporarily_unavailable', description: 'try again in a moment' }, 503, [...id, 'Retry-After', '2'])
    case 'allowed':
      break
  }
  const complete = (answer: Answer): Answer => {
    const length = Buffer.byteLength(answer.body)
    const { clock } = parts
    passage.completed({ result: 'completed', status: answer.status, bytesIn: 0, bytesOut: length, duration: clock.now() - passage.time })
    return answer
  }
  const failed = (): Answer =>
    complete(refusal({ error: 'temporarily_unavailable', description: 'no token could be signed' }, 503, [...id, 'Retry-After', '2']))
  // What everybody may do proves nobody, and a token has to be about somebody.
  if (verified === undefined || resource.audience === undefined)
    return complete(refusal({ error: 'invalid_grant', description: 'a credential is needed' }, 400, id))
  const made = (token: string): Answer => {
    const { exp } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as { readonly exp: number }
    const expiresIn = Math.max(0, exp - Math.floor(parts.clock.now() / 1000))
    const answer = { access_token: token, issued_token_type: JWT_TYPE, token_type: 'Bearer', expires_in: expiresIn }
    return complete({ kind: 'answer', status: 200, fields: [...FIELDS, ...id], body: `${JSON.stringify(answer)}\n` })
  }
  try {
    const token = assertionFor(passage.principal, resource.audience, verified.expiresAt, undefined, parts)
    return token instanceof Promise ? token.then(made, failed) : made(token)
  } catch {
    return failed()
  }
}

const FIELDS = ['Content-Type', 'application/json', 'Cache-Control', 'no-store', 'X-Content-Type-Options', 'nosniff'] as const

function refusal({ error, description }: TokenError, status: number, fields: readonly string[] = []): Answer {
  return { kind: 'answer', status, fields: [...FIELDS, ...fields], body: `${JSON.stringify({ error, error_description: description })}\n` }
}

/** Parameters that change what would be issued in ways that aren't carried out: refused, never ignored. */
const NOT_THERE = ['actor_token', 'actor_token_type'] as const

function readForm(body: Buffer, asked: TokenRequest): TokenError | { readonly credential: Credential } {
  const invalid = (description: string): TokenError => ({ error: 'invalid_request', description })
  const { request, resource, origin, presented, certificate } = asked
  if (!isForm(request)) return invalid('send the parameters as application/x-www-form-urlencoded')
  const form = new URLSearchParams(body.toString('latin1'))
  for (const name of new Set(form.keys())) if (form.getAll(name).length > 1) return invalid('a parameter comes twice') // RFC 6749 §3.2
  const value = (name: string): string | undefined => form.get(name) ?? undefined
  if (NOT_THERE.some((name) => form.has(name))) return invalid('actor tokens are not supported')
  if (form.has('scope')) return { error: 'invalid_scope', description: 'there are no scopes here; the token has the roles' }
  const wanted = value('requested_token_type')
  if (wanted !== undefined && wanted !== JWT_TYPE && wanted !== ACCESS_TOKEN_TYPE)
    return invalid('only access tokens that are JWTs are issued')
  const audience = value('audience')
  if (audience !== undefined && audience !== resource.audience && audience !== resource.name)
    return { error: 'invalid_target', description: 'tokens of this endpoint are for its own resource; ask the endpoint of the other' }
  const target = value('resource')
  if (target !== undefined && target !== origin && target !== `${origin}/`)
    return { error: 'invalid_target', description: 'tokens of this endpoint are for its own resource; ask the endpoint of the other' }
  switch (value('grant_type')) {
    case EXCHANGE: {
      const token = value('subject_token')
      const type = value('subject_token_type')
      if (token === undefined || token === '') return invalid('`subject_token` is missing')
      if (type !== ACCESS_TOKEN_TYPE && type !== JWT_TYPE) return invalid('`subject_token_type` must be that of an access token or a JWT')
      if (presented !== undefined) return invalid('two credentials: `subject_token` and `Authorization`')
      return { credential: { kind: 'bearer', token: new Secret(token) } }
    }
    case 'client_credentials':
      if (presented !== undefined) return { credential: presented }
      return certificate === undefined
        ? invalid('present a credential: in `Authorization`, or a client certificate')
        : { credential: { kind: 'certificate', certificate } }
    case undefined:
      return invalid('`grant_type` is missing')
    default:
      return { error: 'unsupported_grant_type', description: `use ${EXCHANGE}, or client_credentials` }
  }
}

export function contentTypeOf({ fields }: Pick<CanonicalRequest, 'fields'>): string | undefined {
  const at = fields.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === 'content-type')
  return at < 0 ? undefined : fields[at + 1]
}

/** Whether a request says that its body is a form. */
export function isForm(request: CanonicalRequest): boolean {
  return /^application\/x-www-form-urlencoded *(;|$)/i.test(contentTypeOf(request) ?? '')
}

/** Where clients find the endpoint and the keys (RFC 8414 §2); `issuer` is what tokens name as theirs. */
export function tokenMetadata(origin: string, issuer: string): object {
  return {
    issuer,
    token_endpoint: `${origin}${TOKEN_PATH}`,
    jwks_uri: `${origin}/.ostiary/jwks.json`,
    grant_types_supported: [EXCHANGE, 'client_credentials'],
    token_endpoint_auth_methods_supported: ['none'],
    response_types_supported: [],
  }
}
