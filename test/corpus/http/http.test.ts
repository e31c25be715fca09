/** Runs every row of the corpus against one gateway, over the connections it is meant for. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { answerRows, ownHeaderRows } from './answers.ts'
import { bodyRows } from './bodies.ts'
import { Client, type Response } from './client.ts'
import { cookieRows } from './cookies.ts'
import { credentialRows } from './credentials.ts'
import { fieldRows } from './fields.ts'
import { framingRows } from './framing.ts'
import { startUnderTest, type UnderTest } from './gateway.ts'
import { block, FLAG, frame, FRAME, H2Client } from './h2.ts'
import { h2ExchangeRows } from './h2exchanges.ts'
import { h2Rows } from './h2rows.ts'
import { hostRows } from './hosts.ts'
import { identityRows } from './own.ts'
import { fold, startRecorder, type Recorder, type Seen } from './recorder.ts'
import { HOST, READER, request, type Row } from './row.ts'
import { fill, runRow } from './run.ts'
import { plainRequest, runH2Row } from './runh2.ts'
import { targetRows } from './targets.ts'
import { upgradeRows } from './upgrades.ts'

let recorder: Recorder
let gateway: UnderTest

before(async () => {
  recorder = await startRecorder()
  gateway = await startUnderTest(recorder)
})

after(async () => {
  await gateway?.close()
  await recorder?.close()
})

const plain = () => ({ port: gateway.port })
const tls = () => ({ port: gateway.tlsPort, tls: { ca: gateway.ca, servername: 'orders.localhost' } })

function rows(title: string, all: readonly Row[]): void {
  describe(title, () => {
    for (const row of all) test(`${row.id} ${row.name}`, () => runRow(row, gateway, recorder, plain()))
  })
}

rows('request targets', targetRows)
rows('hosts', hostRows)
rows('fields', fieldRows)
rows('credentials', credentialRows)
rows('cookies', cookieRows)
rows('framing', framingRows)
rows('bodies', bodyRows)
rows('upgrades', upgradeRows)
rows('answers of an upstream', answerRows)

describe('the same framing over TLS', () => {
  for (const row of [...framingRows, ...bodyRows].filter(({ id }) => id === 40 || id === 42))
    test(`${row.id} ${row.name}`, () => runRow(row, gateway, recorder, tls()))
})

describe('HTTP/2', () => {
  for (const row of [...h2Rows, ...h2ExchangeRows]) test(`${row.id} ${row.name}`, () => runH2Row(row, gateway, recorder, tls(), plain()))
})

/** A request as an ordinary client sends it, what the upstream got of it, and what came back. */
async function baseline(path: string, ...fields: readonly string[]): Promise<{ readonly seen: Seen; readonly answer: Response }> {
  recorder.take()
  const client = new Client(plain(), ['GET'])
  try {
    await client.send(fill(request(`GET ${path} HTTP/1.1`, [HOST, ...fields]), gateway, gateway.port))
    const [answer] = await client.responses(1)
    const [seen] = recorder.take()
    return { seen: seen!, answer: answer! }
  } finally {
    client.close()
  }
}

/** `Via` is a list to which every hop adds (RFC 9110 section 7.6.3). */
const ORDINARY = new Set(['host', 'connection', 'contentlength', 'transferencoding', 'accept', 'useragent', 'via'])

function added({ headers }: Seen): readonly string[] {
  return headers.map(([name]) => name).filter((name) => !ORDINARY.has(fold(name)))
}

test('what the gateway adds is its own, in every spelling, on every route', async (t) => {
  const signedIn = added((await baseline('/orders/1', READER)).seen)
  const onPublicRoutes = added((await baseline('/public/1')).seen)
  assert.ok(signedIn.length > onPublicRoutes.length, 'a signed-in caller is told to the upstream')
  for (const row of identityRows(signedIn, onPublicRoutes))
    await t.test(`${row.id} ${row.name}`, () => runRow(row, gateway, recorder, plain()))
})

test('what the gateway says of its answers, an upstream can not say', async (t) => {
  const { answer } = await baseline('/orders/1', READER)
  const own = answer.headers
    .map(([name]) => name)
    .filter((name) => !['content-length', 'connection', 'keep-alive', 'date'].includes(name.toLowerCase()))
  assert.ok(own.length > 0, 'an answer carries its decision id')
  for (const row of ownHeaderRows(own)) await t.test(`${row.id} ${row.name}`, () => runRow(row, gateway, recorder, plain()))
})

test('29 a group with a comma in its name is one group', async () => {
  const token = gateway.tokenWith({ groups: ['nobody,readers', 'nobody readers', 'nobody|readers'] })
  const { answer } = await baseline('/orders/1', `Authorization: Bearer ${token}`)
  assert.equal(answer.status, 403)
})

test('28 line ends in claims never become header lines', async () => {
  for (const name of ['a\r\nX-Admin: 1', 'a\nb', 'a\0b', '\u{1f511}', 'caf\u00e9', 'a'.repeat(4000)]) {
    const { seen, answer } = await baseline(
      '/orders/1',
      `Authorization: Bearer ${gateway.tokenWith({ name, sub: `reader ${name.slice(0, 50)}`, groups: ['readers'] })}`,
    )
    assert.ok([200, 401].includes(answer.status), `${answer.status} for a name of ${JSON.stringify(name.slice(0, 20))}`)
    assert.deepEqual(recorder.takeDefects(), [])
    if (seen !== undefined) assert.ok(!seen.headers.some(([key]) => fold(key) === 'xadmin'))
  }
})

test('35 the assertion is short-lived, for this resource, and made for one principal', async () => {
  const { seen } = await baseline('/orders/1', READER)
  const jwt = seen.headers.map(([, value]) => value).find((value) => /^[\w-]+\.[\w-]+\.[\w-]+$/.test(value) && value.startsWith('eyJ'))
  assert.ok(jwt !== undefined, 'there is a signed assertion')
  const [head, payload] = jwt
    .split('.')
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>)
  assert.equal(head!['alg'], 'ES256')
  assert.equal(payload!['aud'], 'orders')
  assert.ok(Number(payload!['exp']) - Number(payload!['iat']) <= 300, 'five minutes at most')
  assert.ok(Number(payload!['exp']) > Date.now() / 1000)
})

test('103 rapid reset: 500 streams are opened and reset, and the gateway goes on', async () => {
  const client = new H2Client(tls())
  try {
    const headers = block(plainRequest('/orders/1', gateway))
    const cancel = Buffer.from([0, 0, 0, 8])
    for (let i = 0; i < 500; i++)
      client.write(
        frame(FRAME.HEADERS, FLAG.END_HEADERS | FLAG.END_STREAM, 2 * i + 1, headers),
        frame(FRAME.RST_STREAM, 0, 2 * i + 1, cancel),
      )
    // Such a connection is ended.
    await client.untilClosed()
  } finally {
    client.close()
  }
  const { answer } = await baseline('/orders/after-reset', READER)
  assert.equal(answer.status, 200)
})

test('105 three hundred half requests hinder nobody', async () => {
  const half = Array.from({ length: 300 }, () => new Client(plain(), ['GET']))
  try {
    for (const client of half) await client.send('GET /orders/1 HTTP/1.1\r\nHost: orders.localhost\r\nX-')
    const { answer } = await baseline('/orders/1', READER)
    assert.equal(answer.status, 200)
  } finally {
    for (const client of half) client.close()
  }
})

test('54 no code was redeemed for a return that nobody began', () => {
  assert.equal(gateway.tokenRequests(), 0)
})
