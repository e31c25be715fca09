import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { request } from 'node:http'
import { after, before, describe, test } from 'node:test'
import * as fc from 'fast-check'
import { OstiaryError } from '../../core/errors.ts'
import { character } from '../../testing/text.ts'
import { HOME_TENANT, PARTNER_TENANT } from './accounts.ts'
import { startIdp, type Idp } from './index.ts'

let idp: Idp
before(async () => {
  idp = await startIdp({ port: 0 })
})
after(() => idp.close())

type Document = Readonly<Record<string, unknown>>

async function get(path: string): Promise<{ readonly status: number; readonly body: Document }> {
  const response = await fetch(idp.authority + path)
  return { status: response.status, body: (await response.json()) as Document }
}

/** A request with exactly these fields: fetch writes `Host` itself. */
function raw(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body = '',
): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(idp.authority + path, { method, headers, agent: false, setHost: headers['host'] === undefined }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text }))
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

describe('metadata', () => {
  for (const tenant of [HOME_TENANT, PARTNER_TENANT]) {
    test(`v2 of ${tenant} names itself and the v2 keys`, async () => {
      const { body } = await get(`/${tenant}/v2.0/.well-known/openid-configuration`)
      assert.equal(body['issuer'], `${idp.authority}/${tenant}/v2.0`)
      assert.equal(body['jwks_uri'], `${idp.authority}/${tenant}/discovery/v2.0/keys`)
      assert.equal(body['authorization_endpoint'], `${idp.authority}/${tenant}/oauth2/v2.0/authorize`)
      assert.equal(body['token_endpoint'], `${idp.authority}/${tenant}/oauth2/v2.0/token`)
      assert.equal(body['device_authorization_endpoint'], `${idp.authority}/${tenant}/oauth2/v2.0/devicecode`)
      assert.equal(body['end_session_endpoint'], `${idp.authority}/${tenant}/oauth2/v2.0/logout`)
      assert.match(String(body['ostiary_notice']), /demo and tests only/)
    })

    test(`v1 of ${tenant} has the trailing slash and the v1 keys`, async () => {
      const { body } = await get(`/${tenant}/.well-known/openid-configuration`)
      assert.equal(body['issuer'], `${idp.authority}/sts/${tenant}/`)
      assert.equal(body['jwks_uri'], `${idp.authority}/${tenant}/discovery/keys`)
    })
  }

  for (const alias of ['common', 'organizations']) {
    test(`${alias} has a template for an issuer`, async () => {
      const v2 = await get(`/${alias}/v2.0/.well-known/openid-configuration`)
      assert.equal(v2.body['issuer'], `${idp.authority}/{tenantid}/v2.0`)
      const v1 = await get(`/${alias}/.well-known/openid-configuration`)
      assert.equal(v1.body['issuer'], `${idp.authority}/sts/{tenantid}/`)
    })

    test(`${alias} signs nobody in`, async () => {
      const { status, body } = await get(`/${alias}/oauth2/v2.0/authorize?client_id=x`)
      assert.equal(status, 400)
      assert.match(String(body['error_description']), /^AADSTS50194:/)
    })
  }

  test('a tenant that there is not', async () => {
    const { status, body } = await get('/11111111-1111-4111-8111-111111111111/v2.0/.well-known/openid-configuration')
    assert.equal(status, 404)
    assert.match(String(body['error_description']), /^AADSTS90002:/)
  })
})

describe('keys', () => {
  const names = ['e', 'kid', 'kty', 'n', 'use', 'x5c', 'x5t']

  test('v2 keys say whom they may speak for', async () => {
    const { body } = await get(`/${HOME_TENANT}/discovery/v2.0/keys`)
    const [key] = body['keys'] as Document[]
    assert.deepEqual(Object.keys(key!).toSorted(), [...names, 'cloud_instance_name', 'issuer'].toSorted())
    assert.equal(key!['issuer'], `${idp.authority}/{tenantid}/v2.0`)
  })

  test('v1 keys do not, and are the same otherwise', async () => {
    const v1 = (await get(`/${HOME_TENANT}/discovery/keys`)).body['keys'] as Document[]
    const v2 = (await get('/common/discovery/v2.0/keys')).body['keys'] as Document[]
    assert.deepEqual(Object.keys(v1[0]!).toSorted(), names)
    assert.deepEqual(v1[0], Object.fromEntries(Object.entries(v2[0]!).filter(([name]) => names.includes(name))))
  })

  test('the certificate holds the key, and its thumbprint is the key id', async () => {
    const { body } = await get(`/${HOME_TENANT}/discovery/keys`)
    const [key] = body['keys'] as { readonly n: string; readonly kid: string; readonly x5c: readonly string[] }[]
    const certificate = new X509Certificate(Buffer.from(key!.x5c[0]!, 'base64'))
    assert.equal(certificate.publicKey.export({ format: 'jwk' }).n, key!.n)
    assert.equal(Buffer.from(certificate.fingerprint.replaceAll(':', ''), 'hex').toString('base64url'), key!.kid)
  })
})

