/** Of whom and what a `when` may speak: the claims of those who can come, the fields of what they can do. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { load } from './testdata/world.ts'

const ROLES = `roles:
  staff: { bind: [{ issuer: entra, claim: roles, any: [S] }] }
  pipeline: { bind: [{ issuer: ci, claim: groups, any: [p] }] }
  mixed: { bind: [{ issuer: entra, claim: roles, any: [M] }, { issuer: ci, claim: groups, any: [m] }] }
`

/** Codes and messages of what is wrong with a rule's condition. */
function wrong(role: string, resource: string, when: string, actions = 'GET /a'): readonly string[] {
  const { diagnostics } = load(`${ROLES}rules: [{ id: a, role: ${role}, resource: ${resource}, actions: ['${actions}'], when: '${when}' }]`)
  return diagnostics.map(({ code, message }) => `${code} ${message}`)
}

const UNKNOWN = (name: string) => [`policy/unknown-claim unknown claim \`${name}\` in \`when\` of rule \`a\``]
const CONFLICT = ['policy/condition-type `when` of rule `a`: claim `rank` is of different types for the issuers that this can meet']

describe('claims', () => {
  const cases: readonly (readonly [name: string, role: string, resource: string, when: string, told: readonly string[]])[] = [
    ['of an issuer of the role', 'pipeline', 'orders', 'claims.repository == "a"', []],
    ['not of one that no binding of the role names', 'staff', 'orders', 'claims.repository == "a"', UNKNOWN('repository')],
    ['of any issuer, where everyone may', 'authenticated', 'orders', 'claims.repository == "a"', []],
    ['of one of several issuers of a role', 'mixed', 'orders', 'claims.repository == "a"', []],
    ['of one of several roles', '[staff, pipeline]', 'orders', 'claims.repository == "a"', []],
    ['not of an issuer that the resource does not accept', 'authenticated', 'wiki', 'claims.repository == "a"', UNKNOWN('repository')],
    ['of one that one of several resources accepts', 'authenticated', '[orders, wiki]', 'claims.repository == "a"', []],
    ['of one type', 'staff', 'orders', 'claims.rank > 3.0', []],
    ['of the type of the issuer that can come', 'authenticated', 'wiki', 'claims.rank > 3.0', []],
    ['of types that differ where both can come', 'mixed', 'orders', 'claims.rank > 3.0', CONFLICT],
    ['of one type at both', 'mixed', 'orders', 'claims.department == "a"', []],
    // Nobody in the role can come: the name is checked all the same.
    ['of a role whose issuer the resource does not accept', 'pipeline', 'wiki', 'claims.repository == "a"', []],
    ['that nobody brings, of such a role', 'pipeline', 'wiki', 'claims.repo == "a"', UNKNOWN('repo')],
  ]
  for (const [name, role, resource, when, told] of cases)
    test(name, () =>
      assert.deepEqual(
        wrong(role, resource, when).filter((one) => !one.startsWith('policy/unreachable')),
        told,
      ),
    )
  test('of a role that is not there: that alone is told', () =>
    assert.deepEqual(
      wrong('nobody', 'orders', 'claims.repository == "a"').map((one) => one.split(' ', 1)[0]),
      ['policy/unknown-role', 'policy/unknown-claim'],
    ))
})

test('a name that is not there is told with those that are', () => {
  const told = (when: string) =>
    load(`${ROLES}rules: [{ id: a, role: staff, resource: orders, actions: [GET /a], when: '${when}' }]`).diagnostics.map((one) => [
      one.code,
      one.help,
    ])
  assert.deepEqual(told('context.place == "a"'), [['policy/unknown-field', 'there are `context.time`, `context.ip`']])
  assert.deepEqual(told('request.place == "a"'), [['policy/unknown-field', 'there are `request.method`, `request.path`']])
})

describe('parameters', () => {
  test('of every action that the condition meets', () =>
    assert.deepEqual(wrong('staff', 'orders', 'params.id == "a"', "GET /x/{id}', 'PUT /y/{id}/{more}"), []))
  test('not of one only', () =>
    assert.deepEqual(
      wrong('staff', 'orders', 'params.more == "a"', "GET /x/{id}', 'PUT /y/{id}/{more}").map((one) => one.split(' ', 1)[0]),
      ['policy/unknown-parameter'],
    ))
})
