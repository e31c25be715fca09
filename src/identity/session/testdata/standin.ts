/**
 * For the tests of sign-in: a stand-in for an OpenID Connect provider on loopback, which does as it is told, and a stand-in for a
 * browser, which keeps cookies as RFC 6265 has it. Neither imports anything of the gateway.
 */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { signToken, testKey, times, type JsonObject } from '../../../testing/tokens.ts'

export const CLIENT_ID = 'orders-web'

/** What an authorization request asked for. */
interface Asked {
  readonly url: URL
  readonly state: string
  readonly nonce: string
  readonly challenge: string
  readonly redirectUri: string
}

export interface TokenCall {
  readonly form: URLSearchParams
  readonly authorization: string | undefined
  readonly contentType: string | undefined
}

export interface ProviderStandIn {
  readonly origin: string
  /** Requests to the token endpoint so far. */
  readonly tokenCalls: TokenCall[]
  /** Says that its authorization responses carry `iss` (RFC 9207). Read when metadata is got. */
  issInResponse: boolean
  /** `token_endpoint_auth_methods_supported`; left out if undefined. */
  authMethods: readonly string[] | undefined
  /** Further claims of the next ID tokens, over the good ones. */
  claims: JsonObject
  /** Answers the token endpoint in place of the good answer. */
  override: ((response: ServerResponse) => void) | undefined
  /** Answers everything with 503. */
  down: boolean
  /** Refresh tokens that were redeemed so far, those that were refused too. */
  readonly redemptions: string[]
  /** Refresh tokens are looked at once this is over; whoever has hung up by then has not asked. */
  hold: Promise<void> | undefined
  /** Claims of refreshed ID tokens, over those of all others. */
  refreshedClaims: JsonObject
  /** Ends what every refresh token stands for. */
  endRefresh(): void
  /** A logout token with these claims over the good ones (OpenID Connect Back-Channel Logout §2.4); one that is undefined is left out. */
  logoutToken(claims?: Readonly<Record<string, JsonObject[string] | undefined>>, header?: JsonObject): string
  /** What the browser was sent here to ask. */
  asked(location: string): Asked
  /** Lets the person sign in: the query with which the browser is sent back. */
  approve(location: string, more?: Readonly<Record<string, string>>): string
  close(): Promise<void>
}

const key = testKey('standin', 'ES256')

