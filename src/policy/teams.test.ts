import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { SourceFile } from '../config/wiring.ts'
import { load } from './testdata/world.ts'

describe('teams', () => {
  const root = {
    path: 'policy/teams.yaml',
    text: `apiVersion: ostiary.dev/v1
teams: { pay: { owns: [orders] }, docs: { owns: [{ labels: { tier: office } }] } }
roles: { reader: { bind: [{ issuer: entra, claim: roles, any: [R] }] } }
rules: [{ id: root, role: reader, resource: [orders, wiki, ostiary], actions: [GET /root] }]`,
  }
  const loaded = (path: string, text: string, ...more: SourceFile[]) =>
    load([root, { path, text: `apiVersion: ostiary.dev/v1\n${text}` }, ...more]).diagnostics.map(
      ({ code, span }) => `${code} ${span?.file}:${span?.line}:${span?.column}`,
    )
  const rule = (resource: string) => `rules: [{ id: a, role: reader, resource: ${resource}, actions: [GET /a] }]`

  const cases: readonly (readonly [name: string, path: string, text: string, expected: readonly string[]])[] = [
    ['speak of what they own', 'policy/pay/a.yaml', rule('orders'), []],
    ['also by labels', 'policy/docs/deep/a.yaml', rule('{ labels: { tier: office } }'), []],
    ['not of what they do not own', 'policy/pay/a.yaml', rule('[orders, wiki]'), ['policy/not-owned policy/pay/a.yaml:2:42']],
    ['nor by labels', 'policy/pay/a.yaml', rule('{ labels: { zone: a } }'), ['policy/not-owned policy/pay/a.yaml:2:42']],
    ['nor of the gateway', 'policy/pay/a.yaml', rule('ostiary'), ['policy/not-owned policy/pay/a.yaml:2:42']],
    [
      'nor in guardrails',
      'policy/pay/a.yaml',
      'guardrails: [{ id: a, deny: [GET /a], resource: wiki, allBut: [reader] }]',
      ['policy/not-owned policy/pay/a.yaml:2:49'],
    ],
    [
      'do not say themselves what they own',
      'policy/pay/a.yaml',
      'teams: { pay: { owns: [wiki] } }',
      ['policy/teams-place policy/pay/a.yaml:2:10'],
    ],
    [
      'have their folders to themselves',
      'policy/other/a.yaml',
      rule('orders'),
      ['policy/unknown-team policy/other/a.yaml:1:1', 'policy/not-owned policy/other/a.yaml:2:42'],
    ],
    [
      'do not give roles of others',
      'policy/pay/a.yaml',
      'roles: { mine: { bind: [{ issuer: entra, claim: roles, any: [X] }], includes: [reader] } }',
      ['policy/foreign-role policy/pay/a.yaml:2:80'],
    ],
  ]
  for (const [name, path, text, expected] of cases) test(name, () => assert.deepEqual(loaded(path, text), expected))

  test('without any, folders are only folders', () => {
    const file = { path: 'policy/any/a.yaml', text: root.text.replace(/^teams.*\n/m, '') }
    assert.deepEqual(load([file]).diagnostics, [])
  })
  test('that are not there are told once, however many files they have', () => {
    const [first, second] = ['a', 'b'].map((name) => ({ path: `policy/none/${name}.yaml`, text: 'apiVersion: ostiary.dev/v1\n' }))
    assert.deepEqual(loaded('policy/pay/a.yaml', rule('orders'), first!, second!), ['policy/unknown-team policy/none/a.yaml:1:1'])
  })
  test('may include their own roles, and are told once of one that is nowhere', () => {
    const own = 'roles: { a: { includes: [b] }, b: { bind: [{ issuer: entra, claim: roles, any: [B] }] } }'
    assert.deepEqual(loaded('policy/pay/a.yaml', own), ['policy/unbound-role policy/pay/a.yaml:2:10'])
    const lost = 'roles: { a: { includes: [lost], bind: [{ issuer: entra, claim: roles, any: [A] }] } }'
    assert.deepEqual(loaded('policy/pay/a.yaml', lost), ['policy/unknown-role policy/pay/a.yaml:2:26'])
  })
  test('are told of the first that they do not own', () => {
    const { diagnostics } = load([
      root,
      { path: 'policy/pay/a.yaml', text: `apiVersion: ostiary.dev/v1\n${rule('[wiki, orders, ostiary]')}` },
    ])
    assert.deepEqual(
      diagnostics.map(({ message }) => message),
      ['rule `a` speaks of resource `ostiary`, which team `pay` does not own'],
    )
  })
})
