/** What proves a demand: how each issuer says it, and what counts as proof. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Claims, Identity } from '../core/principal.ts'
import { describeDemand, isMet, MAX_JUSTIFICATION, proofOf, toRequirement, type Demand } from './require.ts'
import { NOW, someone } from './testdata/world.ts'
import type { World } from './world.ts'

type StepUp = World['issuers'][string]['stepUp']

const info = (stepUp: StepUp, claims: readonly string[] = []) =>
  ({
    stepUp,
    claims: Object.fromEntries(claims.map((name) => [name, { type: 'list', mayBeUnknown: false }])),
  }) as unknown as World['issuers'][string]

function proof(issuer: World['issuers'][string] | undefined, kind: Demand['kind'], name = ''): unknown {
  const world = { issuers: issuer === undefined ? {} : { one: issuer } } as unknown as World
  const found = proofOf(world, 'one', { kind, name })
  return found === undefined || found === 'never' ? found : [found.claim, ...found.values]
}

describe('how an issuer proves it', () => {
  const mfa = { claim: 'amr', any: ['mfa', 'hwk'] }
  test('as its wiring says', () => {
    const all = info({
      mfa,
      device: { managed: { claim: 'device', any: ['m'] } },
      authContext: { c1: { claim: 'acr', any: ['1'] } },
    } as StepUp)
    assert.deepEqual(proof(all, 'mfa'), ['amr', 'mfa', 'hwk'])
    assert.deepEqual(proof(all, 'device', 'managed'), ['device', 'm'])
    assert.deepEqual(proof(all, 'auth-context', 'c1'), ['acr', '1'])
    assert.equal(proof(all, 'device', 'c1'), undefined)
    assert.equal(proof(all, 'auth-context', 'managed'), undefined)
  })
  test('never, of everything or of one thing', () => {
    for (const kind of ['mfa', 'device', 'auth-context'] as const) assert.equal(proof(info('never'), kind, 'c1'), 'never')
    assert.equal(proof(info({ mfa: 'never', device: { managed: 'never' }, authContext: {} }), 'mfa'), 'never')
    assert.equal(proof(info({ mfa: 'never', device: { managed: 'never' }, authContext: {} }), 'device', 'managed'), 'never')
  })
  test('as nobody said', () => {
    for (const kind of ['mfa', 'device', 'auth-context'] as const) {
      assert.equal(proof(undefined, kind, 'c1'), undefined, `${kind} of an issuer that is not there`)
      assert.equal(proof(info(undefined), kind, 'c1'), undefined, `${kind} without any word`)
      assert.equal(proof(info({} as StepUp), kind, 'c1'), undefined, `${kind} without a word of it`)
    }
  })
  test('a name that is a word of JavaScript is as unsaid as any', () =>
    assert.equal(proof(info({ mfa, device: {}, authContext: {} } as StepUp), 'auth-context', 'constructor'), undefined))
  test('authentication contexts by their claim, where the issuer brings it, and nothing else', () => {
    assert.deepEqual(proof(info(undefined, ['acrs']), 'auth-context', 'c1'), ['acrs', 'c1'])
    assert.equal(proof(info(undefined, ['acrs']), 'mfa', 'c1'), undefined)
    assert.equal(proof(info(undefined, ['acrs']), 'device', 'c1'), undefined)
  })
})

describe('whether it is met', () => {
  const at = { time: NOW, ip: '10.1.2.3' }
  const byIssuer = new Map([['entra', { claim: 'amr', values: new Set<string | number>(['mfa', 2]) }]])
  const mfa: Demand = { kind: 'mfa', name: '', byIssuer }
  const claims: readonly (readonly [claims: Claims, met: boolean])[] = [
    [{ amr: ['pwd', 'mfa'] }, true],
    [{ amr: 'mfa' }, true],
    [{ amr: 2 }, true],
    [{ amr: ['pwd'] }, false],
    [{ amr: [] }, false],
    [{ amr: '2' }, false],
    [{ amr: true }, false],
    [{}, false],
    [Object.create({ amr: 'mfa' }) as Claims, false],
  ]
  for (const [some, met] of claims)
    test(`${JSON.stringify(some)} ${met ? 'proves' : 'does not prove'} it`, () =>
      assert.equal(isMet(mfa, someone({ claims: some }), at), met))
  test('not by nobody, by what can not be told, or by another issuer', () => {
    const proven: Partial<Identity> = { claims: { amr: 'mfa' } }
    assert.equal(isMet(mfa, undefined, at), false)
    assert.equal(isMet(mfa, someone({ ...proven, unknownClaims: new Set(['amr']) }), at), false)
    assert.equal(isMet(mfa, someone({ ...proven, unknownClaims: new Set(['groups']) }), at), true)
    assert.equal(isMet(mfa, someone({ ...proven, issuer: 'ci' }), at), false)
  })
  test('a justification by a text of some sense', () => {
    const any: Demand = { kind: 'justification', name: '', byIssuer: new Map() }
    const some: Demand = { ...any, accepts: (text) => text.startsWith('OPS-') }
    const met = (demand: Demand, justification: string | undefined) => isMet(demand, undefined, { ...at, justification })
    const texts = ['because', ' ', '', undefined, 'a\nb', 'x'.repeat(MAX_JUSTIFICATION), 'x'.repeat(MAX_JUSTIFICATION + 1)]
    assert.deepEqual(
      texts.map((text) => met(any, text)),
      [true, false, false, false, false, true, false],
    )
    assert.deepEqual([met(some, 'OPS-1'), met(some, 'because')], [true, false])
  })
  test('possession by the method that is asked for', () => {
    const by = (method: 'dpop' | 'mtls' | undefined) =>
      someone({
        evidence: { ...someone().evidence, confirmation: method === undefined ? undefined : { method } } as unknown as Identity['evidence'],
      })
    const met = (name: string, who: Identity | undefined) => isMet({ kind: 'proof-of-possession', name, byIssuer: new Map() }, who, at)
    assert.deepEqual(
      [met('any', by('dpop')), met('any', by('mtls')), met('any', by(undefined)), met('any', undefined)],
      [true, true, false, false],
    )
    assert.deepEqual(
      [met('dpop', by('dpop')), met('dpop', by('mtls')), met('mtls', by('mtls')), met('mtls', by(undefined))],
      [true, false, true, false],
    )
  })
})

test('what is left to prove is told with the claim of the own issuer', () => {
  const byIssuer = new Map([['entra', { claim: 'amr', values: new Set<string | number>(['mfa', 'hwk', 2]) }]])
  const demand: Demand = { kind: 'mfa', name: '', byIssuer }
  assert.deepEqual(toRequirement(demand, someone()), { kind: 'mfa', name: '', proof: { claim: 'amr', values: ['2', 'hwk', 'mfa'] } })
  for (const who of [undefined, someone({ issuer: 'ci' })])
    assert.deepEqual(toRequirement(demand, who), { kind: 'mfa', name: '', proof: undefined })
})

test('a demand in words', () => {
  const words: readonly (readonly [Demand['kind'], string, string])[] = [
    ['mfa', '', 'multi-factor authentication'],
    ['auth-context', 'c1', 'authentication context `c1`'],
    ['proof-of-possession', 'any', 'proof of possession'],
    ['proof-of-possession', 'dpop', 'proof of possession by DPoP'],
    ['proof-of-possession', 'mtls', 'proof of possession by a client certificate'],
    ['device', 'managed', 'a device that is `managed`'],
    ['network', '10.0.0.0/8', 'an address in 10.0.0.0/8'],
    ['justification', '', 'a justification'],
    ['justification', 'OPS-.+', 'a justification that matches `OPS-.+`'],
  ]
  for (const [kind, name, expected] of words) assert.equal(describeDemand({ kind, name }), expected)
})
