/** Client assertions at the token endpoint, made by a library that knows nothing of this provider, each good or wrong in one way. */
import assert from 'node:assert/strict'
import { createPrivateKey, generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { decodeJwt, exportJWK, SignJWT, type JWTHeaderParameters } from 'jose'
import { testCertificate, type TestCertificate } from '../../secrets/clientauth/testdata/certificates.ts'
import { CI_CLIENT, HOME_TENANT, PARTNER_TENANT } from './accounts.ts'
import { EXCHANGE_AUDIENCE } from './credentials.ts'
import { startIdp, type Idp } from './index.ts'
import { CI_SECRET, GATEWAY, ORDERS_API } from './registrations.ts'

const DAY = 86_400_000
const SUBJECT = 'system:serviceaccount:builds:ci'
const TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

let idp: Idp
let cluster: Server
let issuer: string
let down = false
let [registered, next, stranger, ended]: TestCertificate[] = []
const clusterKey = generateKeyPairSync('rsa', { modulusLength: 2048 })

before(async () => {
  const now = Date.now()
  registered = await testCertificate(now - DAY, now + DAY)
  next = await testCertificate(now - DAY, now + 2 * DAY)
  stranger = await testCertificate(now - DAY, now + DAY)
  ended = await testCertificate(now - 2 * DAY, now - DAY)
  idp = await startIdp({ port: 0 })
  for (const { cert } of [registered, next, ended]) idp.credentials.addCertificate(CI_CLIENT, cert)
  cluster = createServer((request, response) => {
    response.setHeader('content-type', 'application/json')
    if (down) return void response.writeHead(503).end('{}')
    if (request.url === '/.well-known/openid-configuration')
      return void response.end(JSON.stringify({ issuer, jwks_uri: `${issuer}/keys` }))
    void exportJWK(clusterKey.publicKey).then((jwk) => response.end(JSON.stringify({ keys: [{ ...jwk, kid: 'cluster' }] })))
  })
  await new Promise<void>((resolve) => cluster.listen(0, '127.0.0.1', resolve))
  issuer = `http://127.0.0.1:${(cluster.address() as AddressInfo).port}`
  idp.credentials.addFederated(CI_CLIENT, { issuer, subject: SUBJECT, audience: EXCHANGE_AUDIENCE })
})
after(async () => {
  await idp.close()
  cluster.closeAllConnections()
  await new Promise((resolve) => cluster.close(resolve))
})

const endpoint = (tenant = HOME_TENANT): string => `${idp.authority}/${tenant}/oauth2/v2.0/token`
const seconds = (): number => Math.floor(Date.now() / 1000)

interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

async function ask(form: Readonly<Record<string, string>>, tenant?: string): Promise<Answer> {
  const all = { client_id: CI_CLIENT, grant_type: 'client_credentials', scope: `${ORDERS_API.uri}/.default`, ...form }
  const response = await fetch(endpoint(tenant), { method: 'POST', body: new URLSearchParams(all) })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

const asserting = (assertion: string, more: Readonly<Record<string, string>> = {}, tenant?: string): Promise<Answer> =>
  ask({ client_assertion_type: TYPE, client_assertion: assertion, ...more }, tenant)

function sign(key: KeyObject, header: JWTHeaderParameters, claims: Readonly<Record<string, unknown>>): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ typ: 'JWT', ...header }).sign(key)
}

interface Change {
  readonly pair?: TestCertificate
  readonly header?: JWTHeaderParameters
  readonly claims?: Readonly<Record<string, unknown>>
}

/** As the certificate says in the documentation: PS256 and `x5t#S256`. */
function own({ pair = registered!, header, claims }: Change = {}): Promise<string> {
  const now = seconds()
  const all = { aud: endpoint(), iss: CI_CLIENT, sub: CI_CLIENT, jti: randomUUID(), nbf: now, iat: now, exp: now + 600, ...claims }
  return sign(createPrivateKey(pair.key), header ?? { alg: 'PS256', 'x5t#S256': pair.x5tS256 }, all)
}

function federated({ header = { alg: 'RS256', kid: 'cluster' }, claims }: Change = {}, key = clusterKey.privateKey): Promise<string> {
  const now = seconds()
  return sign(key, header, { iss: issuer, sub: SUBJECT, aud: EXCHANGE_AUDIENCE, iat: now, nbf: now, exp: now + 3600, ...claims })
}

