/**
 * Token fixtures: the literal shapes of Microsoft's documentation and of RFC 9068, signed by node:crypto alone. Nothing
 * here knows the gateway's own identity code, so that the two can't agree on a mistake.
 */
import { createHmac, createPublicKey, generateKeyPairSync, sign as signBytes, type KeyObject } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }
export type JsonObject = { readonly [name: string]: Json }

export const TENANT = '72f988bf-86f1-41af-91ab-2d7cd011db47'
export const OTHER_TENANT = 'fa15d692-e9c7-4460-a743-29f29522229d'
export const API = '6e74172b-be56-4843-9ff4-e66a39bb12e3'
export const CLIENT = '75dbe77f-10a3-4e59-85fd-8c127544f17c'
export const USER = '690222be-ff1a-4d56-abd1-7e4f7d38e474'
export const SERVICE_PRINCIPAL = '02223b6b-aa1d-42d4-9ec0-1b2bb9194438'
export const AGENT = 'aaaaaaaa-0000-4000-8000-000000000011'

const ALGORITHMS = {
  RS256: { hash: 'sha256' },
  PS256: { hash: 'sha256', padding: 6, saltLength: 32 },
  ES256: { hash: 'sha256', dsaEncoding: 'ieee-p1363' },
  EdDSA: { hash: null },
} as const

export type Algorithm = keyof typeof ALGORITHMS

/** A signing key with the JWK that publishes it. */
export interface TestKey {
  readonly kid: string
  readonly algorithm: Algorithm
  readonly privateKey: KeyObject
  readonly jwk: JsonObject
}

export function testKey(kid: string, algorithm: Algorithm = 'RS256', extra: JsonObject = {}): TestKey {
  const { privateKey } =
    algorithm === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : algorithm === 'EdDSA'
        ? generateKeyPairSync('ed25519')
        : generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = createPublicKey(privateKey).export({ format: 'jwk' }) as JsonObject
  return { kid, algorithm, privateKey, jwk: { ...jwk, kid, use: 'sig', alg: algorithm, ...extra } }
}

export function base64url(value: string | Uint8Array): string {
  return Buffer.from(value).toString('base64url')
}

/** A compact JWS. `header` and `payload` may be raw text, for shapes that JSON.stringify would not write. */
export function signToken(key: TestKey, payload: JsonObject | string, header: JsonObject | string = {}): string {
  const head = typeof header === 'string' ? header : JSON.stringify({ typ: 'JWT', alg: key.algorithm, kid: key.kid, ...header })
  const input = `${base64url(head)}.${base64url(typeof payload === 'string' ? payload : JSON.stringify(payload))}`
  const { hash, ...options } = ALGORITHMS[key.algorithm]
  return `${input}.${base64url(signBytes(hash, Buffer.from(input), { key: key.privateKey, ...options }))}`
}

/** `alg: none` in any spelling, with an empty signature. */
export function unsignedToken(payload: JsonObject, alg = 'none'): string {
  return `${base64url(JSON.stringify({ typ: 'JWT', alg }))}.${base64url(JSON.stringify(payload))}.`
}

