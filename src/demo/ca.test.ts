import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createServer as createTlsServer, connect } from 'node:tls'
import { OstiaryError } from '../core/errors.ts'
import { ManualClock, seededEntropy } from '../testing/clock.ts'
import { ensureDevCa, type DevCa } from './ca.ts'

const DAY = 86_400_000
let dataDir: string
before(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'ostiary-ca-'))
})
after(() => rmSync(dataDir, { recursive: true, force: true }))

const entropy = seededEntropy(3)
const ensure = (clock: ManualClock, names = ['orders.localhost'], dir = dataDir): Promise<DevCa> =>
  ensureDevCa({ dataDir: dir, clock, entropy, names })
const text = (file: string): string => readFileSync(file, 'utf8')

describe('the development authority', () => {
  test('is made once, and kept', async () => {
    const clock = new ManualClock()
    const first = await ensure(clock)
    const before = [first.caFile, first.certFile, first.keyFile].map(text)
    clock.advance(10 * DAY)
    assert.deepEqual(await ensure(clock), first)
    assert.deepEqual([first.caFile, first.certFile, first.keyFile].map(text), before)
  })

  test('keeps its keys to its owner', async () => {
    const { keyFile } = await ensure(new ManualClock())
    assert.equal(statSync(join(dataDir, 'dev-ca')).mode & 0o777, 0o700)
    for (const file of [keyFile, join(dataDir, 'dev-ca/ca-key.pem')]) assert.equal(statSync(file).mode & 0o777, 0o600)
  })

  test('may vouch for localhost and loopback, critically, and for nothing else', async () => {
    const ca = new X509Certificate(text((await ensure(new ManualClock())).caFile))
    assert.equal(ca.ca, true)
    const constraint = '0603551d1e0101ff0441303fa03d300b82096c6f63616c686f7374300a87087f000000ff000000'
    assert.ok(ca.raw.toString('hex').includes(constraint), 'NameConstraints')
  })

  test('renews the server certificate ahead of its end, and only that', async () => {
    const clock = new ManualClock()
    const { caFile, certFile } = await ensure(clock)
    const [ca, cert] = [text(caFile), text(certFile)]
    clock.advance(61 * DAY)
    await ensure(clock)
    assert.equal(text(caFile), ca)
    assert.notEqual(text(certFile), cert)
    assert.ok(Date.parse(new X509Certificate(text(certFile)).validTo) > clock.now() + 80 * DAY)
  })

  test('renews itself ahead of its end, and the server certificate with it', async () => {
    const clock = new ManualClock()
    const { caFile, certFile } = await ensure(clock)
    const before = text(caFile)
    clock.advance(620 * DAY)
    await ensure(clock)
    assert.notEqual(text(caFile), before)
    assert.ok(new X509Certificate(text(certFile)).checkIssued(new X509Certificate(text(caFile))))
  })

  test('lists a new name, and makes anew what is broken or belongs elsewhere', async () => {
    const clock = new ManualClock()
    const { certFile, keyFile, caFile } = await ensure(clock)
    await ensure(clock, ['orders.localhost', 'payments.localhost'])
    assert.match(new X509Certificate(text(certFile)).subjectAltName ?? '', /DNS:payments\.localhost/)
    writeFileSync(certFile, 'not a certificate')
    await ensure(clock)
    assert.ok(new X509Certificate(text(certFile)).checkIssued(new X509Certificate(text(caFile))))
    const other = mkdtempSync(join(tmpdir(), 'ostiary-ca-'))
    const elsewhere = await ensure(clock, ['orders.localhost'], other)
    writeFileSync(keyFile, text(elsewhere.keyFile))
    await ensure(clock)
    assert.notEqual(text(keyFile), text(elsewhere.keyFile))
    rmSync(other, { recursive: true })
  })

  test('a data directory that can not be written is told', async () => {
    const file = join(dataDir, 'a-file')
    writeFileSync(file, '')
    await assert.rejects(ensure(new ManualClock(), [], file), (error) => error instanceof OstiaryError && error.code === 'demo/data-dir')
  })
})

describe('its certificates in TLS', () => {
  // The verifier knows the real time only.
  const now = new ManualClock(Date.now())

  async function status(ca: DevCa, servername: string): Promise<number | string> {
    const server = createServer({ cert: text(ca.certFile), key: text(ca.keyFile) }, (_, response) => response.end('ok'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    try {
      return await new Promise((resolve) => {
        const asked = request(
          { host: '127.0.0.1', port, servername, headers: { host: servername }, ca: text(ca.caFile), agent: false },
          (response) => {
            response.resume()
            resolve(response.statusCode ?? 0)
          },
        )
        asked.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
        asked.end()
      })
    } finally {
      server.closeAllConnections()
      server.close()
    }
  }

  test('are believed for the names that they list', async () => {
    const folder = join(dataDir, 'tls')
    mkdirSync(folder)
    const ca = await ensure(now, ['orders.localhost'], folder)
    for (const name of ['orders.localhost', 'localhost']) assert.equal(await status(ca, name), 200, name)
    assert.equal(await status(ca, 'orders.example.com'), 'ERR_TLS_CERT_ALTNAME_INVALID')
  })

  test('are not believed for a name beyond localhost, whoever signs one', async () => {
    const folder = join(dataDir, 'tls-beyond')
    mkdirSync(folder)
    const ca = await ensure(now, ['orders.example.com'], folder)
    const server = createTlsServer({ cert: text(ca.certFile), key: text(ca.keyFile) })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const reason = await new Promise<string>((resolve) => {
      const socket = connect({ host: '127.0.0.1', port, servername: 'orders.example.com', ca: text(ca.caFile) }, () => resolve('believed'))
      socket.on('error', (error) => resolve(error.message))
    })
    server.close()
    assert.match(reason, /permitted subtree violation/)
  })
})