/** The answer's error and number, or the token's `azpacr`. */
function outcome({ status, body }: Answer): string {
  if (status === 200) return `azpacr ${String(decodeJwt(String(body['access_token']))['azpacr'])}`
  return `${status} ${String(body['error'])} ${String(body['error_codes'])}`
}

describe('a certificate', () => {
  test('proves the client by PS256 and SHA-256, or RS256 and SHA-1, the old one and the new, and its tokens say so', async () => {
    for (const pair of [registered!, next!]) {
      assert.equal(outcome(await asserting(await own({ pair }))), 'azpacr 2')
      assert.equal(outcome(await asserting(await own({ pair, header: { alg: 'RS256', x5t: pair.x5t } }))), 'azpacr 2')
    }
    assert.equal(outcome(await ask({ client_secret: CI_SECRET })), 'azpacr 1')
  })

  const wrong: readonly (readonly [string, () => Change, string])[] = [
    ['a certificate that is not registered', () => ({ pair: stranger! }), '401 invalid_client 700027'],
    ['one that has ended', () => ({ pair: ended! }), '401 invalid_client 1000502'],
    [
      "the thumbprint of another's",
      () => ({ pair: stranger!, header: { alg: 'PS256', 'x5t#S256': registered!.x5tS256 } }),
      '401 invalid_client 700027',
    ],
    ['PS256 with the short thumbprint', () => ({ header: { alg: 'PS256', x5t: registered!.x5t } }), '401 invalid_client 700027'],
    ['RS256 with the long one', () => ({ header: { alg: 'RS256', 'x5t#S256': registered!.x5tS256 } }), '401 invalid_client 700027'],
    ['no thumbprint', () => ({ header: { alg: 'PS256', kid: registered!.x5tS256 } }), '401 invalid_client 50027'],
    ['another audience', () => ({ claims: { aud: endpoint(PARTNER_TENANT) } }), '401 invalid_client 700023'],
    ['another subject', () => ({ claims: { sub: GATEWAY.clientId } }), '401 invalid_client 700021'],
    ['an end in the past', () => ({ claims: { nbf: seconds() - 1200, exp: seconds() - 600 } }), '401 invalid_client 700024'],
    ['a beginning in the future', () => ({ claims: { nbf: seconds() + 600, exp: seconds() + 1200 } }), '401 invalid_client 700024'],
    ['no end', () => ({ claims: { exp: undefined } }), '401 invalid_client 700024'],
  ]
  for (const [name, change, expected] of wrong)
    test(`with ${name} is refused as Entra refuses it`, async () => {
      assert.equal(outcome(await asserting(await own(change()))), expected)
    })

  test('an answer has the shape and the words of the documentation', async () => {
    const { body } = await asserting(await own({ pair: stranger! }))
    const thumbprint = stranger!.x5tS256
    assert.match(
      String(body['error_description']),
      new RegExp(
        `^AADSTS700027: Client assertion contains an invalid signature\\. \\[Reason - The key was not found\\., Thumbprint of key used by client: '${thumbprint}', .* Trace ID: \\S+ Correlation ID: \\S+ Timestamp: [\\d-]+ [\\d:]+Z$`,
      ),
    )
    for (const name of ['timestamp', 'trace_id', 'correlation_id', 'error_uri']) assert.equal(typeof body[name], 'string', name)
    assert.match(String(body['trace_id']), /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  })

  test('is not in two ways, of no kind, of nobody or of a tenant where the client is not', async () => {
    assert.equal(outcome(await asserting(await own(), { client_secret: CI_SECRET })), '400 invalid_request 90014')
    assert.equal(outcome(await asserting(await own(), { client_assertion_type: 'jwt' })), '400 invalid_request 900144')
    assert.equal(outcome(await asserting('not.a.jwt')), '401 invalid_client 50027')
    assert.equal(outcome(await asserting(`${await own()}.x`)), '401 invalid_client 50027')
    assert.equal(outcome(await asserting(await own(), { client_id: 'nobody' })), '400 unauthorized_client 700016')
    assert.equal(outcome(await asserting(await own(), {}, PARTNER_TENANT)), '400 unauthorized_client 700016')
    assert.equal(outcome(await ask({})), '401 invalid_client 7000218')
  })
})

describe('a federated credential', () => {
  test('proves the client by a token of the issuer that it trusts', async () => {
    assert.equal(outcome(await asserting(await federated())), 'azpacr 2')
  })

  const [Subject, audience] = [SUBJECT.replace('ci', 'CI'), 'api://azureadtokenexchange']
  const wrong: readonly (readonly [string, () => Promise<string>, string, RegExp])[] = [
    ['another issuer', () => federated({ claims: { iss: `${issuer}/` } }), '401 invalid_client 700211', /assertion issuer 'http:\S+\/'/],
    [
      'another subject, by its case',
      () => federated({ claims: { sub: Subject } }),
      '401 invalid_client 700213',
      new RegExp(`subject '${Subject}'\\. .*case-sensitive`),
    ],
    [
      'another audience, by its case',
      () => federated({ claims: { aud: audience } }),
      '401 invalid_client 700212',
      new RegExp(`audience '${audience}'`),
    ],
    ['another key', () => federated({}, createPrivateKey(stranger!.key)), '401 invalid_client 700027', /did not match/],
    ['an unknown key', () => federated({ header: { alg: 'RS256', kid: 'x' } }), '401 invalid_client 700027', /key was not found/],
    ['another algorithm', () => federated({ header: { alg: 'PS256', kid: 'cluster' } }), '401 invalid_client 50027', /RS256/],
    [
      'an end in the past',
      () => federated({ claims: { exp: seconds() - 600 } }),
      '401 invalid_client 700024',
      /expiry time of assertion \d/,
    ],
  ]
  for (const [name, made, expected, says] of wrong)
    test(`is no proof with ${name}`, async () => {
      const answer = await asserting(await made())
      assert.equal(outcome(answer), expected)
      assert.match(String(answer.body['error_description']), says)
    })

  test('is no proof where the issuer can not be asked', async () => {
    down = true
    assert.equal(outcome(await asserting(await federated())), '400 invalid_request 50166')
    down = false
  })

  test('is none of a client that has none', async () => {
    const answer = await asserting(await federated(), { client_id: GATEWAY.clientId })
    assert.equal(outcome(answer), '400 invalid_request 70021')
    assert.match(
      String(answer.body['error_description']),
      new RegExp(`Assertion Subject: '${SUBJECT}'\\. Assertion Audience: '${EXCHANGE_AUDIENCE}'`),
    )
  })

  test('of this provider itself takes tokens of apps, and of nobody else', async () => {
    const of = (name: string): string => idp.mint(name).token
    for (const name of ['reader', 'managed-identity']) {
      const { iss, sub, aud } = decodeJwt(of(name))
      idp.credentials.addFederated(CI_CLIENT, { issuer: String(iss), subject: String(sub), audience: String(aud) })
    }
    assert.equal(outcome(await asserting(of('managed-identity'))), 'azpacr 2')
    assert.equal(outcome(await asserting(of('reader'))), '401 invalid_client 700229')
  })
})

test('a credential is registered over HTTP too, and nonsense is not', async () => {
  const register = async (body: object): Promise<number> => {
    const headers = { 'content-type': 'application/json' }
    return (await fetch(`${idp.authority}/demo/credentials`, { method: 'POST', headers, body: JSON.stringify(body) })).status
  }
  const client = CI_CLIENT
  const late = await testCertificate(Date.now() - DAY, Date.now() + DAY)
  assert.equal(await register({ client, certificate: late.cert }), 200)
  assert.equal(outcome(await asserting(await own({ pair: late }))), 'azpacr 2')
  assert.equal(await register({ client, federated: { issuer, subject: 'late' } }), 200)
  assert.equal(outcome(await asserting(await federated({ claims: { sub: 'late' } }))), 'azpacr 2')
  for (const body of [
    {},
    { client },
    { client: 'nobody', certificate: late.cert },
    { client, certificate: 'none' },
    { client, federated: { issuer } },
    { client, certificate: late.cert, federated: { issuer, subject: 'both' } },
  ])
    assert.equal(await register(body), 400, JSON.stringify(body))
})
