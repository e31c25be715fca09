/** A fixed policy of two hundred rules that has everything which Istio can be told: all of it has to be native, and mean what it says. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileNative } from '../../policy/native/compile.ts'
import { decideNative } from '../../policy/native/decide.ts'
import { load, NOW } from '../../policy/testdata/world.ts'
import { regexes } from '../../testing/regexes.ts'
import { ask, BOTH, compiled, issuers, payloadOf, proxyOf, targetOf } from './testing.ts'

const ROLES = `roles:
  text: { bind: [{ issuer: entra, claim: department, any: [a, b] }] }
  list: { bind: [{ issuer: entra, claim: groups, any: [a, b] }, { issuer: ci, claim: groups, any: [a] }] }
  every: { bind: [{ issuer: entra, claim: groups, all: [a, b] }] }
  none: { bind: [{ issuer: entra, claim: groups, none: [c] }] }
  human: { bind: [{ issuer: entra, claim: groups, any: [a], kind: human }] }
  builder: { bind: [{ issuer: ci, claim: repository, any: [a] }] }
  wide: { bind: [{ issuer: entra, claim: roles, any: [x] }], includes: [text, every] }
  guest: { bind: [{ issuer: entra, claim: department, any: [guest] }] }
`
const HOLDERS = ['text', 'list', 'every', 'none', 'human', 'builder', 'wide', 'authenticated', '[text, builder]']
const ACTIONS = (i: number): readonly string[] => [
  `GET /r${i}`,
  `'* /r${i}/{id}'`,
  `'POST /r${i}/**'`,
  `'PUT /r${i}/{a}/b/{c}'`,
  `'GET /r${i}/{a}/**'`,
  `DELETE /r${i}/`,
]
const WHENS = [
  undefined,
  'claims.department == "a"',
  'claims.department != "b"',
  'has(claims.department)',
  '"a" in claims.groups && !("c" in claims.groups)',
  'claims.department in ["a", "c"] || "b" in claims.groups',
  'inCidr(context.ip, "10.0.0.0/8")',
]
const rules = Array.from({ length: 200 }, (_, i) => {
  const [holder, when] = [HOLDERS[i % HOLDERS.length]!, WHENS[i % WHENS.length]]
  const actions = ACTIONS(i % 50)
  const [one, two] = [actions[i % actions.length]!, actions[(i * 5 + 1) % actions.length]!]
  return `  - { id: rule-${i}, role: ${holder}, resource: [orders, wiki], actions: [${one}, ${two}]${when === undefined ? '' : `, when: '${when}'`} }\n`
})
const GUARDRAILS = `guardrails:
  - { id: no-guests, for: [guest], resource: [orders, wiki], deny: ['* /**'] }
  - { id: no-removal, allBut: [every], resource: orders, deny: ['DELETE /r1/**', 'POST /r2/{x}/drop'] }
  - { id: proven, for: [list], resource: orders, actions: ['PUT /r3/**'], require: { mfa: true } }
  - { id: at-home, for: [authenticated], resource: orders, actions: ['POST /r4/**'], require: { network: [10.0.0.0/8] } }
`

const TOKENS: readonly (Readonly<Record<string, unknown>> | undefined)[] = [
  undefined,
  {},
  { department: 'a' },
  { department: 'b', groups: ['b'] },
  { department: 'guest', groups: ['a', 'b'] },
  { groups: ['a'] },
  { groups: ['a', 'b'] },
  { groups: ['c'], department: 'c' },
  { roles: ['x'], scope: 'Wiki.Write' },
  { department: 'a', groups: ['a', 'b'], scope: 'other Wiki.Read' },
]

test('all of it is native, and each request is decided as it is meant', () => {
  const { policy, diagnostics: problems } = load(`${ROLES}rules:\n${rules.join('')}${GUARDRAILS}`)
  assert.ok(policy !== undefined, JSON.stringify(problems))
  const { documents, diagnostics, resources } = compiled(policy, targetOf({ ...BOTH, addresses: 'source' }))
  assert.deepEqual(diagnostics, [])
  assert.deepEqual(
    resources.map((one) => [one.name, one.rules, one.delegated]),
    [
      ['orders', 200, false],
      ['wiki', 200, false],
    ],
  )
  const proxy = proxyOf(documents)
  const told = { allowed: 0, denied: 0 }
  for (const resource of ['orders', 'wiki']) {
    const { native } = compileNative({ model: policy.model, resource, issuers })
    for (let i = 0; i < 200; i++) {
      const r = i % 50
      const path = [`/r${r}`, `/r${r}/7`, `/r${r}/7/drop`, `/r${r}/7/b/8`, `/r${r}/`, `/r${r}x`][i % 6]!
      const method = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD'][(i * 3) % 5]!
      const source = i % 3 === 0 ? '10.0.0.1' : '192.0.2.1'
      for (const [n, claims] of TOKENS.entries()) {
        const issuer = native.issuers.find(({ name }) => name === ((i * 7 + n) % 4 === 0 ? 'ci' : 'entra'))
        // Each asks about some: all of them would take a minute.
        if ((i + n) % 7 !== 0 || (claims !== undefined && issuer === undefined)) continue
        const payload = claims && payloadOf(claims, issuer!.iss)
        const made = ask(proxy, { host: `${resource}.example`, method, path, source, tokens: payload === undefined ? [] : [{ payload }] })
        const token = payload && { form: issuer!.form, header: { typ: 'at+jwt', kid: 'k', alg: 'ES256' }, payload }
        const meant = decideNative(native, { method, path, token, isIn: () => source === '10.0.0.1', time: NOW }, regexes.wholly)
        assert.equal(made.allowed, meant.allowed, JSON.stringify([resource, method, path, source, claims, issuer?.name, made, meant]))
        if (made.allowed) told.allowed++
        else told.denied++
      }
    }
  }
  assert.ok(told.allowed > 40 && told.denied > 300, JSON.stringify(told))
})
