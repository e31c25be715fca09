/** A fixed policy of two hundred rules that has everything which is native in Envoy: all of it has to be, and mean what it says. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { evaluateEnvoy } from '../envoy/evaluate.ts'
import { compileNative } from '../policy/native/compile.ts'
import { decideNative } from '../policy/native/decide.ts'
import { load, NOW } from '../policy/testdata/world.ts'
import { contains, parseAddress, parseNetwork } from '../policy/when/cidr.ts'
import { regexes } from '../testing/regexes.ts'
import { issuers, payloadOf } from './istio/testing.ts'
import { emitEnvoy, FILTERS } from './envoy/emit.ts'

const LATER = new Date(NOW + 60_000).toISOString()
const ROLES = `roles:
  text: { bind: [{ issuer: entra, claim: department, any: [a, b] }] }
  list: { bind: [{ issuer: entra, claim: groups, any: [a, b] }, { issuer: ci, claim: groups, any: [a] }] }
  every: { bind: [{ issuer: entra, claim: groups, all: [a, b] }] }
  none: { bind: [{ issuer: entra, claim: groups, none: [c] }] }
  number: { bind: [{ issuer: entra, claim: level, any: [1, 2.5] }] }
  truth: { bind: [{ issuer: entra, claim: vip, any: [true] }] }
  human: { bind: [{ issuer: entra, claim: groups, any: [a], kind: human }] }
  emergency: { bind: [{ issuer: entra, claim: groups, any: [c], breakGlass: { until: '${LATER}' } }] }
  builder: { bind: [{ issuer: ci, claim: repository, any: [a] }] }
  wide: { bind: [{ issuer: entra, claim: roles, any: [x] }], includes: [text, every] }
  guest: { bind: [{ issuer: entra, claim: department, any: [guest] }] }
`
const HOLDERS = [
  'text',
  'list',
  'every',
  'none',
  'number',
  'truth',
  'human',
  'emergency',
  'builder',
  'wide',
  'authenticated',
  '[text, builder]',
]
const WHENS = [
  undefined,
  'claims.department == "a"',
  'claims.department != "b"',
  'has(claims.department)',
  '"a" in claims.groups && !("c" in claims.groups)',
  'claims.department in ["a", "c"] || "b" in claims.groups',
  'claims.level >= 2.0',
  'claims.level < 2.0 || claims.vip',
  'claims.vip ? claims.department == "a" : claims.level > 1.0',
  'inCidr(context.ip, "10.0.0.0/8")',
  `context.time < timestamp("${LATER}")`,
]
const actionsOf = (i: number): readonly string[] => [
  `GET /r${i}`,
  `'* /r${i}/{id}'`,
  `'POST /r${i}/**'`,
  `'PUT /r${i}/{a}/b/{c}'`,
  `'GET /r${i}/{a}/**'`,
  `DELETE /r${i}/`,
]
const rules = Array.from({ length: 199 }, (_, i) => {
  const actions = actionsOf(i % 50)
  const when = WHENS[i % WHENS.length]
  const [one, two] = [actions[i % actions.length]!, actions[(i * 5 + 1) % actions.length]!]
  // Of these the other issuer declares none.
  const holder = /level|vip/.test(when ?? '') ? 'every' : HOLDERS[i % HOLDERS.length]!
  return `  - { id: rule-${i}, role: ${holder}, resource: [orders, wiki], actions: [${one}, ${two}]${when === undefined ? '' : `, when: '${when}'`} }\n`
})
const GUARDRAILS = `guardrails:
  - { id: no-guests, for: [guest], resource: [orders, wiki], deny: ['* /r1/**', '* /r6/**', '* /r12/**'] }
  - { id: no-removal, allBut: [every], resource: orders, deny: ['DELETE /r1/**', 'POST /r2/{x}/drop'] }
  - { id: proven, for: [list], resource: orders, actions: ['PUT /r3/**'], require: { mfa: true } }
  - { id: at-home, for: [authenticated], resource: orders, actions: ['POST /r4/**'], require: { network: [10.0.0.0/8] } }
  - { id: soon, for: [everyone], resource: orders, deny: ['GET /r5/**'], mode: observe, until: '${LATER}' }
`
const TOKENS: readonly (Readonly<Record<string, unknown>> | undefined)[] = [
  undefined,
  {},
  { department: 'a', level: 3 },
  { department: 'b', groups: ['b'], vip: true },
  { department: 'guest', groups: ['a', 'b'] },
  { groups: ['a'], level: 1, repository: 'a' },
  { groups: ['a', 'b'], vip: false, level: 2.5 },
  { groups: ['c'], department: 'c' },
  { roles: ['x'], vip: 'true', level: '3' },
  { department: ['a'], groups: 'a', amr: ['mfa'] },
]

/** With claims of another type than declared: no token that an Envoy may accept by itself. */
const MISTYPED = new Set(TOKENS.slice(-2))

