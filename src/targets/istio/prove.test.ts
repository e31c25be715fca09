/** What workloads of Istio are handed is proven, and whatever is changed about it is found. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { all, payload, test as ask } from '../../core/token.ts'
import { declaredClaims } from '../../identity/claims.ts'
import { filesOf, policyData } from '../../policy/testdata/random.ts'
import { load, NOW } from '../../policy/testdata/world.ts'
import type { CompiledPolicy } from '../../policy/index.ts'
import { runs, untilEnough } from '../../testing/runs.ts'
import type { NativeIssuers, ResourceProof, TargetDocument } from '../target.ts'
import { proveIstio } from './prove.ts'
import { BOTH, compiled, issuerOf, observing, observings, targetOf, toldOnly, wiringOf } from './testing.ts'

/** As the world of policies has them. */
const CLAIMS = {
  entra: { roles: 'list', groups: 'list', department: 'string', oid: 'string', sub: 'string', level: 'number', rank: 'number' },
  ci: { groups: 'list', department: 'string', repository: 'string', sub: 'string', rank: 'string' },
} as const
const issuers: NativeIssuers = new Map(
  (['entra', 'ci'] as const).map((name) => [name, [issuerOf(name, { declared: declaredClaims({}, CLAIMS[name]) })]]),
)
const config = targetOf(BOTH)
const alone = targetOf({ addresses: 'source' })

function proofs(
  policy: CompiledPolicy,
  documents: readonly TargetDocument[],
  target = config,
  known = issuers,
  now = NOW,
): readonly ResourceProof[] {
  const input = { name: 'mesh', config: target, wiring: wiringOf(), policy, issuers: known, keys: undefined, revision: 'a'.repeat(64) }
  return proveIstio(input, documents, now)
}

/** Everything but what is only narrower. */
function linesOf(all: readonly ResourceProof[]): readonly string[] {
  return all.flatMap(({ resource, counterexamples, problems, notProven }) => [
    ...counterexamples
      .filter(({ direction }) => direction === 'wider')
      .map(({ actions, issuer, who }) => `${resource}: wider ${actions} ${String(issuer)} ${who.join(', ')}`),
    ...problems.map((one) => `${resource}: ${one}`),
    ...notProven.map((why) => `${resource}: not proven: ${why}`),
  ])
}

test('it is proven never to let in more, whatever the policy', async () => {
  const told = { proven: 0, observed: 0, comparisons: 0 }
  await untilEnough(
    () =>
      fc.assert(
        fc.property(policyData.map(toldOnly), observings, (plain, which) => {
          const { data, more } = observing(plain, which)
          const { policy } = load(filesOf(data), more)
          fc.pre(policy !== undefined)
          const { documents } = compiled(policy, alone, { issuers })
          if (documents.length === 0) return
          const all = proofs(policy, documents, alone, issuers, more.now)
          if (which.resources && !which.ended) told.observed += all.length
          told.proven += all.length
          told.comparisons += all.reduce((sum, { comparisons }) => sum + comparisons, 0)
          assert.deepEqual(linesOf(all), [], JSON.stringify(filesOf(data)))
        }),
        { numRuns: runs(5) },
      ),
    () => told.proven > 3 && told.observed > 2 && told.comparisons > 100,
    () => told,
  )
})

interface Rule {
  to: { operation: Record<string, string[]> }[]
  when?: { key: string; values?: string[]; notValues?: string[] }[]
}
interface Document {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly spec: { action?: string; rules?: Rule[]; jwtRules?: Record<string, unknown>[] }
}

