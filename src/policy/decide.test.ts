import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { Decision, Obligation, Requirement } from '../core/decision.ts'
import type { Identity, Principal } from '../core/principal.ts'
import { runs, untilEnough } from '../testing/runs.ts'
import type { CompiledPolicy } from './index.ts'
import { unite } from './obligations.ts'
import {
  action,
  anotherGuardrail,
  anotherRule,
  context,
  filesOf,
  identity,
  maybeIdentity,
  policyData,
  resourceName,
  type PolicyData,
} from './testdata/random.ts'
import { act, load, NOW, someone } from './testdata/world.ts'

const RUNS = { numRuns: runs(40) }
const AT = { time: NOW, ip: '10.0.0.1' }

function policyOf(text: string | PolicyData): CompiledPolicy {
  const { policy, diagnostics } = load(typeof text === 'string' ? text : filesOf(text))
  assert.deepEqual(diagnostics, [])
  return policy!
}

function ask(policy: CompiledPolicy, who: Identity | undefined, does: string, on = 'orders', at = AT): Decision {
  return policy.decide(who === undefined ? policy.anonymous : policy.bind(who), act(does), on, at)
}

/** Effect and reasons in short: `deny guardrail:no-delete`. */
function short({ effect, reasons }: Decision): string {
  return [effect, ...reasons.map(({ code, id, role }) => [code, id, role].filter(Boolean).join(':'))].join(' ')
}

const ROLES = `roles:
  reader: { bind: [{ issuer: entra, claim: roles, any: [R] }] }
  writer: { bind: [{ issuer: entra, claim: roles, any: [W] }] }
  contractor: { bind: [{ issuer: entra, claim: groups, any: [C] }] }
`
const reader = someone({ claims: { roles: ['R'], groups: [] } })
const writer = someone({ claims: { roles: ['W'], groups: [] } })
const both = someone({ claims: { roles: ['R', 'W'], groups: [] } })

