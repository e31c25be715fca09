import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { runs, untilEnough } from '../testing/runs.ts'
import { renderWhoCan } from './index.ts'
import { action, context, filesOf, maybeIdentity, policyData, resourceName } from './testdata/random.ts'
import { act, load, NOW } from './testdata/world.ts'

const { policy } = load(`roles:
  reader: { bind: [{ issuer: entra, claim: roles, any: [R] }] }
  publisher: { includes: [reader], bind: [{ issuer: ci, claim: repository, any: [acme/orders], kind: workload }] }
  gone: { bind: [{ issuer: entra, claim: oid, any: [x], breakGlass: { until: 2020-01-01T00:00:00Z } }] }
rules:
  - { id: read, role: [reader, gone], resource: [orders, wiki], actions: ['GET /**'] }
  - { id: office, role: authenticated, resource: orders, actions: [GET /a], when: "inCidr(context.ip, '10.0.0.0/8')" }
  - { id: health, role: everyone, resource: orders, actions: [GET /healthz] }
  - { id: never, role: publisher, resource: orders, actions: [DELETE /a] }
guardrails:
  - { id: closed, deny: [DELETE /a], resource: orders, for: [publisher] }
  - { id: strong, require: { mfa: true }, actions: [GET /a], resource: orders, allBut: [publisher] }
`)
const ask = (text: string, on = 'orders') =>
  renderWhoCan(policy!.whoCan(act(text), on, NOW)!)
    .trimEnd()
    .split('\n')

test('it is told in rules, roles and what gives them, with conditions and guardrails', () => {
  assert.deepEqual(ask('GET /a'), [
    'GET /a  on orders',
    'by rule office  (policy/p.yaml:8:11)',
    '  whoever has a verified credential; an app only with a role, or as a listed client',
    "  if inCidr(context.ip, '10.0.0.0/8')",
    'by rule read  (policy/p.yaml:7:11)',
    '  holders of `gone`: nobody, nothing gives it here',
    '  holders of `reader`:',
    '    claim `repository` of issuer `ci` equal to `acme/orders`, for a principal of kind workload, which gives role `publisher` and so this one',
    '    claim `roles` of issuer `entra` containing `R`',
    'but',
    '  only with multi-factor authentication: whoever does not hold `publisher`: guardrail strong  (policy/p.yaml:13:11)',
  ])
  assert.deepEqual(ask('GET /healthz').slice(0, 3), [
    'GET /healthz  on orders',
    'by rule health  (policy/p.yaml:9:11)',
    '  everyone, also without a credential',
  ])
})

test('what nobody can, nobody can', () => {
  assert.deepEqual(ask('PUT /a'), ['PUT /a  on orders', 'nobody: no rule grants it'])
  assert.deepEqual(ask('DELETE /a').slice(0, 3), [
    'DELETE /a  on orders',
    'by rule never  (policy/p.yaml:10:11)',
    '  nobody: guardrail `closed` takes all of it away',
  ])
})

test('issuers and scopes of the resource limit it', () => {
  const told = ask('GET /pages/x', 'wiki')
  assert.deepEqual(told.slice(-2), ['credentials of `entra` only', 'a delegated token needs scope `Wiki.Read` or `Wiki.Write`'])
  assert.ok(!told.some((line) => line.includes('`ci`')), 'of issuers that are not accepted nothing is said')
  assert.equal(policy!.whoCan(act('GET /a'), 'nowhere', NOW), undefined)
})

test('whoever is allowed is allowed by a rule that is told, in a role that is told', async () => {
  let allowed = 0
  await untilEnough(
    () =>
      fc.assert(
        fc.property(policyData, maybeIdentity, action, resourceName, context, (data, who, does, resource, at) => {
          const loaded = load(filesOf(data)).policy!
          const decision = loaded.decide(who === undefined ? loaded.anonymous : loaded.bind(who), does, resource, at)
          if (decision.effect !== 'allow') return
          allowed++
          const told = loaded.whoCan(does, resource, NOW)!.grants
          for (const { id, role } of decision.reasons) {
            const grant = told.find(({ rule }) => rule === id)
            assert.ok(grant !== undefined && grant.undoneBy === undefined)
            assert.ok(grant.roles.some((one) => one.role === role))
          }
        }),
        { numRuns: runs(150) },
      ),
    () => allowed > 20,
    () => allowed,
  )
})
