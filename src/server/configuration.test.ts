import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadConfiguration } from './configuration.ts'

/** What is found where a proxy may ask about these. */
function found(resources: string): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), 'ostiary-configuration-'))
  try {
    mkdirSync(join(folder, 'policy'))
    writeFileSync(
      join(folder, 'ostiary.yaml'),
      `apiVersion: ostiary.dev/v1
issuers: { idp: { kind: oidc, issuer: 'https://idp.example', audiences: [api], claims: { groups: list } } }
resources: { orders: { protocol: http, hosts: [orders.example], upstream: { url: 'http://127.0.0.1:9' } } }
doors:
  envoy: { listen: '127.0.0.1:0', checks: { listen: '127.0.0.1:0', proxies: { theirs: { resources: ${resources} } } }, nodes: {} }
`,
    )
    writeFileSync(
      join(folder, 'policy/p.yaml'),
      `apiVersion: ostiary.dev/v1
roles: { reader: { bind: [{ issuer: idp, claim: groups, any: [readers] }] } }
rules:
  - { id: read, role: reader, resource: orders, actions: [GET /items] }
  - { id: administer, role: reader, resource: ostiary, actions: ['* /**'] }
`,
    )
    return loadConfiguration(folder)
      .diagnostics.filter(({ severity }) => severity === 'error')
      .map(({ code, message }) => `${code}: ${message}`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

test('a proxy that is to ask about what is no resource, or about the gateway itself, is found', () => {
  assert.deepEqual(found('[orders]'), [])
  assert.deepEqual(found('[orders, oders, ostiary]'), [
    'target/no-resource: proxy `theirs` is to carry `oders`, which is no resource that speaks http',
    'target/no-resource: proxy `theirs` is to carry `ostiary`, which is no resource that speaks http',
  ])
})
