/**
 * Stand-ins for Entra's token endpoint, for the instance metadata service (IMDS) and for the identity endpoint of App Service. They
 * follow the documented shapes, verify what they are shown with code of their own, and misbehave when told to.
 */
import { createHash, constants, verify, X509Certificate } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What a server answers in place of the good answer. */
export type Misbehaviour = 'hang' | 'drop' | { readonly status: number; readonly body: string; readonly headers?: Record<string, string> }

interface Listening {
  readonly origin: string
  close(): Promise<void>
}

async function listen(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<Listening> {
  const server: Server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function misbehaves(told: Misbehaviour | undefined, request: IncomingMessage, response: ServerResponse): boolean {
  // A connection that is used again would be asked a second time by the client itself, when it breaks.
  response.setHeader('connection', 'close')
  if (told === undefined) return false
  if (told === 'drop') request.socket.destroy()
  else if (told !== 'hang') response.writeHead(told.status, { 'content-type': 'application/json', ...told.headers }).end(told.body)
  return true
}

export interface StandInTokenEndpoint extends Listening {
  readonly url: string
  /** Certificates (PEM) that are registered for the client. */
  certificates: string[]
  /** The one secret, and the tokens of others that are trusted as federated credentials. */
  secret: string | undefined
  federated: Set<string>
  /** Calls so far: form, and what came of the proof. */
  readonly calls: { readonly form: URLSearchParams; readonly authorization: string | undefined; outcome: string }[]
  /** The next answers, in order, in place of the good ones. */
  readonly misbehaviour: Misbehaviour[]
  expiresIn: number
}

export const STANDIN_CLIENT = '6e74172b-be56-4843-9ff4-e66a39bb12e3'
const TENANT_PATH = '/72f988bf-86f1-41af-91ab-2d7cd011db47/oauth2/v2.0/token'

/** `now` is in milliseconds since the epoch. */
export async function standInTokenEndpoint(now: () => number): Promise<StandInTokenEndpoint> {
  const ids = new Set<string>()
  let made = 0
  const listening = await listen((request, response) => void answer(request, response))
  const standIn: StandInTokenEndpoint = {
    ...listening,
    url: listening.origin + TENANT_PATH,
    certificates: [],
    secret: undefined,
    federated: new Set(),
    calls: [],
    misbehaviour: [],
    expiresIn: 3599,
  }
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    const form = new URLSearchParams(body)
    const call = { form, authorization: request.headers.authorization, outcome: 'misbehaved' }
    standIn.calls.push(call)
    if (misbehaves(standIn.misbehaviour.shift(), request, response)) return
    call.outcome = proven(standIn, form, now(), ids)
    const code = /^\d+$/.test(call.outcome) ? Number(call.outcome) : undefined
    if (code !== undefined) {
      const refusal = {
        error: 'invalid_client',
        error_description: `AADSTS${code}: a text that nobody should see. Trace ID: 0`,
        error_codes: [code],
        timestamp: new Date(now()).toISOString(),
        trace_id: '11111111-2222-4333-8444-555555555555',
        correlation_id: '11111111-2222-4333-8444-555555555555',
      }
      return void response.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify(refusal))
    }
    const granted = {
      token_type: 'Bearer',
      expires_in: standIn.expiresIn,
      ext_expires_in: standIn.expiresIn,
      access_token: `token-${++made}`,
    }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(granted))
  }
  return standIn
}