export async function providerStandIn(now: () => number): Promise<ProviderStandIn> {
  const sockets = new Set<Socket>()
  const codes = new Map<string, Asked>()
  /** Refresh tokens that are good, each once, by their family. */
  const good = new Map<string, string>()
  let made = 0
  const server = createServer((request, response) => void answer(request, response))
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const standIn: ProviderStandIn = {
    origin,
    tokenCalls: [],
    issInResponse: false,
    authMethods: undefined,
    claims: {},
    override: undefined,
    down: false,
    redemptions: [],
    hold: undefined,
    refreshedClaims: {},
    endRefresh: () => good.clear(),
    logoutToken(claims = {}, header = {}) {
      const all = {
        iss: origin,
        aud: CLIENT_ID,
        ...times(now(), 120),
        jti: `logout-${++made}`,
        events: { 'http://schemas.openid.net/event/backchannel-logout': {} },
        sid: 'there-1',
        ...claims,
      }
      const kept = Object.entries(all).filter(([, value]) => value !== undefined)
      return signToken(key, Object.fromEntries(kept) as JsonObject, { typ: 'logout+jwt', ...header })
    },
    asked(location) {
      const url = new URL(location)
      const get = (name: string): string => url.searchParams.get(name) ?? ''
      return { url, state: get('state'), nonce: get('nonce'), challenge: get('code_challenge'), redirectUri: get('redirect_uri') }
    },
    approve(location, more = {}) {
      const asked = standIn.asked(location)
      const code = `code-${++made}`
      codes.set(code, asked)
      return new URLSearchParams({ code, state: asked.state, ...more }).toString()
    },
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '/'
    if (standIn.down) return send(response, 503, {})
    if (path === '/.well-known/openid-configuration') return send(response, 200, metadata())
    if (path === '/keys') return send(response, 200, { keys: [key.jwk] })
    if (path !== '/token') return send(response, 404, {})
    let body = ''
    for await (const chunk of request) body += String(chunk)
    const form = new URLSearchParams(body)
    const { authorization, 'content-type': contentType } = request.headers
    standIn.tokenCalls.push({ form, authorization, contentType })
    if (standIn.override !== undefined) return standIn.override(response)
    if (form.get('grant_type') === 'refresh_token') return await refreshed(response, form.get('refresh_token') ?? '')
    const asked = codes.get(form.get('code') ?? '')
    codes.delete(form.get('code') ?? '') // a code is good once
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url')
    if (asked === undefined || asked.challenge !== challenge || asked.redirectUri !== form.get('redirect_uri'))
      return send(response, 400, { error: 'invalid_grant' })
    const offline = (asked.url.searchParams.get('scope') ?? '').split(' ').includes('offline_access')
    grant(response, { nonce: asked.nonce, ...standIn.claims }, offline ? `family-${++made}` : undefined)
  }

  /** Whoever presents a refresh token a second time ends what it stands for (RFC 9700 §4.14.2). */
  async function refreshed(response: ServerResponse, token: string): Promise<void> {
    standIn.redemptions.push(token)
    await standIn.hold
    if (response.destroyed) return
    const family = token.split('.')[0]!
    if (good.get(family) !== token) {
      good.delete(family)
      return send(response, 400, { error: 'invalid_grant' })
    }
    grant(response, { ...standIn.claims, ...standIn.refreshedClaims }, family)
  }

  function grant(response: ServerResponse, more: JsonObject, family: string | undefined): void {
    const claims = { iss: origin, aud: CLIENT_ID, sub: 'reader', ...times(now()), preferred_username: 'reader@example.com' }
    const id_token = signToken(key, { ...claims, ...more })
    const refresh_token = family === undefined ? undefined : `${family}.${++made}`
    if (family !== undefined && refresh_token !== undefined) good.set(family, refresh_token)
    const tokens = { access_token: 'not-for-the-gateway', id_token, ...(refresh_token === undefined ? {} : { refresh_token }) }
    send(response, 200, { token_type: 'Bearer', expires_in: 3600, ...tokens })
  }

  function metadata(): JsonObject {
    return {
      issuer: origin,
      jwks_uri: `${origin}/keys`,
      authorization_endpoint: `${origin}/authorize?tenant=one`,
      token_endpoint: `${origin}/token`,
      end_session_endpoint: `${origin}/end`,
      authorization_response_iss_parameter_supported: standIn.issInResponse,
      ...(standIn.authMethods === undefined ? {} : { token_endpoint_auth_methods_supported: standIn.authMethods }),
    }
  }
  return standIn
}

function send(response: ServerResponse, status: number, body: JsonObject): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

/** A browser's cookies for one host. */
export class Jar {
  readonly cookies = new Map<string, string>()
  /** Attributes of each cookie that was ever set, as written. */
  readonly seen: { readonly name: string; readonly value: string; readonly attributes: readonly string[] }[] = []

  take(setCookies: readonly string[]): void {
    for (const line of setCookies) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim())
      const cut = pair.indexOf('=')
      const [name, value] = [pair.slice(0, cut), pair.slice(cut + 1)]
      this.seen.push({ name, value, attributes })
      const lower = attributes.map((attribute) => attribute.toLowerCase())
      // What a browser demands of a name with this prefix, lest it drops the cookie (RFC 6265bis §4.1.3.2).
      if (
        name.startsWith('__Host-') &&
        !(lower.includes('secure') && lower.includes('path=/') && !lower.some((one) => one.startsWith('domain')))
      )
        continue
      if (lower.includes('max-age=0')) this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
  }

  list(): readonly { readonly name: string; readonly value: string }[] {
    return [...this.cookies].map(([name, value]) => ({ name, value }))
  }
}