describe('what is decided, and why', () => {
  const policy = policyOf(`${ROLES}
rules:
  - { id: read, role: [reader, writer], resource: [orders, wiki], actions: ['GET /orders/**'] }
  - { id: read-too, role: reader, resource: orders, actions: ['GET /orders/{id}'] }
  - { id: write, role: writer, resource: orders, actions: ['* /orders/{id}'] }
  - { id: mine, role: authenticated, resource: orders, actions: ['GET /mine/{who}'], when: params.who == claims.sub }
  - { id: grouped, role: contractor, resource: orders, actions: [GET /grouped] }
  - { id: health, role: everyone, resource: [orders, wiki], actions: [GET /healthz] }
guardrails:
  - { id: no-delete, deny: ['DELETE /**'], resource: orders, for: [contractor] }
  - { id: no-patch, deny: ['PATCH /**'], resource: orders, allBut: [contractor] }
  - { id: no-put, deny: ['PUT /**'], resource: orders, allBut: [contractor, reader], when: claims.level > 3.0 }
`)
  const overage = someone({ claims: { roles: ['W'] }, unknownClaims: new Set(['groups']) })
  const contractor = someone({ claims: { roles: ['W'], groups: ['C'] } })
  const cases: readonly (readonly [string, Identity | undefined, string, string])[] = [
    ['an action that nothing covers', reader, 'GET /elsewhere', 'deny no-rule'],
    ['one rule grants', writer, 'GET /orders/', 'allow granted:read:writer'],
    ['several rules grant, all are told', both, 'GET /orders/7', 'allow granted:read:reader granted:read-too:reader granted:write:writer'],
    ['GET implies HEAD', reader, 'HEAD /orders/7', 'allow granted:read:reader granted:read-too:reader'],
    ['a role that is not held', reader, 'POST /orders/7', 'deny role-not-held:write:writer'],
    [
      'no credential, closed',
      undefined,
      'GET /orders/7',
      'deny role-not-held:read:reader role-not-held:read-too:reader role-not-held:write:writer',
    ],
    ['no credential, open', undefined, 'GET /healthz', 'allow granted:health:everyone'],
    ['a role that can not be told grants nothing', overage, 'GET /grouped', 'deny role-unknown:grouped:contractor'],
    ['a guardrail that applies', contractor, 'DELETE /orders/7', 'deny guardrail:no-delete:contractor'],
    ['a guardrail whose role is not held', writer, 'DELETE /orders/7', 'allow granted:write:writer'],
    ['a guardrail whose role can not be told', overage, 'DELETE /orders/7', 'deny guardrail-unknown:no-delete:contractor'],
    ['all but: not exempt', writer, 'PATCH /orders/7', 'deny guardrail:no-patch'],
    ['all but: exempt', contractor, 'PATCH /orders/7', 'allow granted:write:writer'],
    ['all but: an exemption that can not be told is none', overage, 'PATCH /orders/7', 'deny guardrail-unknown:no-patch:contractor'],
    ['a guardrail and nothing that grants', reader, 'PATCH /orders/7', 'deny guardrail:no-patch role-not-held:write:writer'],
    [
      'a guardrail whose condition is false',
      someone({ claims: { roles: ['W'], groups: [], level: 1 } }),
      'PUT /orders/7',
      'allow granted:write:writer',
    ],
    [
      'a guardrail whose condition is true',
      someone({ claims: { roles: ['W'], groups: [], level: 4 } }),
      'PUT /orders/7',
      'deny guardrail:no-put',
    ],
    ['a guardrail whose condition fails counts as applying', writer, 'PUT /orders/7', 'deny guardrail-error:no-put'],
    [
      'a claim of the wrong type is an error too',
      someone({ claims: { roles: ['W'], groups: [], level: 'high' } }),
      'PUT /orders/7',
      'deny guardrail-error:no-put',
    ],
    ['a condition that is true', someone({ claims: { sub: 'me' } }), 'GET /mine/me', 'allow granted:mine:authenticated'],
    ['a condition that is false', someone({ claims: { sub: 'me' } }), 'GET /mine/you', 'deny condition-false:mine:authenticated'],
    ['a parameter is decoded', someone({ claims: { sub: 'a b' } }), 'GET /mine/a%20b', 'allow granted:mine:authenticated'],
    [
      'a parameter that is no UTF-8 is an error',
      someone({ claims: { sub: 'me' } }),
      'GET /mine/%FF',
      'deny condition-error:mine:authenticated',
    ],
    ['a condition whose claim is missing never grants', reader, 'GET /mine/me', 'deny condition-error:mine:authenticated'],
    ['a path that is not canonical', both, 'GET /orders/../orders/7', 'deny no-rule'],
  ]
  for (const [name, who, does, expected] of cases) test(name, () => assert.equal(short(ask(policy, who, does)), expected))
  test('methods are case-sensitive', () => assert.equal(ask(policy, reader, 'get /orders/7').effect, 'deny'))
  test('`rule` is the least granting id', () => assert.equal(ask(policy, both, 'GET /orders/7').rule, 'read'))
  test('an unknown resource', () => assert.equal(short(ask(policy, both, 'GET /orders/7', 'nowhere')), 'deny unknown-resource'))
  test('a resource that is a word of JavaScript', () =>
    assert.equal(short(ask(policy, both, 'GET /orders/7', 'constructor')), 'deny unknown-resource'))
  test('an issuer that the resource does not accept, open or not', () => {
    const pipeline = someone({ issuer: 'ci' })
    assert.equal(short(ask(policy, pipeline, 'GET /healthz', 'wiki')), 'deny issuer:ci')
    assert.equal(ask(policy, pipeline, 'GET /healthz').effect, 'allow')
    assert.equal(ask(policy, undefined, 'GET /healthz', 'wiki').effect, 'allow')
  })
  test('every decision names the version', () => assert.equal(ask(policy, reader, 'GET /x').policyVersion, policy.version))
})

