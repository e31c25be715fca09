import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { overlay, plain, readDocument } from '../config/document.ts'
import { OstiaryError } from '../core/errors.ts'
import { DEMO_PORTS, startDemo, type Demo } from './index.ts'

let dataDir: string
before(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'ostiary-demo-'))
})
after(() => rmSync(dataDir, { recursive: true, force: true }))

const start = (): Promise<Demo> => startDemo({ dataDir, ports: { idp: 0, orders: 0 } })

interface DemoWiring {
  readonly dataDir: string
  readonly issuers: { readonly entra: { readonly authority: string; readonly tenants: readonly string[] } }
  readonly resources: { readonly orders: { readonly upstream: { readonly url: string } } }
  readonly doors: { readonly http: { readonly listen: readonly { readonly tls?: { readonly cert: string } }[] } }
}

describe('the demo', () => {
  test('starts everything that the gateway needs, and says where it is', async () => {
    const demo = await start()
    try {
      const base = readDocument('ostiary.yaml', readFileSync(join(demo.configFolder, 'ostiary.yaml'), 'utf8')).root!
      const laid = readDocument(demo.environment.path, demo.environment.text)
      assert.deepEqual(laid.diagnostics, [])
      const wiring = plain(overlay(base, laid.root!)) as DemoWiring
      assert.equal(wiring.dataDir, dataDir)
      assert.equal(wiring.issuers.entra.authority, demo.idp.authority)
      assert.deepEqual(wiring.issuers.entra.tenants, [demo.idp.tenant])
      assert.equal(wiring.resources.orders.upstream.url, demo.resources.orders.url)
      assert.equal(wiring.doors.http.listen[1]?.tls?.cert, demo.ca.certFile)
      assert.ok(existsSync(demo.ca.certFile))
      assert.equal((await fetch(`${demo.resources.orders.url}/healthz`)).status, 200)
      assert.equal((await fetch(`${demo.resources.orders.url}/orders`)).status, 401)
    } finally {
      await demo.close()
    }
  })

  test('its folder says the same as its defaults', () => {
    const text = readFileSync(join(import.meta.dirname, '../../examples/demo/ostiary.yaml'), 'utf8')
    for (const port of Object.values(DEMO_PORTS)) assert.ok(text.includes(`127.0.0.1:${port}`), String(port))
  })

  test('tokens of one run are good in the next', async () => {
    const first = await start()
    const { token } = first.idp.mint('reader')
    await first.idp.rotate()
    await first.close()
    const second = await start()
    try {
      const keys = createRemoteJWKSet(new URL(`${second.idp.authority}/common/discovery/v2.0/keys`))
      assert.equal((await jwtVerify(token, keys)).payload['name'], 'reader')
    } finally {
      await second.close()
    }
  })

  test('kept keys that can not be read are made anew', async () => {
    for (const text of ['{', '[{}]', '"x"', '[{"kid":"a","certificate":"b","createdAt":1,"privateJwk":{"kty":"RSA","d":"x"}}]']) {
      writeFileSync(join(dataDir, 'demo-idp/signing-keys.json'), text)
      const demo = await start()
      await demo.close()
      assert.ok(readFileSync(join(dataDir, 'demo-idp/signing-keys.json'), 'utf8').length > 1000)
    }
  })

  test('a part that can not start takes the others down with it', async () => {
    const first = await start()
    const port = Number(new URL(first.resources.orders.url).port)
    await assert.rejects(
      startDemo({ dataDir, ports: { idp: 0, orders: port } }),
      (error) => error instanceof OstiaryError && error.code === 'demo/port-taken',
    )
    await first.close()
  })
})