/** `certificate`, `secret`, `federated`, or the number of Entra's error. */
function proven(
  { certificates, secret, federated, url }: StandInTokenEndpoint,
  form: URLSearchParams,
  now: number,
  ids: Set<string>,
): string {
  if (form.get('client_id') !== STANDIN_CLIENT) return '700016'
  const assertion = form.get('client_assertion')
  if (assertion === null) {
    const given = form.get('client_secret')
    return given === null ? '7000218' : given === secret ? 'secret' : '7000215'
  }
  if (form.get('client_assertion_type') !== 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer') return '900144'
  if (federated.has(assertion)) return 'federated'
  const [head = '', payload = '', signature = ''] = assertion.split('.')
  const header = parse(head)
  const claims = parse(payload)
  const certificate = certificates
    .map((pem) => new X509Certificate(pem))
    .find(({ raw }) => header['x5t#S256'] === digest('sha256', raw) || header['x5t'] === digest('sha1', raw))
  if (certificate === undefined) return '700027'
  const key = certificate.publicKey
  const input = Buffer.from(`${head}.${payload}`)
  const pss = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
  const good =
    header['alg'] === 'PS256' && 'x5t#S256' in header
      ? verify('sha256', input, pss, Buffer.from(signature, 'base64url'))
      : header['alg'] === 'RS256' && 'x5t' in header && verify('sha256', input, key, Buffer.from(signature, 'base64url'))
  if (!good) return '700027'
  const seconds = now / 1000
  const [nbf, exp] = [Number(claims['nbf']), Number(claims['exp'])]
  if (!(nbf <= seconds && seconds < exp && exp - nbf <= 300)) return '700024'
  if (claims['aud'] !== url || claims['iss'] !== STANDIN_CLIENT || claims['sub'] !== STANDIN_CLIENT) return '700023'
  const id = claims['jti']
  if (typeof id !== 'string' || id.length < 16 || ids.has(id)) return '700028'
  ids.add(id)
  return now < certificate.validToDate.getTime() ? 'certificate' : '1000502'
}

function parse(part: string): Record<string, unknown> {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
  } catch {
    return {}
  }
}

function digest(algorithm: string, bytes: Uint8Array): string {
  return createHash(algorithm).update(bytes).digest('base64url')
}

export interface StandInIdentity extends Listening {
  readonly calls: { readonly url: URL; readonly headers: Readonly<Record<string, unknown>> }[]
  readonly misbehaviour: Misbehaviour[]
  /** The token that the next answers have. */
  token: string
  expiresIn: number
  /** Fetches from it whatever asks IMDS's own address. */
  readonly fetch: typeof fetch
}

/** Answers as IMDS does to `Metadata: true`, and as App Service does to `header`. */
export async function standInIdentity(now: () => number, header = 'identity-header'): Promise<StandInIdentity> {
  const listening = await listen((request, response) => {
    const url = new URL(request.url ?? '/', listening.origin)
    standIn.calls.push({ url, headers: request.headers })
    if (misbehaves(standIn.misbehaviour.shift(), request, response)) return
    const resource = url.searchParams.get('resource')
    const version = url.searchParams.get('api-version')
    const imds = url.pathname === '/metadata/identity/oauth2/token' && version === '2018-02-01' && request.headers['metadata'] === 'true'
    const appService = url.pathname === '/msi/token' && version === '2019-08-01' && request.headers['x-identity-header'] === header
    if ((!imds && !appService) || resource === null || request.headers['x-forwarded-for'] !== undefined)
      return void response
        .writeHead(400)
        .end(JSON.stringify({ error: 'invalid_request', error_description: 'Required metadata header not specified' }))
    const expires = String(Math.floor(now() / 1000) + standIn.expiresIn)
    const answer = imds
      ? {
          access_token: standIn.token,
          refresh_token: '',
          expires_in: String(standIn.expiresIn),
          expires_on: expires,
          not_before: expires,
          resource,
          token_type: 'Bearer',
        }
      : { access_token: standIn.token, expires_on: expires, resource, token_type: 'Bearer', client_id: STANDIN_CLIENT }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
  const standIn: StandInIdentity = {
    ...listening,
    calls: [],
    misbehaviour: [],
    token: 'token-of-the-platform',
    expiresIn: 3599,
    fetch: (input, init) =>
      fetch(
        input instanceof Request ? input : (input instanceof URL ? input.href : input).replace('http://169.254.169.254', listening.origin),
        init,
      ),
  }
  return standIn
}
