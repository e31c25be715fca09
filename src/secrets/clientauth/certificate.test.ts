import assert from 'node:assert/strict'
import { createPrivateKey } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import * as fc from 'fast-check'
import { ManualClock, seededEntropy } from '../../testing/clock.ts'
import type { ClientAuth } from './auth.ts'
import { readCertificate } from './certificate.ts'
import { openClientAuth } from './index.ts'
import { testCertificate, type TestCertificate } from './testdata/certificates.ts'
import { STANDIN_CLIENT, standInTokenEndpoint, type StandInTokenEndpoint } from './testdata/standin-azure.ts'
import { askToken, type TokenAnswer } from './tokenendpoint.ts'

const DAY = 86_400_000
const start = new ManualClock().now()
let folder: string
let clock: ManualClock
let endpoint: StandInTokenEndpoint
let lines: string[]
let auth: ClientAuth
let [one, two, ended]: TestCertificate[] = []

before(async () => {
  one = await testCertificate(start - DAY, start + 60 * DAY)
  two = await testCertificate(start - DAY, start + 400 * DAY)
  ended = await testCertificate(start - 2 * DAY, start - DAY)
  endpoint = await standInTokenEndpoint(() => clock.now())
})

after(() => endpoint.close())

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'clientauth-'))
  clock = new ManualClock(start)
  lines = []
  endpoint.certificates = [one!.cert]
  endpoint.calls.length = 0
  endpoint.misbehaviour.length = 0
  write(one!)
  auth = open()
})

function write({ cert, key }: Pick<TestCertificate, 'cert' | 'key'>): void {
  writeFileSync(join(folder, 'tls.crt'), cert)
  writeFileSync(join(folder, 'tls.key'), key)
}

function open(more: { algorithm?: 'PS256' | 'RS256'; clientId?: string } = {}): ClientAuth {
  const { algorithm = 'PS256', clientId = STANDIN_CLIENT } = more
  const certificate = { cert: { file: 'tls.crt' }, key: { file: 'tls.key' }, algorithm }
  const deps = { fetch, clock, entropy: seededEntropy(Math.random() * 2 ** 31), log: (line: string) => void lines.push(line), folder }
  return openClientAuth({ clientId, owner: 'issuer entra', clientAuth: { certificate } }, deps)
}

function ask(by = auth): Promise<TokenAnswer> {
  const grant = { grant_type: 'client_credentials', scope: 'https://graph.microsoft.com/.default' }
  return askToken({ fetch, clock, endpoint: endpoint.url, secretIn: 'header', auth: by, grant })
}

/** What came of each proof, in order. */
function outcomes(): readonly string[] {
  return endpoint.calls.map(({ outcome }) => outcome)
}

/** Lets what was begun in the background come to its end. */
async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}

