import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bindings, bindingsOf, flatBindings, type FlatBindings } from './bindings.ts'
import { roleIndexes } from './compile.ts'
import { BUILT_IN_ROLES } from './model.ts'
import { packPolicy } from './packed/policy.ts'
import { load, NOW, someone } from './testdata/world.ts'

const roles = `
roles:
  costar: { bind: [{ issuer: entra, claim: groups, any: [costarring] }] }
  drink: { bind: [{ issuer: entra, claim: groups, any: [liquid] }] }
  dry: { bind: [{ issuer: entra, claim: groups, none: [liquid] }] }
  lead: { includes: [drink], bind: [{ issuer: entra, claim: groups, all: [lead, other] }] }
  late: { bind: [{ issuer: entra, claim: groups, any: [late], breakGlass: { until: '2026-03-03T00:00:00Z' } }] }
  zero: { bind: [{ issuer: entra, claim: level, any: [1, -0] }] }
  helper: { eligible: [{ issuer: entra, claim: groups, any: [helper], kind: agent }] }
`

/** Those bindings, and the places of the ones that were read. */
function read(now = NOW): { readonly bindings: Bindings; readonly flat: FlatBindings; readonly places: number[] } {
  const { policy, diagnostics } = load(roles)
  assert.deepEqual(diagnostics, [])
  const indexes = roleIndexes([...policy!.model.roles.keys(), ...BUILT_IN_ROLES])
  const flat = flatBindings(policy!.model, indexes, now)
  const all = bindingsOf(policy!.model)
  const places: number[] = []
  const bindings = new Bindings(flat, [...indexes.keys()], (place) => {
    places.push(place)
    return all[place]!
  })
  return { bindings, flat, places }
}

/** Names of the roles of candidates. */
function found(bindings: Bindings, who: Parameters<typeof someone>[0]): readonly string[] {
  const identity = someone(who)
  return bindings
    .claimsOf(identity.issuer)
    .flatMap((claim) => [...bindings.candidates(claim, identity)].map((row) => bindings.role(row)))
    .toSorted()
}

test('of two values with the same hash, each gives its own role', () => {
  const { bindings } = read()
  // FNV-1a of both is 0x5e4daa9d.
  for (const group of ['costarring', 'liquid'])
    assert.deepEqual(found(bindings, { claims: { groups: [group] } }), ['costar', 'drink', 'dry'])
  const { policy } = load(roles)
  const held = (group: string) => policy!.bind(someone({ claims: { groups: [group] } })).roles.filter((role) => role.length < 7)
  assert.deepEqual([held('costarring'), held('liquid'), held('nothing')], [['costar', 'dry'], ['drink'], ['dry']])
})

test('only what somebody may have is read, and once', () => {
  const { bindings, places } = read()
  const identity = someone({ claims: { groups: ['lead', 'x'], level: 0 } })
  const states = () =>
    bindings
      .claimsOf('entra')
      .flatMap((claim) =>
        [...bindings.candidates(claim, identity)].map((row) => `${bindings.role(row)} ${bindings.stateOf(row, claim, identity)}`),
      )
  // 0 is -0, and only one of what `lead` asks for is there.
  const expected = ['dry held', 'drink not-held', 'lead not-held', 'zero held']
  assert.deepEqual(states(), expected)
  assert.equal(places.length, 4)
  assert.deepEqual(states(), expected)
  assert.equal(places.length, 4)
})

test('nothing is read of claims that can not be told', () => {
  const { bindings, places } = read()
  const identity = someone({ claims: {}, unknownClaims: new Set(['groups']) })
  const [claim] = bindings.claimsOf('entra').filter(({ name }) => name === 'groups')
  const states = [...bindings.candidates(claim!, identity)].map((row) => `${bindings.role(row)} ${bindings.stateOf(row, claim!, identity)}`)
  assert.deepEqual(states.toSorted(), [
    'costar unknown',
    'drink unknown',
    'drink unknown',
    'dry unknown',
    'helper not-held',
    'late unknown',
    'lead unknown',
  ])
  assert.deepEqual(places, [])
})

test('a row says of a binding what it says itself, and those that have ended have none', () => {
  for (const [now, count] of [
    [NOW, 8],
    [Date.UTC(2026, 2, 3), 7],
  ] as const) {
    const { bindings } = read(now)
    const rows = bindings.claimsOf('entra').flatMap((claim) => [...bindings.rowsOf(claim)])
    assert.equal(rows.length, count)
    for (const row of rows) {
      const { role, via, until, eligible, match } = bindings.binding(row)
      const said = [bindings.role(row), bindings.by(row), bindings.until(row), bindings.isEligible(row), bindings.isShown(row)]
      assert.deepEqual(said, [role, via ?? role, until ?? Number.POSITIVE_INFINITY, eligible, match !== 'none'])
    }
  }
  assert.deepEqual(read().bindings.claimsOf('nobody'), [])
})

test('what is handed over of bindings holds no value that they look for', () => {
  const { policy } = load(roles)
  const { bindings } = packPolicy(policy!)
  assert.deepEqual(bindings, read().flat)
  assert.deepEqual(
    Object.values(bindings).filter((one) => !(one instanceof Uint32Array)),
    [
      [
        ['entra', 'groups'],
        ['entra', 'level'],
      ],
      [Date.UTC(2026, 2, 3)],
    ],
  )
})