test('all of it is native, and each request is decided as it is meant', () => {
  const { policy, diagnostics } = load(
    `${ROLES}rules:\n  - { id: health, role: everyone, resource: [orders, wiki], actions: [GET /health] }\n${rules.join('')}${GUARDRAILS}`,
  )
  assert.ok(policy !== undefined, JSON.stringify(diagnostics))
  const told = { allowed: 0, denied: 0 }
  for (const resource of ['orders', 'wiki']) {
    const { native, refused } = compileNative({ model: policy.model, resource, issuers })
    assert.deepEqual(refused, [])
    assert.equal(native.rules.length, 200)
    for (const tree of [undefined, { listUpTo: 1, leafUpTo: 8 }]) {
      const upstream = { host: '127.0.0.1', port: 9, tls: undefined, http2: false, connectTimeout: 1000 }
      const { routes, extensions } = emitEnvoy({
        name: 'edge',
        address: { host: '127.0.0.1', port: 1 },
        resources: [{ native, hosts: [`${resource}.example`], upstream, websocket: false, forwardAuthorization: false }],
        keys: new Map(),
        tls: undefined,
        logs: undefined,
        tree,
      })
      for (let i = 0; i < 200; i++) {
        const r = i % 50
        const path = [`/r${r}`, `/r${r}/7`, `/r${r}/7/drop`, `/r${r}/7/b/8`, `/r${r}/`, '/health'][i % 6]!
        const method = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD'][(i * 3) % 5]!
        const ip = parseAddress(i % 3 === 0 ? '10.0.0.1' : '192.0.2.1')!
        const time = i % 7 === 0 ? NOW + 120_000 : NOW
        const inNetwork = (address: string, bits: number): boolean => contains(parseNetwork(`${address}/${bits}`)!, ip)
        for (const [n, claims] of TOKENS.entries()) {
          if ((i + n) % 3 !== 0) continue
          const issuer = native.issuers.find(({ name }) => name === ((i * 7 + n) % 4 === 0 ? 'ci' : 'entra')) ?? native.issuers[0]!
          const payload = claims && payloadOf(claims, issuer.iss)
          const token = payload && { form: issuer.form, header: { typ: 'at+jwt', kid: 'k', alg: 'ES256' }, payload }
          const authorization = token && 'Bearer a.b.c'
          const asked = {
            host: `${resource}.example`,
            method,
            path,
            authorization,
            token,
            isIn: inNetwork,
            time,
          }
          const made = evaluateEnvoy(routes[0]!, [FILTERS.callers, FILTERS.guardrails, FILTERS.rules], asked, regexes, extensions)
          const isIn = (all: readonly { address: string; bits: number }[]): boolean =>
            all.some(({ address, bits }) => inNetwork(address, bits))
          const meant = decideNative(native, { method, path, token, isIn, time }, regexes.wholly)
          assert.equal(
            made.allowed,
            meant.allowed && !MISTYPED.has(claims),
            JSON.stringify([resource, method, path, claims, issuer.name, made, meant]),
          )
          if (made.allowed) told.allowed++
          else told.denied++
        }
      }
    }
  }
  assert.ok(told.allowed > 100 && told.denied > 600, JSON.stringify(told))
})
