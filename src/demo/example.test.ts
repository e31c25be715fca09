/**
 * The example's configuration with the demo's tokens: two sides that were written without each other, the shapes from
 * Microsoft's documentation and the verifier from its rules, have to agree on who may do what.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { readSources } from '../config/load.ts'
import type { Families, Wiring } from '../config/schema.ts'
import { readWiring } from '../config/wiring.ts'
import { systemClock as clock, systemEntropy as entropy } from '../core/clock.ts'
import { noMeter } from '../core/meter.ts'
import { doorKinds } from '../doors/index.ts'
import { entra } from '../identity/entra/index.ts'
import type { Issuer } from '../identity/issuer.ts'
import { checkPolicy, loadPolicy, runPolicyTests, type CompiledPolicy } from '../policy/index.ts'
import { startIdp, type Idp } from './idp/index.ts'
import { FAULTY_SHAPES, type Shape } from './idp/mint.ts'
import { configFolder } from './index.ts'

const { doorSchema, resourceSchema } = doorKinds.http
const families: Families = {
  issuers: { entra: entra.schema },
  resources: { http: resourceSchema },
  doors: { http: doorSchema },
  targets: {},
}
const kindClaims = { entra: entra.claims, gateway: { via: { type: 'string', mayBeUnknown: false } } } as const
const now = Date.UTC(2026, 5, 1)

function load(environment?: string) {
  const sources = readSources(configFolder(), environment)
  const { wiring, root, bindings, diagnostics } = readWiring(sources, families)
  assert.deepEqual(diagnostics, [])
  const gateway = { kind: 'gateway', claims: {}, audiences: ['demo'], clients: [], agents: [] }
  const withGateway = { ...wiring!, issuers: { ...wiring!.issuers, ostiary: gateway } }
  const loaded = loadPolicy({ sources, wiring: withGateway, bindings, wiringRoot: root, kindClaims, mustAdminister: true, now })
  assert.deepEqual(loaded.diagnostics, [])
  return { sources, wiring: wiring!, policy: loaded.policy! }
}

describe('the example', () => {
  for (const environment of [undefined, 'production']) {
    test(`is without a finding ${environment === undefined ? 'as it is' : `in ${environment}`}, and passes its own tests`, () => {
      const { sources, policy } = load(environment)
      assert.deepEqual(checkPolicy(policy, now), [])
      const { results, diagnostics } = runPolicyTests(policy, sources.tests, now)
      assert.deepEqual(diagnostics, [])
      assert.ok(results.length >= 15)
      assert.deepEqual(
        results.filter(({ passed }) => !passed).map(({ name, message }) => `${name}: ${message}`),
        [],
      )
    })
  }
})

const ACTIONS = { read: 'GET /orders', create: 'POST /orders', delete: 'DELETE /orders/1', export: 'GET /export/orders.csv' }

/** The table of docs/demo.md. */
const MAY: Readonly<Record<string, readonly (keyof typeof ACTIONS)[]>> = {
  reader: ['read'],
  publisher: ['read', 'create', 'export'],
  admin: ['read', 'create', 'delete', 'export'],
  auditor: [],
  guest: ['read'],
  overage: ['read'],
  nobody: [],
  ci: ['read', 'create'],
  'managed-identity': ['read'],
  agent: ['read'],
  'agent-for-reader': ['read'],
  'agent-user': ['read'],
}

describe('the demo’s tokens, verified and decided', () => {
  let idp: Idp
  let issuer: Issuer
  let policy: CompiledPolicy
  let dataDir: string
  before(async () => {
    const loaded = load()
    policy = loaded.policy
    idp = await startIdp({ port: 0 })
    dataDir = mkdtempSync(join(tmpdir(), 'ostiary-example-'))
    const config = { ...loaded.wiring.issuers['entra']!, authority: idp.authority } as Wiring['issuers'][string]
    issuer = entra.create('entra', config, { clock, entropy, meter: noMeter, dataDir, folder: dataDir, log: () => {}, fetch })
  })
  after(async () => {
    issuer.close()
    await idp.close()
    rmSync(dataDir, { recursive: true, force: true })
  })

  for (const version of ['2.0', '1.0'] as const) {
    for (const [account, expected] of Object.entries(MAY)) {
      test(`${account}, version ${version}`, async () => {
        const result = await issuer.verifyAccessToken(idp.mint(account, { version }).token)
        assert.equal(result.outcome, 'identity')
        if (result.outcome !== 'identity') return
        const principal = policy.bind(result.identity)
        const allowed = Object.entries(ACTIONS).filter(([, action]) => {
          const [method = '', path = ''] = action.split(' ')
          return policy.decide(principal, { protocol: 'http', method, path }, 'orders', { time: now, ip: '127.0.0.1' }).effect === 'allow'
        })
        assert.deepEqual(
          allowed.map(([name]) => name),
          [...expected],
        )
        if (account === 'overage') assert.deepEqual(principal.unknownRoles, ['exporter'])
      })
    }

    test(`outsider, version ${version}, is of another tenant`, async () => {
      const { token } = idp.mint('outsider', { version })
      assert.deepEqual(await issuer.verifyAccessToken(token), { outcome: 'rejected', reason: 'tenant' })
    })
  }

  const REASONS: Readonly<Record<Exclude<Shape, 'good'>, string>> = {
    expired: 'expired',
    future: 'issued-in-future',
    'wrong-audience': 'audience',
    'wrong-issuer': 'issuer',
    'id-token': 'id-token',
    'graph-token': 'graph-token',
    unsigned: 'unsigned',
    'bad-signature': 'signature',
    'unknown-key': 'unknown-key',
  }
  for (const shape of Object.keys(FAULTY_SHAPES) as (keyof typeof FAULTY_SHAPES)[]) {
    test(`a token that is ${shape} is refused for that`, async () => {
      const result = await issuer.verifyAccessToken(idp.mint('admin', { shape }).token)
      assert.equal(result.outcome, 'rejected')
      assert.equal(result.outcome === 'rejected' && result.reason, REASONS[shape])
    })
  }
})