describe('scopes only cap', () => {
  const policy = policyOf(`${ROLES}
rules:
  - { id: all, role: writer, resource: [orders, wiki], actions: ['* /**'] }
`)
  const withScopes = (...scopes: string[]): Identity => ({ ...writer, scopes })
  test('inside', () => assert.equal(ask(policy, withScopes('Wiki.Read'), 'GET /pages/1', 'wiki').effect, 'allow'))
  test('outside', () => assert.equal(short(ask(policy, withScopes('Wiki.Read'), 'PUT /pages/1', 'wiki')), 'deny scope'))
  test('the union', () => assert.equal(ask(policy, withScopes('Wiki.Read', 'Wiki.Write'), 'PUT /pages/1', 'wiki').effect, 'allow'))
  test('none at all', () => assert.equal(short(ask(policy, withScopes(), 'GET /pages/1', 'wiki')), 'deny scope'))
  test('they grant nothing', () =>
    assert.equal(short(ask(policy, { ...reader, scopes: ['Wiki.Read'] }, 'GET /a', 'wiki')), 'deny role-not-held:all:writer'))
  test('a token without the notion', () => assert.equal(ask(policy, writer, 'PUT /x', 'wiki').effect, 'allow'))
  test('a resource without them', () => assert.equal(ask(policy, withScopes(), 'PUT /x').effect, 'allow'))
})

describe('acting for', () => {
  const policy = policyOf(`${ROLES}
rules:
  - { id: read, role: [reader, writer], resource: orders, actions: ['GET /**'] }
  - { id: write, role: writer, resource: orders, actions: ['POST /**'] }
guardrails:
  - { id: all-but, deny: ['GET /secret'], resource: orders, allBut: [contractor] }
`)
  const acting = (one: Identity, ...actors: Identity[]): Identity => ({
    ...one,
    actor: actors.length === 0 ? undefined : acting(actors[0]!, ...actors.slice(1)),
  })
  const agent = { ...reader, subject: 'agent', kind: 'agent' as const }
  test('both may', () => assert.equal(short(ask(policy, acting(writer, agent), 'GET /x')), 'allow granted:read:writer'))
  test('the one who acts may not', () =>
    assert.equal(short(ask(policy, acting(writer, agent), 'POST /x')), 'deny party:entra/agent role-not-held:write:writer'))
  test('the one acted for may not', () =>
    assert.equal(short(ask(policy, acting(reader, { ...writer, subject: 'agent' }), 'POST /x')), 'deny role-not-held:write:writer'))
  test('an exemption counts only if all have it', () => {
    const exempt = someone({ claims: { roles: ['R'], groups: ['C'] } })
    assert.equal(ask(policy, acting(exempt, exempt), 'GET /secret').effect, 'allow')
    assert.equal(short(ask(policy, acting(exempt, agent), 'GET /secret')), 'deny party:entra/agent guardrail:all-but')
  })
  test('four parties may, five may not', () => {
    assert.equal(ask(policy, acting(writer, writer, writer, writer), 'POST /x').effect, 'allow')
    assert.equal(
      short(ask(policy, acting(writer, writer, writer, writer, { ...writer, subject: 'fifth' }), 'POST /x')),
      'deny party:entra/fifth',
    )
  })
})