describe('a change is found', () => {
  const { policy, diagnostics } = load(`roles:
  admin: { bind: [{ issuer: entra, claim: groups, any: [admins] }] }
  guest: { bind: [{ issuer: entra, claim: groups, any: [guests] }] }
rules:
  - { id: read, role: admin, resource: [orders, wiki], actions: ["GET /a/{id}", "GET /files/**"] }
  - { id: write, role: admin, resource: orders, actions: ["POST /a"] }
  - { id: health, role: everyone, resource: orders, actions: [GET /healthz] }
guardrails:
  - { id: closed, for: [guest], resource: orders, deny: ["GET /files/**"] }
  - { id: hidden, for: [everyone], resource: orders, deny: ["GET /files/private/**"] }
`)
  assert.ok(policy !== undefined, JSON.stringify(diagnostics))
  const { documents, diagnostics: refused } = compiled(policy, config, { issuers })
  assert.deepEqual(refused, [])
  const changed = (change: (all: Document[]) => void): string => {
    const copy = JSON.parse(JSON.stringify(documents)) as Document[]
    change(copy)
    return linesOf(proofs(policy, copy as unknown as readonly TargetDocument[])).join('\n')
  }
  /** Rules of every policy whose name begins so. */
  const rulesOf = (all: Document[], name: string): Rule[] => {
    const found = all.filter((one) => one.metadata.name.startsWith(`ostiary-${name}`)).flatMap(({ spec }) => spec.rules ?? [])
    assert.ok(found.length > 0, all.map((one) => one.metadata.name).join(', '))
    return found
  }
  const each = (all: Document[], name: string, change: (rule: Rule) => void): void => rulesOf(all, name).forEach(change)

  test('nothing is, where nothing is changed', () =>
    assert.equal(
      changed(() => undefined),
      '',
    ))

  const mutants: readonly (readonly [what: string, change: (all: Document[]) => void, said: RegExp])[] = [
    [
      'another value',
      (all) =>
        each(all, 'allow-write', ({ when }) =>
          when!.forEach((one) => {
            if (one.values?.[0] === 'admins') one.values = ['users']
          }),
        ),
      /orders: wider POST \/a/,
    ],
    [
      'one more value',
      (all) =>
        each(all, 'allow-write', ({ when }) =>
          when!.forEach((one) => {
            if (one.values?.[0] === 'admins') one.values.push('users')
          }),
        ),
      /orders: wider POST \/a/,
    ],
    [
      'no condition',
      (all) =>
        each(all, 'allow-write', (rule) => {
          delete rule.when
        }),
      /orders: wider POST \/a/,
    ],
    [
      'not the issuer',
      (all) =>
        each(all, 'allow-write', (rule) => {
          rule.when = rule.when!.filter(({ key }) => key !== 'request.auth.claims[iss]')
        }),
      /orders: wider POST \/a/,
    ],
    [
      'one more method',
      (all) => each(all, 'allow-write', ({ to }) => to.forEach(({ operation }) => operation['methods']!.push('DELETE'))),
      /orders: wider DELETE \/a/,
    ],
    [
      'every method',
      (all) =>
        each(all, 'allow-write', ({ to }) =>
          to.forEach(({ operation }) => {
            delete operation['methods']
          }),
        ),
      /orders: wider/,
    ],
    [
      'one more path',
      (all) => each(all, 'allow-write', ({ to }) => to.forEach(({ operation }) => operation['paths']!.push('/b'))),
      /orders: wider POST \/b/,
    ],
    [
      'a path without a boundary',
      (all) =>
        each(all, 'allow-write', ({ to }) =>
          to.forEach(({ operation }) => {
            operation['paths'] = ['/a*']
          }),
        ),
      /not proven: .*path `\/a\*`/,
    ],
    [
      'what is cut out of paths is not',
      (all) =>
        each(all, 'allow-read', ({ to }) =>
          to.forEach(({ operation }) => {
            delete operation['notPaths']
          }),
        ),
      /^$|orders: wider GET \/files\/private/,
    ],
    [
      'another host',
      (all) =>
        each(all, 'allow-write', ({ to }) =>
          to.forEach(({ operation }) => {
            operation['hosts'] = ['wiki.example']
          }),
        ),
      /wiki: wider POST \/a/,
    ],
    [
      'every host',
      (all) =>
        each(all, 'allow-write', ({ to }) =>
          to.forEach(({ operation }) => {
            delete operation['hosts']
          }),
        ),
      /wiki: wider POST \/a/,
    ],
    [
      'nothing denies by default',
      (all) =>
        void all.splice(
          all.findIndex((one) => one.metadata.name.startsWith('ostiary-allow-nothing')),
          1,
        ),
      /nothing denies by default/,
    ],
    [
      'any audience',
      (all) =>
        all.forEach(({ spec }) =>
          spec.jwtRules?.forEach((rule) => {
            delete rule['audiences']
          }),
        ),
      /are not verified as they must be/,
    ],
    [
      'tokens of the query',
      (all) =>
        all.forEach(({ spec }) =>
          spec.jwtRules?.forEach((rule) => {
            rule['fromParams'] = ['access_token']
          }),
        ),
      /are not verified as they must be/,
    ],
    [
      'tokens of a stranger',
      (all) => all.forEach(({ spec }) => spec.jwtRules?.push({ issuer: 'https://other.example', audiences: ['api'] })),
      /are verified as well/,
    ],
    [
      'an action that is not known',
      (all) =>
        all.forEach(({ spec }) => {
          if (spec.action === 'DENY') spec.action = 'AUDIT'
        }),
      /not proven: .*AUDIT/,
    ],
    [
      'a key that is not known',
      (all) => each(all, 'allow-write', ({ when }) => when!.push({ key: 'request.auth.presenter', values: ['x'] })),
      /not proven: .*presenter/,
    ],
  ]
  for (const [what, change, said] of mutants) test(what, () => assert.match(changed(change), said))

  test('guardrails are cut out and denied: only without both is anything let through', () => {
    const open = (all: Document[]): void =>
      each(all, 'allow-read', (rule) => {
        for (const { operation } of rule.to) delete operation['notPaths']
        rule.when = rule.when!.filter(({ notValues }) => notValues === undefined)
      })
    const undenied = (all: Document[]): void => {
      for (const one of all) if (one.metadata.name.startsWith('ostiary-deny-')) one.spec.rules = []
    }
    assert.equal(changed(undenied), '')
    assert.match(
      changed((all) => [open, undenied].forEach((change) => change(all))),
      /orders: wider GET \/files\/private[^]*|orders: wider GET \/files/,
    )
  })

  test('what a token must say of itself is not asked', () => {
    const version = ask({ is: 'value', path: payload('ver'), type: 'string', values: ['2.0'] })
    const versioned: NativeIssuers = new Map(
      [...issuers].map(([name, forms]) => [
        name,
        'refused' in forms ? forms : forms.map((one) => ({ ...one, credential: all(one.credential, version) })),
      ]),
    )
    const made = compiled(policy, config, { issuers: versioned }).documents
    assert.deepEqual(linesOf(proofs(policy, made, config, versioned)), [])
    const copy = JSON.parse(JSON.stringify(made)) as Document[]
    each(copy, 'allow-write', (rule) => {
      rule.when = rule.when!.filter(({ key }) => key !== 'request.auth.claims[ver]')
    })
    const found = linesOf(proofs(policy, copy as unknown as readonly TargetDocument[], config, versioned)).join('\n')
    assert.match(found, /orders: of tokens of `entra`, `ver` is not asked/)
  })
})
