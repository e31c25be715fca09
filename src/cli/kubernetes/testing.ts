/** A stand-in for a gateway and its provider, as far as the command line speaks to them: refresh tokens are good once, as at a strict provider. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface StandIn {
  /** Admin address of the gateway. */
  readonly url: string
  /** The scope that each redemption of a refresh token asked for, in their order. */
  readonly redeemed: (string | null)[]
  /** What redemptions are answered with instead of tokens. */
  refusing: { readonly status: number; readonly error: string; readonly error_description?: string } | undefined
  /** What `GET /api/clusters` is answered with. */
  clusters: unknown
  /** Waits for that long before a redemption is answered, so that others come in between. In milliseconds. */
  delay: number
  /** The refresh token that is good now. */
  refresh(): string
  close(): Promise<void>
}

export async function startStandIn(): Promise<StandIn> {
  let serial = 0
  let good = 'refresh-0'
  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const json = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += chunk as string
    switch (request.url) {
      case '/.ostiary/client.json':
        return json(200, { issuers: [{ name: 'entra', discovery: `${url}/idp`, clientId: 'cli', scopes: ['openid', 'gateway'] }] })
      case '/idp/.well-known/openid-configuration':
      case '/.well-known/openid-configuration/idp':
        return json(200, { issuer: `${url}/idp`, token_endpoint: `${url}/idp/token`, scopes_supported: ['offline_access'] })
      case '/api/clusters':
        return json(request.headers.authorization === undefined ? 401 : 200, standIn.clusters)
      case '/idp/token': {
        const form = new URLSearchParams(body)
        standIn.redeemed.push(form.get('scope'))
        await new Promise((resolve) => setTimeout(resolve, standIn.delay))
        if (standIn.refusing !== undefined) return json(standIn.refusing.status, standIn.refusing)
        if (form.get('refresh_token') !== good)
          return json(400, { error: 'invalid_grant', error_description: 'AADSTS70000: the refresh token is good no more' })
        good = `refresh-${++serial}`
        const [scope] = (form.get('scope') ?? 'gateway').split(' ')
        return json(200, { access_token: `${scope}-${serial}`, token_type: 'Bearer', expires_in: 3600, refresh_token: good })
      }
      default:
        return json(404, {})
    }
  }
  const standIn: StandIn = {
    url,
    redeemed: [],
    refusing: undefined,
    clusters: [],
    delay: 0,
    refresh: () => good,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return standIn
}