/** HS256 keyed with whatever is given: the RS/HS confusion. */
export function hmacToken(secret: string | Uint8Array, payload: JsonObject, header: JsonObject = {}): string {
  const input = `${base64url(JSON.stringify({ typ: 'JWT', alg: 'HS256', ...header }))}.${base64url(JSON.stringify(payload))}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

/** Times of a token that is good for about an hour around `now` (milliseconds). */
export function times(now: number, life = 3_900): { iat: number; nbf: number; exp: number } {
  const seconds = Math.floor(now / 1000)
  return { iat: seconds, nbf: seconds, exp: seconds + life }
}

/** Claims of Entra access tokens as its documentation prints them. `authority` has no trailing slash. */
export const entraClaims = {
  v2User: (authority: string, now: number, more: JsonObject = {}): JsonObject => ({
    aud: API,
    iss: `${authority}/${TENANT}/v2.0`,
    ...times(now),
    aio: 'AUQAu/8TAAAAi8ZgLUVwvbtWPTyS',
    azp: CLIENT,
    azpacr: '0',
    name: 'reader',
    oid: USER,
    preferred_username: 'reader@example.com',
    rh: '0.ARoAv4j5cvGGr0GRqy180BHbR',
    scp: 'access_as_user',
    sub: 'HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ',
    tid: TENANT,
    uti: 'fqiBqXLPj0eQa82S-IYFAA',
    ver: '2.0',
    roles: ['Orders.Read'],
    ...more,
  }),
  v1User: (issuerV1: string, now: number, more: JsonObject = {}): JsonObject => ({
    aud: `api://${API}`,
    iss: issuerV1,
    ...times(now),
    acr: '1',
    aio: 'AXQAi/8IAAAAFm+E/QTG',
    amr: ['wia'],
    appid: CLIENT,
    appidacr: '0',
    family_name: 'Reader',
    given_name: 'Orders',
    ipaddr: '222.222.222.22',
    name: 'reader',
    oid: USER,
    rh: 'I',
    scp: 'user_impersonation',
    sub: 'l3_roISQU222bULS9yi2k0XpqpOiMz5H3ZACo1GeXA',
    tid: TENANT,
    unique_name: 'reader@example.com',
    uti: 'FVsGxYXI30-TuikuuUoFAA',
    ver: '1.0',
    roles: ['Orders.Read'],
    ...more,
  }),
  v2App: (authority: string, now: number, more: JsonObject = {}): JsonObject => ({
    aud: API,
    iss: `${authority}/${TENANT}/v2.0`,
    ...times(now),
    aio: 'E2NgYNB4Uv2ZJ',
    azp: CLIENT,
    azpacr: '1',
    idtyp: 'app',
    oid: SERVICE_PRINCIPAL,
    rh: '0.ARoAv4j5cvGGr0GRqy180BHbR',
    roles: ['Orders.Read'],
    sub: SERVICE_PRINCIPAL,
    tid: TENANT,
    uti: 'aqiBqXLPj0eQa82S-IYFAA',
    ver: '2.0',
    ...more,
  }),
  /** A managed identity's token lives 24 hours and 5 minutes and is a v1 token. */
  v1ManagedIdentity: (issuerV1: string, now: number, more: JsonObject = {}): JsonObject => ({
    aud: `api://${API}`,
    iss: issuerV1,
    ...times(now, 86_700),
    appid: CLIENT,
    appidacr: '2',
    idp: issuerV1,
    idtyp: 'app',
    oid: SERVICE_PRINCIPAL,
    sub: SERVICE_PRINCIPAL,
    roles: ['Orders.Read'],
    rh: '0.ARoAv4j5cvGGr0GRqy180BHbR',
    tid: TENANT,
    uti: 'bqiBqXLPj0eQa82S-IYFAA',
    ver: '1.0',
    xms_mirid: `/subscriptions/00000000-0000-4000-8000-000000000001/resourcegroups/orders/providers/Microsoft.ManagedIdentity/userAssignedIdentities/orders`,
    ...more,
  }),
  /** More than 200 groups: the token says where to ask instead of which they are. */
  overage: (authority: string, now: number, more: JsonObject = {}): JsonObject =>
    entraClaims.v2User(authority, now, {
      _claim_names: { groups: 'src1' },
      _claim_sources: { src1: { endpoint: `https://graph.windows.net/${TENANT}/users/${USER}/getMemberObjects` } },
      ...more,
    }),
  agentForUser: (authority: string, now: number, more: JsonObject = {}): JsonObject =>
    entraClaims.v2User(authority, now, {
      azp: AGENT,
      azpacr: '2',
      idtyp: 'user',
      xms_act_fct: '11 3',
      xms_par_app_azp: CLIENT,
      xms_idrel: '1 7',
      ...more,
    }),
  autonomousAgent: (authority: string, now: number, more: JsonObject = {}): JsonObject =>
    entraClaims.v2App(authority, now, {
      azp: AGENT,
      azpacr: '2',
      oid: AGENT,
      sub: AGENT,
      xms_act_fct: '11',
      xms_sub_fct: '11',
      xms_par_app_azp: CLIENT,
      xms_idrel: '7',
      ...more,
    }),
  idToken: (authority: string, now: number, more: JsonObject = {}): JsonObject => ({
    aud: CLIENT,
    iss: `${authority}/${TENANT}/v2.0`,
    ...times(now),
    aio: 'AUQAu/8TAAAAi8ZgLUVwvbtWPTyS',
    name: 'reader',
    nonce: 'n-0S6_WzA2Mj',
    oid: USER,
    preferred_username: 'reader@example.com',
    rh: '0.ARoAv4j5cvGGr0GRqy180BHbR',
    sub: 'HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ',
    tid: TENANT,
    uti: 'fqiBqXLPj0eQa82S-IYFAA',
    ver: '2.0',
    ...more,
  }),
}