describe('roles that include others', () => {
  const policy = policyOf(`roles:
  reader: {}
  publisher: { includes: [reader] }
  admin: { includes: [publisher], bind: [{ issuer: entra, claim: roles, any: [A] }] }
  member: { includes: [reader], bind: [{ issuer: entra, claim: groups, any: [M] }] }
rules:
  - { id: read, role: reader, resource: orders, actions: [GET /a, GET /b, GET /c] }
  - { id: publish, role: publisher, resource: orders, actions: [POST /a] }
guardrails:
  - { id: not-by-readers, deny: [GET /b], resource: orders, for: [reader] }
  - { id: only-publishers, deny: [GET /c], resource: orders, allBut: [publisher] }
`)
  const admin = someone({ claims: { roles: ['A'], groups: [] } })
  const member = someone({ claims: { groups: ['M'] } })
  const unsure = someone({ claims: {}, unknownClaims: new Set(['groups']) })
  test('who holds one holds the others, over several steps', () => {
    assert.deepEqual(policy.bind(admin).roles, ['admin', 'authenticated', 'everyone', 'publisher', 'reader'])
    assert.equal(short(ask(policy, admin, 'POST /a')), 'allow granted:publish:publisher')
    assert.equal(short(ask(policy, member, 'GET /a')), 'allow granted:read:reader')
    assert.equal(ask(policy, member, 'POST /a').effect, 'deny')
  })
  test('guardrails meet whoever holds the role, in whatever way', () => {
    assert.equal(short(ask(policy, admin, 'GET /b')), 'deny guardrail:not-by-readers:reader')
    assert.equal(ask(policy, admin, 'GET /c').effect, 'allow')
    assert.equal(ask(policy, member, 'GET /c').effect, 'deny')
  })
  test('what can not be told of the one can not be told of the others', () => {
    assert.deepEqual(policy.bind(unsure).unknownRoles, ['member', 'reader'])
    assert.equal(short(ask(policy, unsure, 'GET /a')), 'deny role-unknown:read:reader')
  })
  test('the explanation says by which', () => {
    const { parties, wouldHelp } = policy.explain(policy.bind(admin), act('GET /a'), 'orders', AT)
    assert.equal(parties[0]!.roles.find(({ role }) => role === 'reader')!.via, 'admin')
    assert.deepEqual(wouldHelp, [])
    const help = policy.explain(policy.bind(someone()), act('POST /a'), 'orders', AT).wouldHelp
    assert.deepEqual(help, [
      'hold role `publisher`: claim `roles` of issuer `entra` containing `A`, which gives role `admin` and so this one',
    ])
  })
})

const strictness = (effect: Decision['effect']): number => ['allow', 'needs-approval', 'challenge', 'deny'].indexOf(effect)

describe('what has to be proven first', () => {
  const policy = policyOf(`${ROLES}  builder: { bind: [{ issuer: ci, claim: repository, any: [acme/orders], kind: workload }] }
rules:
  - { id: read, role: reader, resource: orders, actions: ['GET /**'] }
  - { id: builds, role: builder, resource: orders, actions: ['GET /**'] }
  - { id: health, role: everyone, resource: orders, actions: [GET /healthz] }
guardrails:
  - { id: strong, require: { mfa: true }, actions: ['GET /secret/**', GET /healthz], resource: orders, allBut: [contractor] }
  - { id: context, require: { authContext: c1 }, actions: [GET /secret/plans], resource: orders, for: [everyone] }
  - { id: closed, deny: [GET /secret/closed], resource: orders, for: [reader] }
`)
  const proven = someone({ claims: { roles: ['R'], department: 'a' } })
  test('until it is, the answer is a challenge that says what would', () => {
    const decision = ask(policy, reader, 'GET /secret/x')
    assert.equal(short(decision), 'challenge requirement:strong')
    assert.deepEqual([decision.rule, decision.rules], ['read', ['read']])
    assert.deepEqual(decision.requirements, [{ kind: 'mfa', name: '', proof: { claim: 'department', values: ['a'] } }])
    assert.equal(short(ask(policy, proven, 'GET /secret/x')), 'allow granted:read:reader')
    assert.equal(ask(policy, proven, 'GET /secret/x').requirements, undefined)
  })
  test('all of it is asked for at once', () => {
    const decision = ask(policy, reader, 'GET /secret/plans')
    assert.equal(short(decision), 'challenge requirement:context:everyone requirement:strong')
    assert.deepEqual(
      decision.requirements?.map(({ kind, name }) => [kind, name]),
      [
        ['auth-context', 'c1'],
        ['mfa', ''],
      ],
    )
    assert.deepEqual(
      ask(policy, proven, 'GET /secret/plans').requirements?.map(({ kind }) => kind),
      ['auth-context'],
    )
    const both = someone({ claims: { roles: ['R'], department: 'a', groups: ['c'] } })
    assert.equal(ask(policy, both, 'GET /secret/plans').effect, 'allow')
  })
  test('nothing is asked of whom it would not help', () => {
    assert.equal(short(ask(policy, reader, 'GET /secret/closed')), 'deny guardrail:closed:reader')
    assert.equal(short(ask(policy, someone(), 'GET /secret/x')), 'deny role-not-held:builds:builder role-not-held:read:reader')
    assert.equal(ask(policy, someone({ claims: { roles: ['R'], groups: ['C'] } }), 'GET /secret/x').effect, 'allow')
  })
  test('an issuer that says never is told that it can not', () => {
    const build = someone({ issuer: 'ci', kind: 'workload', claims: { repository: 'acme/orders' } })
    assert.deepEqual(ask(policy, build, 'GET /secret/x').requirements, [{ kind: 'mfa', name: '', proof: undefined }])
  })
  test('what can not be told, or is of another type, proves nothing', () => {
    const unsure = { ...proven, unknownClaims: new Set(['groups']), claims: { ...proven.claims, groups: ['c'] } }
    assert.equal(ask(policy, unsure, 'GET /secret/plans').effect, 'challenge')
    for (const department of [true, 1, ['b'], 'A', ''])
      assert.equal(ask(policy, someone({ claims: { roles: ['R'], department } }), 'GET /secret/x').effect, 'challenge', String(department))
  })
  test('who shows nothing is asked as well, and so is who acts for somebody', () => {
    const nobody = policy.decide(policy.anonymous, act('GET /healthz'), 'orders', AT)
    assert.deepEqual(nobody.requirements, [{ kind: 'mfa', name: '', proof: undefined }])
    const chain = ask(policy, { ...proven, actor: { ...reader, subject: 'agent' } }, 'GET /secret/x')
    assert.equal(short(chain), 'challenge party:entra/agent requirement:strong')
    assert.deepEqual(chain.requirements, [{ kind: 'mfa', name: '', proof: undefined }])
  })
})

