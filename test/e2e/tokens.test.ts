/** Tokens for others: what a caller has becomes what a service that knows only JWTs can check, verified here by jose. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import * as client from 'openid-client'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { stringify } from 'yaml'
import { startGateway, type Gateway } from '../../src/server/start.ts'
import { keyFixture, rfc9068Claims, signToken, testKey, times, type JsonObject, type KeyFixture } from '../../src/testing/tokens.ts'

const AUDIENCE = 'https://orders.example'
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS = 'urn:ietf:params:oauth:token-type:access_token'
const key = testKey('tokens')

let tokens: KeyFixture
let gateway: Gateway
let folder: string

describe('tokens for others', () => {
  before(async () => {
    tokens = await keyFixture([key])
    folder = mkdtempSync(join(tmpdir(), 'ostiary-tokens-'))
    mkdirSync(join(folder, 'policy'))
    const http = (more: object) => ({ protocol: 'http', upstream: { url: 'http://127.0.0.1:9' }, ...more })
    const wiring = {
      apiVersion: 'ostiary.dev/v1',
      name: 'gateway',
      assertions: { issuer: 'https://gateway.example' },
      dataDir: 'data',
      issuers: { idp: { kind: 'oidc', issuer: tokens.origin, audiences: [AUDIENCE] } },
      resources: {
        orders: http({ hosts: ['127.0.0.1'], assertion: { audience: 'https://mesh.example/orders', issue: true }, maxTokenLifetime: '2h' }),
        quiet: http({ hosts: ['localhost'] }),
      },
      doors: { http: { listen: [{ address: '127.0.0.1:0' }] } },
      admin: { listen: '127.0.0.1:0' },
    }
    const policy = {
      apiVersion: 'ostiary.dev/v1',
      roles: {
        reader: { bind: [{ issuer: 'idp', claim: 'client_id', any: ['orders-web'] }] },
        admin: { bind: [{ issuer: 'ostiary', claim: 'via', any: ['one-time-link'] }] },
      },
      rules: [
        { id: 'tokens', role: 'reader', resource: ['orders', 'quiet'], actions: ['POST /.ostiary/token'] },
        { id: 'administer', role: 'admin', resource: 'ostiary', actions: ['* /**'] },
      ],
    }
    writeFileSync(join(folder, 'ostiary.yaml'), stringify(wiring))
    writeFileSync(join(folder, 'policy/policy.yaml'), stringify(policy))
    gateway = await startGateway({ folder, watch: false, log: () => undefined })
  })

  after(async () => {
    await gateway.stop(0)
    await tokens.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const origin = (host = '127.0.0.1'): string => `http://${host}:${gateway.doors[0]!.port}`
  const tokenOf = (more: JsonObject = {}): string =>
    signToken(key, rfc9068Claims(tokens.origin, AUDIENCE, Date.now(), more), { typ: 'at+jwt' })

  interface Answered {
    readonly status: number
    readonly body: Readonly<Record<string, unknown>>
  }

  async function ask(
    form: Readonly<Record<string, string>> | string,
    headers: Readonly<Record<string, string>> = {},
    at = origin(),
  ): Promise<Answered> {
    const body = typeof form === 'string' ? form : new URLSearchParams(form).toString()
    const type = { 'content-type': 'application/x-www-form-urlencoded' }
    const answer = await fetch(`${at}/.ostiary/token`, { method: 'POST', body, headers: { ...type, ...headers } })
    assert.equal(answer.headers.get('cache-control'), 'no-store')
    return { status: answer.status, body: (await answer.json()) as Answered['body'] }
  }

  const exchange = (more: Readonly<Record<string, string>> = {}) => ({
    grant_type: EXCHANGE,
    subject_token: tokenOf(),
    subject_token_type: ACCESS,
    ...more,
  })

  describe('the token endpoint', () => {
    test('exchanges a credential, for a client that finds it by its metadata, for a token that jose verifies', async () => {
      const metadata = (await (await fetch(`${origin()}/.ostiary/oauth-authorization-server`)).json()) as client.ServerMetadata
      const config = new client.Configuration(metadata, 'orders-web', undefined, client.None())
      client.allowInsecureRequests(config)
      const answer = await client.genericGrantRequest(config, EXCHANGE, {
        subject_token: tokenOf(),
        subject_token_type: ACCESS,
        resource: origin(),
      })
      assert.equal(answer.token_type, 'bearer')
      assert.equal(answer['issued_token_type'], 'urn:ietf:params:oauth:token-type:jwt')
      assert.ok(answer.expires_in! > 290 && answer.expires_in! <= 300)
      const keys = createRemoteJWKSet(new URL(String(metadata.jwks_uri)))
      const { payload, protectedHeader } = await jwtVerify(answer.access_token, keys, {
        issuer: 'https://gateway.example',
        audience: 'https://mesh.example/orders',
        algorithms: ['ES256'],
      })
      assert.equal(protectedHeader.typ, 'JWT')
      assert.deepEqual(payload['roles'], ['authenticated', 'everyone', 'reader'])
      assert.deepEqual([payload['ost_issuer'], payload.sub], ['idp', rfc9068Claims('', '', 0, {})['sub']])
    })

    test('takes the credential of the request itself, too', async () => {
      const { status, body } = await ask({ grant_type: 'client_credentials' }, { authorization: `Bearer ${tokenOf()}` })
      assert.deepEqual([status, body['token_type']], [200, 'Bearer'])
    })

    test('never gives a token that outlives what it stands for', async () => {
      const { body } = await ask(exchange({ subject_token: tokenOf(times(Date.now(), 60)) }))
      assert.ok(Number(body['expires_in']) <= 91, String(body['expires_in']))
    })

    const refused: readonly (readonly [string, () => Readonly<Record<string, string>> | string, string, RegExp])[] = [
      ['nothing', () => '', 'invalid_request', /grant_type/],
      ['another grant', () => exchange({ grant_type: 'password' }), 'unsupported_grant_type', /token-exchange/],
      ['no token', () => ({ grant_type: EXCHANGE, subject_token_type: ACCESS }), 'invalid_request', /subject_token/],
      [
        'another type of token',
        () => exchange({ subject_token_type: 'urn:ietf:params:oauth:token-type:id_token' }),
        'invalid_request',
        /subject_token_type/,
      ],
      ['a parameter twice', () => `${new URLSearchParams(exchange()).toString()}&audience=a&audience=b`, 'invalid_request', /twice/],
      ['another audience', () => exchange({ audience: 'https://billing.example' }), 'invalid_target', /its own resource/],
      ['another resource', () => exchange({ resource: 'https://billing.example' }), 'invalid_target', /its own resource/],
      ['a scope', () => exchange({ scope: 'admin' }), 'invalid_scope', /no scopes/],
      ['an actor', () => exchange({ actor_token: 'x', actor_token_type: ACCESS }), 'invalid_request', /actor/],
      [
        'a token of another kind',
        () => exchange({ requested_token_type: 'urn:ietf:params:oauth:token-type:saml2' }),
        'invalid_request',
        /JWT/,
      ],
      ['a token that has ended', () => exchange({ subject_token: tokenOf(times(Date.now() - 9e6)) }), 'invalid_grant', /expired/],
      [
        'a token that lives too long for the resource',
        () => exchange({ subject_token: tokenOf(times(Date.now(), 7_500)) }),
        'invalid_grant',
        /too long/,
      ],
      [
        'a token that is bound to a key',
        () => exchange({ subject_token: tokenOf({ cnf: { jkt: 'a'.repeat(43) } }) }),
        'invalid_grant',
        /bound to a key/,
      ],
      ['nonsense', () => exchange({ subject_token: 'nonsense' }), 'invalid_grant', /malformed/],
      ['somebody who may not', () => exchange({ subject_token: tokenOf({ client_id: 'billing-web' }) }), 'invalid_target', /no role/],
      ['nobody', () => ({ grant_type: 'client_credentials' }), 'invalid_request', /credential/],
    ]
    for (const [name, form, error, description] of refused)
      test(`${name} is refused: ${error}`, async () => {
        const { status, body } = await ask(form())
        assert.deepEqual([status, body['error']], [400, error])
        assert.match(String(body['error_description']), description)
        assert.equal(body['access_token'], undefined)
      })

    test('two credentials, another content type, too much, and other methods are refused', async () => {
      assert.equal((await ask(exchange(), { authorization: `Bearer ${tokenOf()}` })).body['error'], 'invalid_request')
      assert.equal((await ask(exchange(), { 'content-type': 'application/json' })).body['error'], 'invalid_request')
      const post = (body: string) => fetch(`${origin()}/.ostiary/token`, { method: 'POST', body })
      assert.equal((await post('x'.repeat(70_000))).status, 413)
      const got = await fetch(`${origin()}/.ostiary/token`)
      assert.deepEqual([got.status, got.headers.get('allow')], [405, 'POST'])
    })

    test('is not there where the wiring does not say so', async () => {
      for (const path of ['token', 'oauth-authorization-server'])
        assert.equal((await fetch(`${origin('localhost')}/.ostiary/${path}`, { method: path === 'token' ? 'POST' : 'GET' })).status, 404)
    })

    test('every token given or refused by policy is in the record, and none of them itself', async () => {
      const { body } = await ask(exchange())
      const audit = join(folder, 'data/audit')
      const text = readdirSync(audit)
        .filter((name) => name.endsWith('.jsonl'))
        .map((name) => readFileSync(join(audit, name), 'utf8'))
        .join('')
      const lines = text.split('\n').filter((line) => line.includes('/.ostiary/token') && line.includes('"decision"'))
      assert.ok(lines.some((line) => line.includes('"allowed"')) && lines.some((line) => line.includes('"denied"')))
      assert.ok(lines.every((line) => line.includes('"strict"')))
      assert.ok(!text.includes(String(body['access_token']).split('.')[2]!))
    })
  })
})
