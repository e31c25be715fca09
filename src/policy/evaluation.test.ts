import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { readEvaluations, type Evaluations } from './evaluation.ts'
import { load, NOW } from './testdata/world.ts'

const { policy } = load(`roles:
  reader: { bind: [{ issuer: entra, claim: roles, any: [R] }] }
  outsider: { bind: [{ issuer: entra, claim: groups, none: [G] }] }
rules:
  - { id: read, role: reader, resource: orders, actions: ['GET /**'] }
  - { id: out, role: outsider, resource: orders, actions: [GET /out] }
`)

const reader = { type: 'user', id: 'tenant/one', properties: { issuer: 'entra', claims: { roles: ['R'] } } }
const get = { name: 'GET', properties: { path: '/orders/7' } }
const orders = { type: 'http', id: 'orders' }
const question = { subject: reader, action: get, resource: orders }

function read(request: unknown, many = false, vouched: readonly string[] = ['entra', 'ci']) {
  const text = typeof request === 'string' ? request : JSON.stringify(request)
  return readEvaluations(text, many, { policy: policy!, now: NOW, vouches: (issuer) => vouched.includes(issuer) })
}
function good(request: unknown, many = false): Evaluations {
  const result = read(request, many)
  assert.ok('questions' in result, JSON.stringify(result))
  return result
}
const problems = (request: unknown, many = false, vouched?: readonly string[]): readonly string[] => {
  const result = read(request, many, vouched)
  return 'questions' in result ? [] : result.map(({ message }) => message)
}

describe('a question', () => {
  test('is read into subject, action, resource and context', () => {
    const { questions, single } = good({ ...question, context: { ip: '10.0.0.1', time: '2026-03-02T12:00:00Z' } })
    const [{ identity, action, resource, context }] = questions as [Evaluations['questions'][number]]
    assert.ok(single)
    assert.deepEqual([identity?.issuer, identity?.subject, identity?.kind], ['entra', 'tenant/one', 'human'])
    assert.deepEqual(action, { protocol: 'http', method: 'GET', path: '/orders/7' })
    assert.deepEqual([resource, context], ['orders', { time: Date.UTC(2026, 2, 2, 12), ip: '10.0.0.1' }])
    assert.deepEqual(good({ ...question, action: { name: 'GET /orders/7' } }).questions[0]!.action, action)
    assert.equal(good({ ...question, subject: { type: 'anonymous', id: '-' } }).questions[0]!.identity, undefined)
  })

  test('leaves unknown, not absent, what a provider may leave open and nobody said', () => {
    const decide = (properties: object) => {
      const { questions } = good({ ...question, subject: { ...reader, properties }, action: { name: 'GET /out' } })
      const [{ identity, action, resource, context }] = questions as [Evaluations['questions'][number]]
      return policy!.decide(policy!.bind(identity!), action, resource, context)
    }
    assert.deepEqual(
      decide({ issuer: 'entra' }).reasons.map(({ code }) => code),
      ['role-unknown', 'role-not-held'],
    )
    assert.equal(decide({ issuer: 'entra', claims: { groups: [] } }).effect, 'allow')
  })

  const wrong: readonly (readonly [string, object, RegExp])[] = [
    ['no subject', { ...question, subject: undefined }, /have to be there/],
    ['an unknown resource', { ...question, resource: { type: 'http', id: 'nowhere' } }, /no resource `nowhere`/],
    ['a resource of another type', { ...question, resource: { type: 'sql', id: 'orders' } }, /of type `sql`/],
    ['a resource called as a word of JavaScript', { ...question, resource: { type: 'http', id: '__proto__' } }, /no resource/],
    ['a pattern for an action', { ...question, action: { name: 'GET', properties: { path: '/**' } } }, /one concrete action/],
    ['a path that is not canonical', { ...question, action: { name: 'GET', properties: { path: '/a/../b' } } }, /not canonical/],
    ['another kind of subject', { ...question, subject: { ...reader, type: 'robot' } }, /one of user, human/],
    ['a subject of nobody', { ...question, subject: { type: 'user', id: 'x' } }, /name its `issuer`/],
    ['an unknown issuer', { ...question, subject: { ...reader, properties: { issuer: 'okta' } } }, /may not vouch.*okta/],
    [
      'an unknown claim',
      { ...question, subject: { ...reader, properties: { issuer: 'entra', claims: { role: ['R'] } } } },
      /unknown claim `role`/,
    ],
    ['a claim of another type', { ...question, subject: { ...reader, properties: { issuer: 'entra', claims: { roles: 'R' } } } }, /roles/],
    ['a time that is none', { ...question, context: { time: 'tomorrow' } }, /RFC 3339/],
    ['an address that is none', { ...question, context: { ip: 'localhost' } }, /not an address/],
    ['a word that is not known', { ...question, extra: 1 }, /unknown key `extra`/],
  ]
  for (const [name, request, pattern] of wrong)
    test(`with ${name} is not answered`, () => {
      const [first, ...others] = problems(request)
      assert.match(first ?? '', pattern)
      assert.deepEqual(others, [])
    })

  test('about subjects that the caller may not vouch for is not answered, nor are those who act for one', () => {
    assert.match(problems(question, false, ['ci'])[0]!, /may not vouch for subjects of issuer `entra`/)
    const actor = { ...question, subject: { ...reader, properties: { ...reader.properties, actor: { issuer: 'ci', subject: 'agent' } } } }
    assert.match(problems(actor, false, ['entra'])[0]!, /issuer `ci`/)
    assert.equal(good(actor).questions[0]!.identity!.actor!.issuer, 'ci')
  })

  test('with a name twice is not answered', () => {
    assert.notDeepEqual(
      problems('{"subject":{"type":"anonymous","id":"a","id":"b"},"action":{"name":"GET /a"},"resource":{"type":"http","id":"orders"}}'),
      [],
    )
  })
})