describe('a certificate proves the client', () => {
  for (const algorithm of ['PS256', 'RS256'] as const)
    test(`with ${algorithm}, to whoever verifies it`, async () => {
      const by = open({ algorithm })
      assert.equal((await ask(by)).outcome, 'granted')
      assert.equal((await ask(by)).outcome, 'granted') // another id each time, or it is refused
      assert.deepEqual(outcomes(), ['certificate', 'certificate'])
      const form = endpoint.calls[0]!.form
      assert.equal(form.get('client_id'), STANDIN_CLIENT)
      assert.equal(form.has('client_secret'), false)
      assert.equal(endpoint.calls[0]!.authorization, undefined)
      const [head = '', body = ''] = form.get('client_assertion')!.split('.')
      const read = (part: string): Record<string, unknown> =>
        JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>
      const named = algorithm === 'PS256' ? { 'x5t#S256': one!.x5tS256 } : { x5t: one!.x5t }
      assert.deepEqual(read(head), { alg: algorithm, typ: 'JWT', ...named })
      const { jti, ...claims } = read(body)
      const seconds = start / 1000
      assert.match(String(jti), /^[\w-]{22}$/)
      const times = { iat: seconds - 30, nbf: seconds - 30, exp: seconds + 270 }
      assert.deepEqual(claims, { aud: endpoint.url, iss: STANDIN_CLIENT, sub: STANDIN_CLIENT, ...times })
      by.close()
    })

  test('a renewed pair is used without a restart', async () => {
    await ask()
    write(two!)
    endpoint.certificates = [one!.cert, two!.cert]
    assert.equal((await ask()).outcome, 'granted')
    assert.equal(thumbprints().at(-1), two!.x5tS256)
  })

  test('the old one serves on while the new one is not registered, and the new one once the old is gone', async () => {
    await ask()
    write(two!)
    assert.equal((await ask()).outcome, 'granted')
    assert.deepEqual(outcomes(), ['certificate', '700027', 'certificate'])
    assert.deepEqual(thumbprints(), [one!.x5tS256, two!.x5tS256, one!.x5tS256])
    await ask()
    assert.equal(outcomes().length, 4, 'what works stays in use')
    endpoint.certificates = [two!.cert]
    assert.equal((await ask()).outcome, 'granted')
    assert.deepEqual(outcomes().slice(4), ['700027', 'certificate'])
  })

  test('a pair that arrived after the proof was made is read and tried, once', async () => {
    endpoint.certificates = [two!.cert]
    await auth.prove({ endpoint: endpoint.url, secretIn: 'header' })
    const reading = ask()
    write(two!)
    assert.equal((await reading).outcome, 'granted')
  })

  test('without another to try, a refusal is a refusal, after one request', async () => {
    endpoint.certificates = [two!.cert]
    assert.deepEqual(await ask(), { outcome: 'refused', error: 'invalid_client', codes: [700_027], detail: 'invalid_client, AADSTS700027' })
    assert.equal(endpoint.calls.length, 1)
  })

  test('a client that is not known is not tried again with another certificate', async () => {
    const by = open({ clientId: 'somebody-else' })
    await ask(by)
    write(two!)
    assert.equal((await ask(by)).outcome, 'refused')
    assert.deepEqual(outcomes(), ['700016', '700016'])
    by.close()
  })

  test('half of a renewed pair never takes the place of a whole one', async () => {
    await ask()
    writeFileSync(join(folder, 'tls.crt'), two!.cert)
    assert.equal((await ask()).outcome, 'granted')
    assert.equal((await ask()).outcome, 'granted')
    assert.deepEqual(new Set(thumbprints()), new Set([one!.x5tS256]))
    assert.deepEqual(lines, [
      'issuer entra: the client certificate can not be used (certificate and key do not belong together); the one before stays in use',
    ])
  })

  const unusable: readonly (readonly [name: string, pair: () => { cert: string; key: string }, cause: RegExp])[] = [
    ['no certificate', () => ({ cert: 'x', key: one!.key }), /no certificate in PEM/],
    ['no key', () => ({ cert: one!.cert, key: one!.cert }), /no private key in PEM/],
    ["another's key", () => ({ cert: one!.cert, key: two!.key }), /do not belong together/],
    ['bytes that are no certificate', () => ({ cert: one!.cert.replace(/MII/, 'AAA'), key: one!.key }), /certificate can not be read/],
    ['an encrypted key', () => ({ cert: one!.cert, key: encrypted(one!.key) }), /private key is encrypted/],
  ]
  for (const [name, pair, cause] of unusable)
    test(`${name}: nothing is sent, and the reason holds no part of the key`, async () => {
      write(pair())
      const by = open()
      await assert.rejects(ask(by), { code: 'secrets/certificate', message: cause })
      assert.equal(endpoint.calls.length, 0)
      assert.equal(lines.filter((line) => line.includes(one!.key.slice(40, 80))).length, 0)
      by.close()
    })

  test('an elliptic curve is refused by name', async () => {
    const ec = await testCertificate(start, start + DAY, 'ec')
    assert.throws(() => readCertificate(ec.cert, ec.key), { code: 'secrets/certificate', message: /not RSA/ })
  })

  test('no text makes the reader fail otherwise than by its own error', () => {
    const around = fc.constantFrom(
      '-----BEGIN CERTIFICATE-----',
      '-----END CERTIFICATE-----',
      '-----BEGIN PRIVATE KEY-----',
      '\n',
      'MIIB',
      '=',
    )
    const text = fc.oneof(
      fc.string(),
      fc.array(fc.oneof(around, fc.base64String()), { maxLength: 12 }).map((parts) => parts.join('')),
      fc.nat(one!.cert.length).map((cut) => one!.cert.slice(0, cut) + one!.cert.slice(cut + 1)),
    )
    fc.assert(
      fc.property(text, (cert) => {
        try {
          assert.ok(readCertificate(cert, one!.key).notAfter > 0)
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'secrets/certificate')
        }
      }),
      { numRuns: 200 },
    )
  })

  for (const [name, misbehaviour, detail] of [
    ['a redirect', { status: 302, body: '', headers: { location: 'http://127.0.0.1:1/' } }, /it answered 302/],
    ['an outage', { status: 503, body: '{}' }, /it answered 503/],
    ['a cut connection', 'drop', /no connection/],
    ['an endless answer', { status: 200, body: 'x'.repeat(300_000) }, /larger than/],
  ] as const)
    test(`${name} is no refusal`, async () => {
      endpoint.misbehaviour.push(misbehaviour)
      const answer = await ask()
      assert.ok(answer.outcome === 'unavailable', answer.outcome)
      assert.match(answer.detail, detail)
      assert.equal(endpoint.calls.length, 1)
    })

  test('an endpoint that never answers is waited for in time of the clock', async () => {
    endpoint.misbehaviour.push('hang')
    const answer = ask()
    while (endpoint.calls.length === 0) await settled()
    clock.advance(10_000)
    assert.deepEqual(await answer, { outcome: 'unavailable', detail: 'no answer within 10000 ms' })
  })
})

