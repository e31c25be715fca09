import type { IncomingMessage, ServerResponse } from 'node:http'
import { ACCOUNTS, findAccount, HOME_TENANT } from './accounts.ts'
import { EXCHANGE_AUDIENCE, type Credentials } from './credentials.ts'
import { readText } from '../listener.ts'
import { isShape, mint, type MintParts } from './mint.ts'
import { clientOf, findApi } from './registrations.ts'
import { sendError, sendJson } from './reply.ts'

const MAX_BODY = 16 * 1024

/** What only the demo has: `POST /demo/token`, `POST /demo/rotate`, `POST /demo/credentials`, `GET /demo/accounts`. */
export async function control(
  parts: MintParts,
  rotate: () => Promise<string>,
  credentials: Credentials,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): Promise<void> {
  if (path === '/demo/accounts' && request.method === 'GET') {
    return sendJson(response, 200, {
      accounts: ACCOUNTS.map(({ name, may, kind, tenant, oid, roles }) => ({ name, may, kind, tenant, oid, roles })),
    })
  }
  if (request.method !== 'POST') return sendError(response, 405, 'invalid_request', 'use POST')
  // A page of another site can post a form, but not JSON without asking first; and nothing here answers such a question.
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? ''))
    return sendError(response, 415, 'invalid_request', 'send JSON, with `content-type: application/json`')
  const body = parse(await readText(request, MAX_BODY))
  if (body === undefined) return sendError(response, 400, 'invalid_request', `the body is not a JSON object of at most ${MAX_BODY} bytes`)
  switch (path) {
    case '/demo/token':
      return token(parts, body, response)
    case '/demo/credentials':
      return credential(credentials, body, response)
    case '/demo/rotate':
      return sendJson(response, 200, { kid: await rotate() })
    default:
      return sendError(response, 404, 'not_found', 'there is nothing here')
  }
}

/** `{ as, version?, audience?, shape?, life?, acrs?, cp1? }` → an OAuth token response. */
function token(parts: MintParts, body: Readonly<Record<string, unknown>>, response: ServerResponse): void {
  const { as, version, audience, shape = 'good', life, acrs, cp1 } = body
  const account = typeof as === 'string' ? findAccount(as) : undefined
  if (account === undefined)
    return sendError(response, 400, 'invalid_request', `there is no such account; there are ${ACCOUNTS.map(({ name }) => name).join(', ')}`)
  if (version !== undefined && version !== '1.0' && version !== '2.0')
    return sendError(response, 400, 'invalid_request', '`version` is `1.0` or `2.0`')
  if (typeof shape !== 'string' || !isShape(shape))
    return sendError(response, 400, 'invalid_request', 'there is no such shape; see docs/demo.md')
  if (life !== undefined && (typeof life !== 'number' || !Number.isInteger(life) || life < 1 || life > 86_700))
    return sendError(response, 400, 'invalid_request', '`life` is a whole number of seconds from 1 to 86700')
  if (acrs !== undefined && !(Array.isArray(acrs) && acrs.every((one) => typeof one === 'string' && /^c[0-9]{1,2}$/.test(one))))
    return sendError(response, 400, 'invalid_request', '`acrs` is a list of authentication contexts, such as `c1`')
  const api = typeof audience === 'string' ? findApi(audience) : undefined
  if (audience !== undefined && api === undefined)
    return sendError(response, 400, 'invalid_target', 'there is no such API; see docs/demo.md')
  if (api !== undefined && version !== undefined && api.version !== version)
    return sendError(
      response,
      400,
      'invalid_target',
      `the API \`${api.name}\` has tokens of version ${api.version} only: the API decides, not who asks`,
    )
  const minted = mint(parts, account, { api, version, shape, life, acrs: acrs as readonly string[] | undefined, cp1: cp1 === true })
  sendJson(response, 200, { token_type: 'Bearer', access_token: minted.token, expires_in: minted.expiresIn })
}

/** `{ client, certificate }` with PEM, or `{ client, federated: { issuer, subject, audience? } }`: by what a client proves itself from now on. */
function credential(credentials: Credentials, body: Readonly<Record<string, unknown>>, response: ServerResponse): void {
  const { client, certificate, federated } = body
  if (typeof client !== 'string' || clientOf(HOME_TENANT, client) === undefined)
    return sendError(response, 400, 'invalid_request', '`client` is a client id of docs/demo.md')
  try {
    if (typeof certificate === 'string' && federated === undefined) credentials.addCertificate(client, certificate)
    else {
      const { issuer, subject, audience = EXCHANGE_AUDIENCE } = (federated ?? {}) as Readonly<Record<string, unknown>>
      if (certificate !== undefined || typeof issuer !== 'string' || typeof subject !== 'string' || typeof audience !== 'string')
        return sendError(response, 400, 'invalid_request', 'send `certificate` in PEM, or `federated` with `issuer` and `subject`')
      credentials.addFederated(client, { issuer, subject, audience })
    }
  } catch (error) {
    const reason = error instanceof RangeError ? error.message : 'the certificate can not be read'
    return sendError(response, 400, 'invalid_request', reason)
  }
  sendJson(response, 200, { client })
}

function parse(text: string | undefined): Readonly<Record<string, unknown>> | undefined {
  if (text === undefined) return undefined
  try {
    const value: unknown = JSON.parse(text === '' ? '{}' : text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