describe('properties', () => {
  const request = fc.record({ who: maybeIdentity, action, resource: resourceName, context })
  const decided = (
    policy: CompiledPolicy,
    { who, action: does, resource, context: at }: typeof request extends fc.Arbitrary<infer T> ? T : never,
  ): Decision => policy.decide(who === undefined ? policy.anonymous : policy.bind(who), does, resource, at)

  const [all, watched] = [{ actions: ['* /**'] }, { mode: 'observe', until: new Date(NOW + 1000).toISOString() }]
  const wideEffect = fc.constantFrom<object | undefined>(
    undefined,
    { require: { mfa: true }, ...all },
    { require: { approval: { from: ['r0'] } }, ...all },
    { mask: { '$..a': 'hash' }, limit: { requests: 1, in: '1s' }, record: 'strict', ...all },
    { limit: { requests: 1, in: '1s' }, require: { network: ['10.0.0.0/8'] }, ...all, ...watched },
    { deny: ['* /**'], ...watched },
  )

  test('the explanation, which scans, says what the index decides', async () => {
    let allowed = 0
    let challenged = 0
    let unapproved = 0
    let observed = 0
    let obliged = 0
    const met = (): Record<string, number> => ({ allowed, challenged, unapproved, observed, obliged })
    await untilEnough(
      () =>
        fc.assert(
          fc.property(policyData, wideEffect, fc.array(request, { minLength: 5, maxLength: 5 }), (data, does, requests) => {
            // A guardrail over everything is met as often as what it guards.
            const wide = { id: 'wide', ...does, resource: ['orders', 'wiki'], allBut: ['r3'] }
            const policy = policyOf(does === undefined ? data : { ...data, guardrails: [...data.guardrails, wide] })
            for (const one of requests) {
              const decision = decided(policy, one)
              const explanation = policy.explain(
                one.who === undefined ? policy.anonymous : policy.bind(one.who),
                one.action,
                one.resource,
                one.context,
              )
              assert.equal(explanation.effect, decision.effect)
              if (decision.effect === 'allow') allowed++
              const would = decision.observed?.effect
              assert.equal(explanation.observed, would === decision.effect ? undefined : would)
              if (would !== undefined) observed++
              if (decision.effect === 'allow' && decision.reasons[0]?.code !== 'observed') {
                const asked = explanation.parties.flatMap((party) =>
                  party.guardrails.flatMap((all) =>
                    all.obligations.flatMap((duty): Obligation[] =>
                      !all.observed ? [duty] : duty.kind === 'limit' ? [{ ...duty, observed: true }] : [],
                    ),
                  ),
                )
                obliged += decision.obligations.length
                assert.deepEqual(decision.obligations, unite(asked))
              }
              // Where parties are looked at at all, what grants and what denies is the same too.
              assert.deepEqual(explanation.rules, decision.rules)
              if (one.who?.actor !== undefined) continue
              const bearing = explanation.parties[0]!.guardrails.filter(({ bears }) => bears)
              const told = (starting: string) => decision.reasons.filter(({ code }) => code.startsWith(starting)).map(({ id }) => id)
              const of = (effect: Decision['effect']) => bearing.flatMap((all) => (all.effect === effect ? [all.id] : [])).toSorted()
              if (decision.reasons[0]?.code === 'observed') continue
              assert.deepEqual(of('deny'), told('guardrail'))
              if (decision.effect !== 'allow') assert.notEqual(explanation.wouldHelp.length, 0)
              if (decision.effect === 'needs-approval') {
                unapproved++
                assert.deepEqual(of('needs-approval'), told('approval'))
                assert.deepEqual(
                  decision.approvals,
                  bearing.flatMap(({ approval }) => (approval === undefined ? [] : [approval])).toSorted((a, b) => (a.id < b.id ? -1 : 1)),
                )
              }
              if (decision.effect !== 'challenge') continue
              challenged++
              assert.deepEqual(of('challenge'), told('requirement'))
              const unmet = new Map(bearing.flatMap((all) => all.unmet).map((need) => [need.kind + need.name, need]))
              const byName = (needs: Iterable<Requirement>) => [...needs].toSorted((a, b) => (a.kind + a.name < b.kind + b.name ? -1 : 1))
              assert.deepEqual(byName(unmet.values()), byName(decision.requirements!))
            }
          }),
          { numRuns: runs(80) },
        ),
      () => Object.values(met()).every((count) => count > 5),
      () => met(),
    )
  })

  test('nothing depends on the order or number of files, nor on that of what is in them', () => {
    fc.assert(
      fc.property(policyData, request, fc.infiniteStream(fc.nat()), (data, one, numbers) => {
        const shuffled = <T>(items: readonly T[]): T[] =>
          items
            .map((item) => [numbers.next().value!, item] as const)
            .toSorted((a, b) => a[0] - b[0])
            .map(([, item]) => item)
        const version = { apiVersion: 'ostiary.dev/v1' }
        const other = [
          ...data.rules.map((rule) => ({ ...version, rules: [{ ...rule, actions: shuffled(rule['actions'] as string[]) }] })),
          ...data.guardrails.map((guardrail) => ({ ...version, guardrails: [guardrail] })),
          ...Object.entries(data.roles).map(([name, { bind, eligible, includes }]) => ({
            ...version,
            roles: { [name]: { bind: shuffled(bind), eligible: shuffled(eligible), includes: shuffled(includes) } },
          })),
        ]
        const files = shuffled(other.map((file, i) => ({ path: `policy/${i}.yaml`, text: JSON.stringify(file) })))
        const loaded = load(files)
        assert.deepEqual(loaded.diagnostics, [])
        const { policyVersion: _, ...a } = decided(policyOf(data), one)
        const { policyVersion: __, ...b } = decided(loaded.policy!, one)
        assert.deepEqual(a, b)
        assert.equal(load(files.toReversed()).policy!.version, loaded.policy!.version)
      }),
      RUNS,
    )
  })

  test('a further rule never takes away, a further guardrail never gives', () => {
    fc.assert(
      fc.property(policyData, anotherRule, anotherGuardrail, request, (data, rule, guardrail, one) => {
        const before = decided(policyOf(data), one).effect
        // A further rule may open what a guardrail denied to some, which is refused at load: not here, it is never for everyone.
        const withRule = decided(policyOf({ ...data, rules: [...data.rules, rule] }), one).effect
        const withGuardrail = decided(policyOf({ ...data, guardrails: [...data.guardrails, guardrail] }), one).effect
        assert.ok(strictness(withRule) <= strictness(before))
        assert.ok(strictness(withGuardrail) >= strictness(before))
      }),
      RUNS,
    )
  })

  test('what each party of a chain is obliged to, the chain is', async () => {
    let obliged = 0
    await untilEnough(
      () =>
        fc.assert(
          fc.property(policyData, wideEffect, identity, action, resourceName, context, (data, does, who, on, resource, at) => {
            const wide = { id: 'wide', ...does, resource: ['orders', 'wiki'], allBut: ['r3'] }
            const policy = policyOf(does === undefined ? data : { ...data, guardrails: [...data.guardrails, wide] })
            const together = policy.decide(policy.bind(who), on, resource, at)
            if (together.effect === 'deny') assert.deepEqual(together.obligations, [])
            if (together.effect !== 'allow') return
            const each: Obligation[] = []
            for (let one: Identity | undefined = who; one !== undefined; one = one.actor)
              each.push(...policy.decide(policy.bind({ ...one, actor: undefined }), on, resource, at).obligations)
            obliged += each.length
            assert.deepEqual(together.obligations, unite(each))
          }),
          { numRuns: runs(130) },
        ),
      () => obliged > 5,
      () => obliged,
    )
  })

  test('a chain never gets more than its least party', () => {
    fc.assert(
      fc.property(policyData, identity, action, resourceName, context, (data, who, does, resource, at) => {
        const policy = policyOf(data)
        const alone: Decision['effect'][] = []
        for (let one: Identity | undefined = who; one !== undefined; one = one.actor)
          alone.push(policy.decide(policy.bind({ ...one, actor: undefined }), does, resource, at).effect)
        const expected = alone.length <= 4 ? alone.toSorted((a, b) => strictness(b) - strictness(a))[0] : 'deny'
        assert.equal(policy.decide(policy.bind(who), does, resource, at).effect, expected)
      }),
      RUNS,
    )
  })

  test('knowing less never gives more', () => {
    fc.assert(
      fc.property(policyData, identity, action, resourceName, context, (data, who, does, resource, at) => {
        const policy = policyOf(data)
        const { groups: _, ...claims } = who.claims
        const unknown = { ...who, actor: undefined, claims, unknownClaims: new Set(['groups']) }
        const { effect } = policy.decide(policy.bind(unknown), does, resource, at)
        // Whatever the groups turn out to be, no more was given than they are worth.
        for (const groups of [[], ['a'], ['b', 'c'], ['a', 'b', 'c']]) {
          const known = { ...unknown, unknownClaims: new Set<string>(), claims: { ...claims, groups } }
          assert.ok(strictness(policy.decide(policy.bind(known), does, resource, at).effect) <= strictness(effect))
        }
      }),
      RUNS,
    )
  })

  test('roles that somebody else wrote into a principal are not believed', () => {
    const policy = policyOf(`${ROLES}
rules: [{ id: write, role: writer, resource: orders, actions: ['POST /**'] }]`)
    const forged: Principal = { ...policy.bind(reader), roles: ['writer'], policyVersion: policy.version }
    assert.equal(short(policy.decide(forged, act('POST /x'), 'orders', AT)), 'deny role-not-held:write:writer')
    const foreign = policyOf(ROLES.replaceAll('[R]', '[X]').replaceAll('[W]', '[R]')).bind(reader)
    assert.equal(policy.decide(foreign, act('POST /x'), 'orders', AT).effect, 'deny')
    const nobody: Principal = { ...policy.anonymous, roles: ['writer'] }
    assert.equal(policy.decide(nobody, act('POST /x'), 'orders', AT).effect, 'deny')
  })

  test('what the types do not allow is denied, never thrown', () => {
    const policy = policyOf(`${ROLES}
rules: [{ id: open, role: everyone, resource: orders, actions: ['* /**'], when: 'context.time > timestamp("2020-01-01T00:00:00Z")' }]`)
    fc.assert(
      fc.property(fc.anything(), fc.anything(), fc.anything(), (a, b, c) => {
        const { effect } = policy.decide(policy.anonymous, a as never, b as never, c as never)
        assert.equal(effect, 'deny')
      }),
      RUNS,
    )
  })
})