describe('many questions', () => {
  test('take from the whole what a row does not say, and replace all of what it does', () => {
    const { questions, single, semantic } = good(
      {
        ...question,
        evaluations: [{}, { action: { name: 'POST /a' } }, { subject: { type: 'anonymous', id: '-' } }],
        options: { evaluations_semantic: 'deny_on_first_deny' },
      },
      true,
    )
    assert.deepEqual([single, semantic, questions.length], [false, 'deny_on_first_deny', 3])
    assert.deepEqual(
      questions.map(({ identity, action }) => [identity?.subject, action.protocol === 'http' && action.method]),
      [
        ['tenant/one', 'GET'],
        ['tenant/one', 'POST'],
        [undefined, 'GET'],
      ],
    )
  })
  test('are one where there is none', () => {
    assert.ok(good(question, true).single)
    assert.ok(good({ ...question, evaluations: [] }, true).single)
  })
  test('are refused whole if one is wrong', () => {
    assert.equal(
      problems({ ...question, evaluations: [{}, { action: { name: 'GET' } }, { resource: { type: 'http', id: 'x' } }] }, true).length,
      2,
    )
    assert.match(problems({ ...question, evaluations: [{}] })[0]!, /unknown key/)
  })
})

test('no request makes reading throw', () => {
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      fc.constantFrom('GET', '/a', 'orders', 'http', 'entra', 'user', 'anonymous', '__proto__', ''),
      fc.integer(),
      fc.constant(null),
      fc.array(tie('any'), { maxLength: 3 }),
      fc.dictionary(
        fc.constantFrom(
          'subject',
          'action',
          'resource',
          'context',
          'evaluations',
          'type',
          'id',
          'name',
          'properties',
          'path',
          'issuer',
          'claims',
          '__proto__',
        ),
        tie('any'),
        { maxKeys: 4 },
      ),
    ),
  })).any
  fc.assert(
    fc.property(
      fc.oneof(
        value.map((one) => JSON.stringify(one)),
        fc.string(),
      ),
      fc.boolean(),
      (text, many) => {
        const result = read(text, many)
        assert.ok('questions' in result || result.length > 0)
      },
    ),
    { numRuns: 500 },
  )
})
