/** What the tests of this folder share: an API behind the gateway, a browser, and an OpenID provider that is not ours. */
import { generateKeyPairSync } from 'node:crypto'
import { createServer, request, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { memoryStore } from '../../demo/idp/adapter.ts'

export interface Listening {
  readonly origin: string
  close(): Promise<void>
}

export async function listening(handler: Parameters<typeof createServer>[1]): Promise<Listening> {
  const server = createServer(handler!)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

/** An API that says whom it was told. */
export function standinApi(): Promise<Listening> {
  return listening((_, response) => void response.writeHead(200, { 'content-type': 'text/plain' }).end('the api'))
}

export interface Answered {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A browser’s request to the gateway under the host that people know, wherever it really listens. */
export function asked(port: number, host: string, path: string, cookies: ReadonlyMap<string, string>, method = 'GET'): Promise<Answered> {
  const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  return new Promise((resolve, reject) => {
    const headers = { host, accept: 'text/html', 'sec-fetch-mode': 'navigate', ...(cookie === '' ? {} : { cookie }) }
    const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts).toString() }),
      )
    })
    sent.on('error', reject)
    sent.end()
  })
}

/** Keeps the cookies of an answer. */
export function keepCookies(jar: Map<string, string>, { headers }: Answered): void {
  for (const line of headers['set-cookie'] ?? []) {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
    if (value === '') jar.delete(name)
    else jar.set(name, value)
  }
}

export interface RealProvider extends Listening {
  /** Who signs in next. */
  account: string
}

/** `oidc-provider` itself, with one client, at which whoever is named signs in and consents. */
export async function realProvider(redirect: string): Promise<RealProvider> {
  const { default: Provider } = await import('oidc-provider')
  let provider: InstanceType<typeof Provider> | undefined
  const listens = await listening((incoming, response) => {
    if (incoming.url?.startsWith('/interaction/') === true) void interact(incoming, response)
    else void provider?.callback()(incoming, response)
  })
  const real: RealProvider = { ...listens, account: 'reader' }
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  provider = new Provider(listens.origin, {
    adapter: memoryStore(),
    ttl: { Interaction: 600, Session: 600, Grant: 600, AccessToken: 600, IdToken: 600 },
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), use: 'sig', kid: 'provider' } as never] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    clients: [
      {
        client_id: 'ostiary-api',
        client_secret: 'secret-of-the-client',
        redirect_uris: [redirect],
        grant_types: ['authorization_code'],
        response_types: ['code'],
      },
    ],
    claims: { openid: ['sub'], profile: ['groups', 'name'] },
    conformIdTokenClaims: false,
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, name: id, groups: id === 'writer' ? ['api-writers'] : [] }) }),
    cookies: { keys: ['for-tests'] },
    pkce: { required: () => true },
  })
  async function interact(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { prompt, params, session } = await provider!.interactionDetails(incoming, response)
    if (prompt.name === 'login') return provider!.interactionFinished(incoming, response, { login: { accountId: real.account } })
    const grant = new provider!.Grant({ accountId: session!.accountId, clientId: String(params['client_id']) })
    grant.addOIDCScope('openid profile')
    await provider!.interactionFinished(incoming, response, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true })
  }
  return real
}
