import assert from 'node:assert/strict'
import { test as trying } from 'node:test'
import { all, payload, test, type NativeIssuer } from '../core/token.ts'
import { nativeOidc } from '../identity/oidc/native.ts'
import { declaredClaims } from '../identity/claims.ts'
import { oidcClaims } from '../identity/oidc/claims.ts'
import { callersFor, filterOf, FormerCallers, metadataOf, routeCallersOf, type Callers } from './callers.ts'
import { NotRead } from './read.ts'

function issuer(name: string, audiences: readonly string[], listed: readonly string[] = []) {
  return nativeOidc({
    name,
    iss: `https://${name}.example`,
    audiences,
    algorithms: ['ES256'],
    clients: listed,
    agents: [],
    declared: declaredClaims(oidcClaims, {}),
    maxLifetime: 86_400_000,
    type: { pattern: 'at\\+jwt', absent: false },
    client: { claim: 'client_id', when: 'always' },
    appOnly: 'by-subject',
  })
}

/** An issuer of whose tokens something more is wanted. */
function narrower(one: NativeIssuer): NativeIssuer {
  return { ...one, credential: all(one.credential, test({ is: 'present', path: payload('more') })) }
}

const idp = issuer('idp', ['api'])
const ci = issuer('ci', ['api'])

trying('the same callers have the same name wherever they are, and others never', () => {
  const [key] = [...routeCallersOf({ issuers: [idp] }).keys()].slice(1)
  assert.ok(key!.startsWith('idp:'))
  assert.deepEqual([...routeCallersOf({ issuers: [ci, issuer('idp', ['api'])] }).keys()][2], key)
  const changed = narrower(idp)
  assert.notEqual([...routeCallersOf({ issuers: [changed] }).keys()][1], key)
})

trying('a route finds those that it names, with what it was made with, and nobody else', () => {
  const [both, one] = [routeCallersOf({ issuers: [idp, ci] }), routeCallersOf({ issuers: [ci] })]
  const rules = filterOf(new Map([...both, ...one]))
  const names = (callers: Callers) =>
    Object.keys(callersFor(metadataOf(callers), rules)['policies'] as object).map((name) => name.split(' ')[0])
  assert.deepEqual(names(both), ['nobody', 'plain@idp', 'token@idp', 'plain@ci', 'token@ci'])
  assert.deepEqual(names(one), ['nobody', 'plain@ci', 'token@ci'])
  const gone = routeCallersOf({ issuers: [narrower(ci)] })
  assert.deepEqual(names(gone), ['nobody'])
  for (const metadata of [undefined, {}, { filterMetadata: {} }, { filterMetadata: { ostiary: { callers: 'ci' } } }])
    assert.throws(() => callersFor(metadata, rules), NotRead)
})

trying('those of before stay for the routes that may still be there, some of them', () => {
  const former = new FormerCallers()
  const only = (...keys: readonly string[]): Callers => new Map(keys.map((key) => [key, []]))
  const before = (node: string, ...keys: readonly string[]) => [...former.before(node, only(...keys)).keys()]
  assert.deepEqual(before('a', 'nobody', 'x:1'), [])
  assert.deepEqual(before('a', 'nobody', 'x:1'), [])
  assert.deepEqual(before('a', 'nobody', 'x:2'), ['x:1'])
  assert.deepEqual(before('b', 'nobody', 'x:2'), [])
  assert.deepEqual(before('a', 'nobody', 'x:3', 'y:1'), ['x:1', 'x:2'])
  assert.deepEqual(before('a', 'nobody', 'x:1'), ['x:2', 'x:3', 'y:1'])
  assert.deepEqual(before('a', 'nobody', 'z:1'), ['x:2', 'x:3', 'y:1', 'x:1'])
  assert.deepEqual(before('a', 'nobody', 'z:2'), ['x:3', 'y:1', 'x:1', 'z:1'])
})