describe('the end of a certificate is told ahead', () => {
  test('30, 14 and 7 days before, once each, and all the while in the status', async () => {
    await settled()
    assert.equal(auth.warning(), undefined)
    const told: [number, number][] = []
    for (let day = 1; day <= 61; day++) {
      clock.advance(DAY)
      await settled()
      if (lines.length > 0) told.push([60 - day, lines.splice(0).length])
    }
    assert.deepEqual(
      told,
      [30, 14, 7, 0].map((left) => [left, 1]),
    )
    assert.equal(auth.warning(), 'its client certificate has ended')
  })

  test('at start, where it ends soon already, in words that say what to do', async () => {
    clock.advance(58 * DAY)
    const by = open()
    await settled()
    assert.equal(by.warning(), 'its client certificate ends in 2 days')
    assert.match(
      lines.at(-1)!,
      /^issuer entra: its client certificate ends in 2 days \(2026-03-02T.*\); renew it and register the new one$/,
    )
    write(two!)
    clock.advance(DAY)
    await settled()
    assert.equal(by.warning(), undefined)
    by.close()
  })

  test('one that has ended is not used while the one before has not', async () => {
    await ask()
    write(ended!)
    assert.equal((await ask()).outcome, 'granted')
    assert.deepEqual(outcomes(), ['certificate', 'certificate'])
  })
})

function encrypted(key: string): string {
  return createPrivateKey(key).export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'test' }) as string
}

function thumbprints(): readonly string[] {
  return endpoint.calls.map(({ form }) => {
    const [head = ''] = form.get('client_assertion')!.split('.')
    return (JSON.parse(Buffer.from(head, 'base64url').toString()) as Record<string, string>)['x5t#S256']!
  })
}

afterEach(() => {
  auth.close()
  rmSync(folder, { recursive: true, force: true })
})
