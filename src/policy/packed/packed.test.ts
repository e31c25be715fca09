/** What was packed says and decides the same: policies of every protocol, and one of everything that a statement can say. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { Decision } from '../../core/decision.ts'
import { readSources } from '../../config/load.ts'
import { atOnce } from '../../core/gradual.ts'
import { putTogether, takenApart } from '../../server/candidate/parts.ts'
import { compile } from '../../server/configuration.ts'
import { runs } from '../../testing/runs.ts'
import { packPolicy, runPolicyTests, unpackingPolicy, type CompiledPolicy, type PackedPolicy } from '../index.ts'
import { roleIndexes } from '../compile.ts'
import { BUILT_IN_ROLES } from '../model.ts'
import { packIndexes, UnpackedIndexes } from './indexes.ts'
import { packModel, unpackingModel } from './model.ts'
import { action, context, filesOf, maybeIdentity, policyData, resourceName } from '../testdata/random.ts'
import { act, load, NOW, someone } from '../testdata/world.ts'

const root = join(import.meta.dirname, '../../..')

function packed(policy: CompiledPolicy): CompiledPolicy {
  const { shape, arrays } = takenApart(packPolicy(policy))
  assert.ok(arrays.length > 3)
  return atOnce(unpackingPolicy(putTogether<PackedPolicy>(structuredClone(shape), structuredClone(arrays)), ['orders', 'nowhere']))
}

function same(after: CompiledPolicy, before: CompiledPolicy): void {
  assert.equal(after.version, before.version)
  assert.equal(after.loadedAt, before.loadedAt)
  assert.equal(after.changesAt, before.changesAt)
  const { world, roles, scopes } = after.model
  assert.deepEqual(new Map(roles), before.model.roles)
  assert.deepEqual([...roles.values()], before.roles)
  const each: unknown[] = []
  roles.forEach((role, name, all) => each.push([name, role, all === roles]))
  assert.deepEqual(
    each,
    Array.from(before.model.roles, ([name, role]) => [name, role, true]),
  )
  assert.equal(roles.size, before.model.roles.size)
  for (const name of [...roles.keys(), 'nowhere', 'constructor']) {
    assert.equal(roles.has(name), before.model.roles.has(name))
    assert.equal(roles.get(name), roles.get(name))
  }
  assert.deepEqual(scopes, before.model.scopes)
  assert.deepEqual(world.issuers, before.model.world.issuers)
  for (const [name, { operations: _, ...info }] of Object.entries(before.model.world.resources))
    assert.deepEqual(world.resources[name], info)
  assert.equal(Object.getPrototypeOf(world.resources), null)
  assert.equal(Object.getPrototypeOf(Object.values(world.issuers)[0]!.claims), null)
  assert.deepEqual(after.rules, before.rules)
  const plain = (policy: CompiledPolicy) =>
    policy.guardrails.map(({ requires, ...more }) => ({
      ...more,
      requires: requires.map(({ accepts, ...demand }) => ({ ...demand, asks: accepts?.('OPS-7: mend'), other: accepts?.('just so') })),
    }))
  assert.deepEqual(plain(after), plain(before))
}

test('policies of every protocol are the same once they were packed', () => {
  for (const folder of ['test/corpus/decisions', 'examples/demo']) {
    const sources = readSources(join(root, folder))
    const { policy } = compile(folder, sources, NOW)
    const other = packed(policy!)
    same(other, policy!)
    const [before, after] = [policy!, other].map((one) => runPolicyTests(one, sources.tests, NOW).results)
    assert.ok(before!.length > 5 && before!.every(({ passed }) => passed), folder)
    assert.deepEqual(after, before)
  }
})

const everything = `
apiVersion: ostiary.dev/v1
roles:
  reader: { description: Who reads, bind: [{ issuer: entra, claim: roles, any: [Orders.Read], kind: human }] }
  lead: { includes: [reader], bind: [{ issuer: entra, claim: roles, all: [Lead, Änderung] }] }
  helper: { bind: [{ issuer: entra, claim: roles, none: [x] }], eligible: [{ issuer: entra, claim: roles, any: [Helper] }] }
  emergency: { bind: [{ issuer: entra, claim: oid, any: [me], breakGlass: { until: '2030-01-01T00:00:00Z' } }] }
rules:
  - { id: read, description: Reading, role: [reader, lead], resource: [orders, wiki], actions: ['GET /orders/{id}', 'GET /a/**'], peer: [lead, reader] }
  - { id: mine, role: reader, resource: orders, actions: ['GET /mine/{who}'], when: "params.who == 'me' && 'Lead' in claims.roles" }
guardrails:
  - { id: no, allBut: [lead], resource: orders, deny: ['DELETE /**'], when: "context.ip != '10.0.0.1'" }
  - id: only
    for: [reader]
    resource: orders
    actions: ['* /**']
    require: { network: [10.0.0.0/8, '2001:db8::/32'], justification: { matches: 'OPS-[0-9]+: .+' }, approval: { from: [lead], count: 2 } }
    mask: { $.card: drop, '$..name': { constant: 7 } }
    limit: { requests: 5, in: 1m, per: client }
    record: strict
    mode: observe
    until: '2030-01-01T00:00:00Z'
`

test('all that a statement can say is the same once it was packed', () => {
  const { policy, diagnostics } = load([{ path: 'policy/all.yaml', text: everything }])
  assert.deepEqual(diagnostics, [])
  const other = packed(policy!)
  same(other, policy!)
  for (const roles of [[], ['Orders.Read'], ['Lead', 'Änderung'], ['Orders.Read', 'Lead', 'Änderung']])
    for (const text of ['GET /orders/7', 'GET /mine/me', 'GET /mine/you', 'DELETE /orders/7', 'GET /a/b/c'])
      for (const resource of ['orders', 'wiki', 'elsewhere'])
        for (const peer of [undefined, someone({ claims: { roles: ['Orders.Read'] } })]) {
          const [before, after] = [policy!, other].map((one) => {
            const at = { time: NOW, ip: '10.0.0.1', peer: peer && one.bind(peer) }
            const principal = one.bind(someone({ claims: { roles } }))
            const { parties, ...explained } = one.explain(principal, act(text), resource, at)
            return {
              decided: one.decide(principal, act(text), resource, at),
              explained,
              parties,
              who: one.whoCan(act(text), resource, NOW),
            }
          })
          assert.deepEqual(after, before)
        }
})

test('methods that only one resource knows are its own once they were packed', () => {
  const { policy, diagnostics } = load(`
roles:
  reader: { bind: [{ issuer: entra, claim: roles, any: [R] }] }
rules:
  - { id: link, role: reader, resource: orders, actions: ['LINK /a', 'UNLINK /a'] }
  - { id: query, role: reader, resource: wiki, actions: ['UNLINK /a'] }
`)
  assert.deepEqual(diagnostics, [])
  const other = packed(policy!)
  const principal = other.bind(someone({ claims: { roles: ['R'], scopes: [] } }))
  const allowed = (resource: string) =>
    ['LINK', 'UNLINK', 'QUERY'].filter(
      (method) =>
        other.decide(principal, { protocol: 'http', method, path: '/a' }, resource, { time: NOW, ip: '10.0.0.1' }).effect === 'allow',
    )
  assert.deepEqual([allowed('orders'), allowed('wiki')], [['LINK', 'UNLINK'], ['UNLINK']])
})

test('what is decided by is what was packed, and nothing is made anew', () => {
  const { policy } = load([{ path: 'policy/all.yaml', text: everything }])
  const indexes = roleIndexes([...policy!.model.roles.keys(), ...BUILT_IN_ROLES])
  const known = packIndexes(policy!.model, indexes)
  const model = atOnce(unpackingModel(packModel(policy!.model)))
  const unpacked = new UnpackedIndexes(known, model, indexes)
  assert.deepEqual(
    [known.methods, known.starts.length, unpacked.count],
    [[], Object.keys(policy!.model.world.resources).length + 1, known.slotStarts.length - 1],
  )
  assert.ok(known.decisions > unpacked.count)
  const index = unpacked.of('orders')!
  assert.equal(index.words.buffer, known.tries.buffer)
  const found = (resource: string, text: string): number => unpacked.of(resource)!.look(act(text)).count
  assert.deepEqual([found('orders', 'GET /mine/me'), found('orders', 'DELETE /x'), found('wiki', 'GET /mine/me')], [2, 1, 1])
  assert.equal(unpacked.of('elsewhere'), undefined)
})

test('a policy that was packed decides every request as it did before, for the same reasons', () => {
  let allows = 0
  fc.assert(
    fc.property(
      policyData,
      fc.array(fc.tuple(maybeIdentity, action, resourceName, context), { minLength: 20, maxLength: 20 }),
      (data, requests) => {
        const { policy } = load(filesOf(data))
        if (policy === undefined) return
        const other = packed(policy)
        for (const [identity, does, resource, at] of requests) {
          const [before, after]: readonly Decision[] = [policy, other].map((one) =>
            one.decide(identity === undefined ? one.anonymous : one.bind(identity), does, resource, at),
          )
          assert.deepEqual(after, before)
          if (after!.effect === 'allow') allows += 1
        }
      },
    ),
    { numRuns: runs(60) },
  )
  assert.ok(allows > 20, `${allows} were allowed`)
})
