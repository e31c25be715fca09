/** The native form of a policy against the engine, over random policies, callers and requests. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { NativeIssuer, NativeNetwork } from '../../core/token.ts'
import { contains, parseAddress, parseNetwork } from '../when/cidr.ts'
import type { Identity } from '../../core/principal.ts'
import { runs, untilEnough } from '../../testing/runs.ts'
import { action, filesOf, identity, policyData } from '../testdata/random.ts'
import { load, NOW, OBSERVING, someone } from '../testdata/world.ts'
import { issuers, tokenOf } from '../testdata/native.ts'
import { decideNative } from './decide.ts'
import { compileNative } from './compile.ts'

const isInOf =
  (ip: string) =>
  (networks: readonly NativeNetwork[]): boolean =>
    networks.some(({ address, bits }) => contains(parseNetwork(`${address}/${bits}`)!, parseAddress(ip)!))

const noPattern = (): boolean => assert.fail('no pattern is asked for')

describe('a policy in its native form', () => {
  test('allows what the engine allows, and denies what it denies', async () => {
    const told = { allowed: 0, denied: 0, observed: 0, native: 0, refused: 0 }
    await untilEnough(
      () =>
        fc.assert(
          fc.property(
            policyData,
            fc.array(fc.tuple(fc.option(identity, { freq: 6 }), action, fc.constantFrom(NOW, NOW + 2000)), {
              minLength: 30,
              maxLength: 30,
            }),
            fc.boolean(),
            (data, requests, isObserved) => {
              const { policy } = load(filesOf(data), isObserved ? { wiring: OBSERVING } : {})
              fc.pre(policy !== undefined)
              for (const resource of ['orders', 'wiki']) {
                const { native, refused } = compileNative({ model: policy.model, resource, issuers })
                if (refused.length > 0) {
                  told.refused++
                  continue
                }
                told.native++
                for (const [index, [caller, asked, time]] of requests.entries()) {
                  const ip = index % 2 === 0 ? '10.0.0.1' : '192.0.2.1'
                  if (asked.method !== asked.method.toUpperCase()) continue
                  // Chains are not let in, and everything can be told of a token that is.
                  const who = caller === null ? undefined : { ...caller, actor: undefined, unknownClaims: new Set<string>() }
                  if (who !== undefined && !native.issuers.some(({ name }) => name === who.issuer)) continue
                  const decision = policy.decide(who === undefined ? policy.anonymous : policy.bind(who), asked, resource, {
                    time,
                    ip,
                  })
                  const token = who && tokenOf(who)
                  const made = decideNative(native, { method: asked.method, path: asked.path, token, isIn: isInOf(ip), time }, noPattern)
                  const context = (): string =>
                    JSON.stringify([data, resource, token, asked, decision, made], (_, value: unknown) =>
                      value instanceof Set ? [...(value as Set<unknown>)] : value,
                    )
                  assert.equal(made.allowed, decision.effect === 'allow', made.allowed === (decision.effect === 'allow') ? '' : context())
                  assert.equal(made.wouldBeAllowed, (decision.observed?.effect ?? decision.effect) === 'allow', context())
                  if (decision.reasons[0]?.code === 'observed') told.observed++
                  else if (made.allowed) {
                    told.allowed++
                    assert.deepEqual(made.rules, decision.rules)
                  } else told.denied++
                }
              }
            },
          ),
          { numRuns: runs(60) },
        ),
      () => told.allowed > 100 && told.denied > 100 && told.observed > 100 && told.native > 50 && told.refused > 20,
      () => told,
    )
  })

  const roles = 'roles: { r: { bind: [{ issuer: ci, claim: groups, any: [a] }] } }\n'
  const refusals: readonly (readonly [string, string, RegExp])[] = [
    ['a peer', `rules: [{ id: x, role: r, resource: orders, actions: [GET /a], peer: r }]`, /`peer:`/],
    [
      'a parameter',
      `rules: [{ id: x, role: r, resource: orders, actions: ["GET /{p}"], when: 'params.p == claims.sub' }]`,
      /compares two things|params/,
    ],
    [
      'a mask',
      `rules: [{ id: y, role: r, resource: orders, actions: [GET /a] }]\nguardrails: [{ id: x, for: [r], resource: orders, actions: [GET /a], mask: { $.a: drop } }]`,
      /`mask:`/,
    ],
    [
      'a limit',
      `rules: [{ id: y, role: r, resource: orders, actions: [GET /a] }]\nguardrails: [{ id: x, for: [r], resource: orders, actions: [GET /a], limit: { requests: 1, in: 1m } }]`,
      /`limit:`/,
    ],
    [
      'a strict record',
      `rules: [{ id: y, role: r, resource: orders, actions: [GET /a] }]\nguardrails: [{ id: x, for: [r], resource: orders, actions: [GET /a], record: strict }]`,
      /strict/,
    ],
    [
      'a justification',
      `rules: [{ id: y, role: r, resource: orders, actions: [GET /a] }]\nguardrails: [{ id: x, for: [r], resource: orders, actions: [GET /a], require: { justification: true } }]`,
      /justification/,
    ],
  ]
  for (const [what, written, why] of refusals)
    test(`${what} is refused, with the statement that asks for it`, () => {
      const { policy, diagnostics } = load(`${roles}${written}\n`)
      assert.ok(policy !== undefined, JSON.stringify(diagnostics))
      const { refused } = compileNative({ model: policy.model, resource: 'orders', issuers })
      assert.deepEqual(
        refused.map(({ id }) => id),
        ['x'],
      )
      assert.match(refused[0]!.why, why)
    })

  test('a claim that the issuer derives is neither there nor not there, and so refused', () => {
    const [ci] = issuers.get('ci') as readonly NativeIssuer[]
    const { sub: _, ...claims } = ci!.claims
    const deriving = new Map(issuers).set('ci', [{ ...ci!, claims, derived: ['sub'] }])
    const { policy, diagnostics } = load(
      `${roles}rules:
  - { id: x, role: r, resource: orders, actions: [GET /a] }
  - { id: y, role: r, resource: orders, actions: [GET /a], when: '!has(claims.sub)' }
guardrails: [{ id: z, for: [r], resource: orders, deny: [GET /b], when: 'claims.sub == "a"' }]
`,
    )
    assert.ok(policy !== undefined, JSON.stringify(diagnostics))
    assert.deepEqual(
      compileNative({ model: policy.model, resource: 'orders', issuers: deriving }).refused.map(({ id, why }) => [id, why]),
      ['y', 'z'].map((id) => [id, 'claim `sub` of issuer `ci` is not in its tokens as such']),
    )
  })

  test('a guardrail for whoever is authenticated is refused where a role can be activated', () => {
    const guarded = (binding: string): readonly string[] => {
      const { policy, diagnostics } = load(
        `roles: { r: { bind: [{ issuer: ci, claim: groups, any: [a] }] }, s: { ${binding}: [{ issuer: ci, claim: groups, any: [b] }] } }
rules: [{ id: x, role: r, resource: orders, actions: [GET /a] }]
guardrails: [{ id: y, for: [authenticated], resource: orders, deny: [GET /b] }]
`,
      )
      assert.ok(policy !== undefined, JSON.stringify(diagnostics))
      return compileNative({ model: policy.model, resource: 'orders', issuers }).refused.map(({ id, why }) => `${id}: ${why}`)
    }
    assert.deepEqual(guarded('bind'), [])
    assert.deepEqual(guarded('eligible'), ['y: role `authenticated` can be activated, which a token does not show'])
  })

  test('an issuer whose tokens nobody else can verify is told of, unless its principals may not come', () => {
    const { policy } = load(`${roles}rules: [{ id: x, role: r, resource: orders, actions: [GET /a] }]\n`)
    const refusing = new Map<string, readonly NativeIssuer[] | { readonly refused: string }>([
      ...issuers,
      ['ci', { refused: 'has no form' }],
    ])
    assert.deepEqual(
      compileNative({ model: policy!.model, resource: 'orders', issuers: refusing }).refused.map(({ why }) => why),
      ['issuer `ci` has no form'],
    )
    assert.deepEqual(compileNative({ model: policy!.model, resource: 'wiki', issuers: refusing }).refused, [])
  })

  test('a caller without a token is none of any issuer', () => {
    const { policy } = load(
      `${roles}rules: [{ id: x, role: everyone, resource: orders, actions: [GET /a] }, { id: y, role: authenticated, resource: orders, actions: [GET /b] }]\n`,
    )
    const { native } = compileNative({ model: policy!.model, resource: 'orders', issuers })
    const at = (path: string, token: Identity | undefined) =>
      decideNative(native, { method: 'GET', path, token: token && tokenOf(token), isIn: isInOf('192.0.2.1'), time: NOW }, noPattern).allowed
    assert.deepEqual([at('/a', undefined), at('/b', undefined), at('/a', someone()), at('/b', someone())], [true, false, true, true])
  })
})