test('any request target gets an answer that is no fault', async () => {
  const segment = fc.oneof(
    fc.constantFrom(HOME_TENANT, 'common', 'demo', 'token', 'oauth2', 'v2.0', 'signin', '..', '', '%2e', '__proto__'),
    fc.webSegment(),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(segment, { maxLength: 6 }), fc.constantFrom('GET', 'POST', 'PUT'), async (segments, method) => {
      const { status } = await raw(method, `/${segments.join('/')}`, {})
      assert.ok(status < 500, `${method} /${segments.join('/')}: ${status}`)
    }),
    { numRuns: 150 },
  )
})

describe('who may ask', () => {
  test('only under its own name', async () => {
    const { status } = await raw('GET', '/demo/accounts', { host: 'rebound.example' })
    assert.equal(status, 421)
  })

  test('no page of another site', async () => {
    const json = { 'content-type': 'application/json' }
    const refused = await raw('POST', '/demo/token', { ...json, origin: 'https://elsewhere.example' }, '{"as":"admin"}')
    assert.equal(refused.status, 403)
    assert.equal((await raw('POST', '/demo/token', { ...json, 'sec-fetch-site': 'cross-site' }, '{"as":"admin"}')).status, 403)
    assert.equal((await raw('POST', '/demo/token', { ...json, origin: idp.authority }, '{"as":"admin"}')).status, 200)
  })

  test('no form that a browser would send unasked', async () => {
    const { status, body } = await raw('POST', '/demo/token', { 'content-type': 'text/plain' }, '{"as":"admin"}')
    assert.equal(status, 415)
    assert.match(body, /application\/json/)
  })

  test('it refuses to listen where others could reach it', async () => {
    await assert.rejects(
      startIdp({ host: '0.0.0.0', port: 0 }),
      (error) => error instanceof OstiaryError && error.code === 'demo/not-loopback',
    )
  })

  test('a taken port is named', async () => {
    const port = Number(new URL(idp.authority).port)
    await assert.rejects(
      startIdp({ port }),
      (error) => error instanceof OstiaryError && error.code === 'demo/port-taken' && error.details['address'] === `127.0.0.1:${port}`,
    )
  })
})

describe('/demo/token', () => {
  const ask = async (body: string): Promise<{ readonly status: number; readonly answer: Document }> => {
    const response = await fetch(`${idp.authority}/demo/token`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    return { status: response.status, answer: (await response.json()) as Document }
  }
  const claimsOf = (token: unknown): Document => JSON.parse(Buffer.from(String(token).split('.')[1]!, 'base64url').toString()) as Document

  test('gives a token for an account', async () => {
    const { answer } = await ask('{"as":"reader"}')
    const claims = claimsOf(answer['access_token'])
    assert.equal(claims['ver'], '2.0')
    assert.deepEqual(claims['roles'], ['Orders.Read'])
    assert.equal(answer['token_type'], 'Bearer')
  })

  test('the version follows the API', async () => {
    assert.equal(claimsOf((await ask('{"as":"reader","version":"1.0"}')).answer['access_token'])['ver'], '1.0')
    assert.equal(claimsOf((await ask('{"as":"reader","audience":"orders-v1"}')).answer['access_token'])['ver'], '1.0')
    const { status, answer } = await ask('{"as":"reader","audience":"orders","version":"1.0"}')
    assert.equal(status, 400)
    assert.match(String(answer['error_description']), /the API decides/)
  })

  const wrong: readonly (readonly [body: string, reason: RegExp])[] = [
    ['{"as":"root"}', /no such account; there are reader/],
    ['{}', /no such account/],
    ['{"as":"reader","shape":"toString"}', /no such shape/],
    ['{"as":"reader","version":"3.0"}', /`version`/],
    ['{"as":"reader","life":0}', /`life`/],
    ['{"as":"reader","audience":"nowhere"}', /no such API/],
    ['[]', /not a JSON object/],
    ['{"as":', /not a JSON object/],
    [`{"as":"${'x'.repeat(20_000)}"}`, /at most/],
  ]
  for (const [body, reason] of wrong) {
    test(`refuses ${body.slice(0, 40)}`, async () => {
      const { status, answer } = await ask(body)
      assert.equal(status, 400)
      assert.match(String(answer['error_description']), reason)
    })
  }

  test('any bytes get an answer', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string({ unit: character, maxLength: 200 }), fc.json()), async (body) => {
        const { status, answer } = await ask(body)
        assert.equal(status, 400)
        assert.equal(typeof answer['error'], 'string')
      }),
      { numRuns: 60 },
    )
  })
})
