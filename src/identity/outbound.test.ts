import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openOutbound } from './outbound.ts'

/** Answers every request with what it was asked for, and every tunnel with a refusal. */
let server: Server
let url: string
const asked: string[] = []

before(async () => {
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    response.end('ok')
  })
  server.on('connect', (request, socket) => {
    asked.push(`CONNECT ${request.url}`)
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
after(() => new Promise<void>((resolve) => server.close(() => resolve())))

test('requests go through the configured proxy, those to this machine directly', async () => {
  const outbound = openOutbound({ proxy: url }, '/', {})
  try {
    await assert.rejects(outbound.fetch('https://issuer.invalid/keys'))
    assert.deepEqual(asked.splice(0), ['CONNECT issuer.invalid:443'])
    assert.equal(await (await outbound.fetch(`${url}/direct`)).text(), 'ok')
    assert.deepEqual(asked.splice(0), ['GET /direct'])
  } finally {
    await outbound.close()
  }
})

test('hosts that the environment excepts are reached directly', async () => {
  const outbound = openOutbound({ proxy: url }, '/', { NO_PROXY: 'issuer.invalid' })
  try {
    await assert.rejects(outbound.fetch('https://issuer.invalid/keys'))
    assert.deepEqual(asked.splice(0), [])
  } finally {
    await outbound.close()
  }
})

test('the metadata service and the identity endpoint of the platform are never asked through a proxy', async () => {
  const outbound = openOutbound({ proxy: url }, '/', { IDENTITY_ENDPOINT: 'http://identity.invalid:42356/msi/token' })
  try {
    await assert.rejects(outbound.fetch('http://identity.invalid:42356/msi/token'))
    assert.deepEqual(asked.splice(0), [])
  } finally {
    await outbound.close()
  }
})

test('authorities are read from PEM, and what is none is said at once', () => {
  const folder = mkdtempSync(join(tmpdir(), 'outbound-'))
  try {
    assert.throws(() => openOutbound({ ca: 'ca.pem' }, folder, {}), { code: 'identity/outbound-ca', message: /ENOENT/ })
    writeFileSync(join(folder, 'ca.pem'), 'no certificate')
    assert.throws(() => openOutbound({ ca: 'ca.pem' }, folder, {}), { code: 'identity/outbound-ca', message: /no certificate in it/ })
    writeFileSync(join(folder, 'ca.pem'), '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n')
    assert.throws(() => openOutbound({ ca: 'ca.pem' }, folder, {}), { code: 'identity/outbound-ca' })
  } finally {
    rmSync(folder, { recursive: true })
  }
})
