/**
 * A stand-in for Azure Key Vault, for tests: `GET /secrets/{name}` with its challenge flow, as its REST reference has it. Vaults are told
 * apart by the host that `fetch` was asked for. It misbehaves when told to.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface StandInSecret {
  value: string
  contentType?: string
  attributes?: Record<string, unknown>
  id?: string
}

export type Misbehaviour = 'hang' | 'drop' | { readonly status: number; readonly body?: string; readonly headers?: Record<string, string> }

export interface StandInVault {
  readonly origin: string
  /** By `vault/name`. */
  readonly secrets: Map<string, StandInSecret>
  /** Tokens that are good. */
  tokens: Set<string>
  /** The challenge of an unauthenticated request. */
  challenge: string
  readonly requests: { readonly host: string; readonly url: string; readonly authorization: string | undefined }[]
  /** The next answers, in order, in place of the good ones. */
  readonly misbehaviour: Misbehaviour[]
  /** Fetches from it what is asked of a vault, and nothing else. */
  readonly fetch: typeof fetch
  close(): Promise<void>
}

export const VAULT_TENANT = '72f988bf-86f1-41af-91ab-2d7cd011db47'
export const CHALLENGE = `Bearer authorization="https://login.microsoftonline.com/${VAULT_TENANT}", resource="https://vault.azure.net"`

export async function standInVault(suffix = 'vault.azure.net'): Promise<StandInVault> {
  const server = createServer((request, response) => {
    // A connection that is used again would be asked a second time by the client itself, when it breaks.
    response.setHeader('connection', 'close')
    const [, host = '', ...rest] = (request.url ?? '').split('/')
    const url = new URL(`/${rest.join('/')}`, `https://${host}`)
    const { authorization } = request.headers
    vault.requests.push({ host, url: url.pathname + url.search, authorization })
    const told = vault.misbehaviour.shift()
    if (told === 'hang') return
    if (told === 'drop') return void request.socket.destroy()
    if (told !== undefined) return void response.writeHead(told.status, told.headers).end(told.body ?? '{}')
    const say = (status: number, body: unknown, headers: Record<string, string> = {}): void =>
      void response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers }).end(JSON.stringify(body))
    const error = (code: string) => ({ error: { code, message: 'a text that nobody should see' } })
    if (authorization === undefined) return say(401, error('Unauthorized'), { 'www-authenticate': vault.challenge })
    if (!vault.tokens.has(authorization.replace(/^Bearer /, '')))
      return say(401, error('Unauthorized'), { 'www-authenticate': `${vault.challenge}, error="invalid_token"` })
    const name = /^\/secrets\/([A-Za-z0-9-]+)$/.exec(url.pathname)?.[1]
    if (url.searchParams.get('api-version') !== '7.4') return say(400, error('BadParameter'))
    const secret = vault.secrets.get(`${host.split('.')[0]!}/${name}`)
    if (secret === undefined) return say(404, error('SecretNotFound'))
    const { value, contentType, attributes = {}, id = `https://${host}/secrets/${name}/3f8a2c` } = secret
    const recovery = { enabled: true, created: 1_700_000_000, updated: 1_700_000_000, recoveryLevel: 'Recoverable+Purgeable' }
    say(200, { value, ...(contentType === undefined ? {} : { contentType }), id, attributes: { ...recovery, ...attributes } })
  })
  const vault: StandInVault = {
    origin: '',
    secrets: new Map(),
    tokens: new Set(),
    challenge: CHALLENGE,
    requests: [],
    misbehaviour: [],
    fetch: (input, init) => {
      const url = new URL(input as string)
      if (url.protocol !== 'https:' || !url.hostname.endsWith(`.${suffix}`))
        return Promise.reject(new TypeError('asked for something else'))
      return fetch(`${vault.origin}/${url.hostname}${url.pathname}${url.search}`, init)
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  Object.assign(vault, { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
  return vault
}