/** An RFC 9068 access token's claims, for issuers of kind `oidc`. Sign it with the header `{ typ: 'at+jwt' }`. */
export function rfc9068Claims(issuer: string, audience: string, now: number, more: JsonObject = {}): JsonObject {
  return {
    iss: issuer,
    aud: audience,
    ...times(now),
    sub: 'reader-1',
    client_id: 'orders-web',
    jti: 'dbe39bf3a3ba4238a513f51d6e1691c4',
    scope: 'openid orders.read',
    ...more,
  }
}

/** A provider that serves discovery and keys on loopback, and does as it is told: slow, failing, lying. */
export interface KeyFixture {
  readonly origin: string
  /** Requests so far, by path. */
  readonly hits: Map<string, number>
  keys: readonly JsonObject[]
  /** Answers a path in place of the fixture; may be a promise that never settles. */
  override:
    | ((path: string) => { status: number; body: string; headers?: Readonly<Record<string, string>> } | undefined | Promise<never>)
    | undefined
  close(): Promise<void>
}

/**
 * Serves, for every tenant, Entra's v2 (`/{tid}/v2.0`) and v1 (`/{tid}`) metadata, and for issuer kind `oidc` the plain
 * `/.well-known/openid-configuration` whose issuer is the origin. The v1 issuer is `{origin}/sts/{tid}/`.
 */
export async function keyFixture(keys: readonly TestKey[]): Promise<KeyFixture> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((request, response) => {
    void answer(request.url ?? '/').then(({ status, body, headers }) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers })
      response.end(body)
    })
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const fixture: KeyFixture = {
    origin,
    hits: new Map(),
    keys: keys.map(({ jwk }) => jwk),
    override: undefined,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }
  const json = (value: Json) => ({ status: 200, body: JSON.stringify(value), headers: {} })
  async function answer(path: string): Promise<{ status: number; body: string; headers?: Readonly<Record<string, string>> }> {
    fixture.hits.set(path, (fixture.hits.get(path) ?? 0) + 1)
    const told = await fixture.override?.(path)
    if (told !== undefined) return told
    const v2 = /^\/([^/]+)\/v2\.0\/\.well-known\/openid-configuration$/.exec(path)
    if (v2 !== null) {
      const tenant = v2[1] === 'common' || v2[1] === 'organizations' ? '{tenantid}' : v2[1]!
      return json({
        issuer: `${origin}/${tenant}/v2.0`,
        jwks_uri: `${origin}/${v2[1]!}/discovery/v2.0/keys`,
        authorization_endpoint: `${origin}/${v2[1]!}/oauth2/v2.0/authorize`,
        token_endpoint: `${origin}/${v2[1]!}/oauth2/v2.0/token`,
      })
    }
    if (path === '/.well-known/openid-configuration') {
      return json({
        issuer: origin,
        jwks_uri: `${origin}/keys`,
        authorization_endpoint: `${origin}/authorize`,
        token_endpoint: `${origin}/token`,
      })
    }
    const v1 = /^\/([^/]+)\/\.well-known\/openid-configuration$/.exec(path)
    if (v1 !== null) return json({ issuer: `${origin}/sts/${v1[1]!}/`, jwks_uri: `${origin}/${v1[1]!}/discovery/keys` })
    if (path === '/keys') return json({ keys: fixture.keys })
    if (/^\/[^/]+\/discovery\/v2\.0\/keys$/.test(path))
      return json({ keys: fixture.keys.map((key) => ({ issuer: `${origin}/{tenantid}/v2.0`, ...key })) })
    if (/^\/[^/]+\/discovery\/keys$/.test(path)) return json({ keys: fixture.keys })
    return { status: 404, body: '{}' }
  }
  return fixture
}
