/** Requests to the token endpoint that Entra understands and the library doesn't: they are made into what it does understand. */
import { IncomingMessage, type ServerResponse } from 'node:http'
import type { Clock, Entropy } from '../../core/clock.ts'
import { readText } from '../listener.ts'
import { judgeAssertion } from './assertion.ts'
import type { Credentials } from './credentials.ts'
import { PATHS } from './metadata.ts'
import { invalidClient, invalidRequest, refusalBody, type Refusal } from './refusal.ts'
import { CI_SECRET, CI, clientOf } from './registrations.ts'
import { sendError, sendJson } from './reply.ts'

export interface TokenRequestParts {
  readonly authority: string
  readonly clock: Clock
  readonly entropy: Entropy
  readonly credentials: Credentials
  readonly fetch: typeof fetch
}

const MAX_BODY = 56 * 1024
const FORM = 'application/x-www-form-urlencoded'
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'

/** Requests whose client was proven by an assertion, so that their tokens say so. */
const proven = new WeakSet<IncomingMessage>()

export function provenByAssertion(request: IncomingMessage): boolean {
  return proven.has(request)
}

/**
 * The same request in the words of the standards: `device_code` by its URN, and a client that an assertion has proven as one that has proven
 * itself. Undefined where it is refused, and answered, here.
 */
export async function understood(
  request: IncomingMessage,
  response: ServerResponse,
  tenant: string,
  parts: TokenRequestParts,
): Promise<IncomingMessage | undefined> {
  if (request.method !== 'POST' || !(request.headers['content-type'] ?? '').startsWith(FORM)) return request
  const text = await readText(request, MAX_BODY)
  if (text === undefined) {
    sendError(response, 413, 'invalid_request', 'the body is too large')
    return undefined
  }
  const form = new URLSearchParams(text)
  if (form.get('grant_type') === 'device_code') form.set('grant_type', DEVICE_GRANT)
  const refusal = await judgeClient(form, request.headers.authorization !== undefined, tenant, parts)
  if (refusal !== undefined) {
    const { clock, entropy } = parts
    sendJson(response, refusal.status, refusalBody(refusal, clock.now(), entropy))
    return undefined
  }
  const byAssertion = form.has('client_assertion')
  form.delete('client_assertion')
  form.delete('client_assertion_type')
  // The library knows no other proof of this client.
  if (byAssertion && form.get('client_id') === CI.clientId) form.set('client_secret', CI_SECRET)
  const again = withBody(request, form.toString())
  if (byAssertion) proven.add(again)
  return again
}

/** Of a client that says who it is in the form; all else is the library's to judge. */
async function judgeClient(
  form: URLSearchParams,
  inHeader: boolean,
  tenant: string,
  parts: TokenRequestParts,
): Promise<Refusal | undefined> {
  const clientId = form.get('client_id')
  const assertion = form.get('client_assertion')
  const client = clientId === null ? undefined : clientOf(tenant, clientId)
  if (assertion === null) {
    if (client === undefined || client.authentication === '0' || inHeader) return undefined
    if (form.get('client_secret') === CI_SECRET) return undefined
    if (form.has('client_secret'))
      return invalidClient(
        7_000_215,
        `Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '${client.clientId}'.`,
      )
    return invalidClient(7_000_218, "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.")
  }
  if (form.get('client_assertion_type') !== ASSERTION_TYPE)
    return invalidRequest(
      900_144,
      `The request body must contain the following parameter: 'client_assertion_type', which is '${ASSERTION_TYPE}'.`,
    )
  if (form.has('client_secret') || inHeader || form.getAll('client_assertion').length > 1)
    return invalidRequest(90_014, 'The client must prove itself in one way only.')
  if (clientId === null) return invalidRequest(900_144, "The request body must contain the following parameter: 'client_id'.")
  if (client === undefined)
    return {
      status: 400,
      error: 'unauthorized_client',
      code: 700_016,
      text: `Application with identifier '${clientId.slice(0, 100).replaceAll(/[^!-&(-~]/g, '?')}' was not found in the directory '${tenant}'.`,
    }
  const { authority, clock, credentials, fetch } = parts
  return judgeAssertion(assertion, clientId, {
    endpoint: `${authority}/${tenant}${PATHS.token}`,
    authority,
    credentials,
    fetch,
    now: () => clock.now(),
  })
}

/** A request with another body, which is there already. */
function withBody(request: IncomingMessage, body: string): IncomingMessage {
  const again = new IncomingMessage(request.socket)
  again.method = request.method!
  again.url = request.url!
  again.httpVersion = request.httpVersion
  again.httpVersionMajor = request.httpVersionMajor
  again.httpVersionMinor = request.httpVersionMinor
  Object.assign(again.headers, request.headers, { 'content-length': String(Buffer.byteLength(body)) })
  delete again.headers['transfer-encoding']
  again.push(body)
  again.push(null)
  again.complete = true
  return again
}
