import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Decision, Requirement } from '../../core/decision.ts'
import type { Identity, Principal } from '../../core/principal.ts'
import { identityOf, policyOf } from '../../testing/httpdoor.ts'
import { deny } from './deny.ts'

const REALM = 'orders'
const contexts = (value: string, claim = 'acrs'): Requirement => ({ kind: 'auth-context', name: value, proof: { claim, values: [value] } })

function principal(more: Partial<Identity> = {}): Principal {
  const identity = identityOf('reader', more)
  return { ...policyOf(() => false).bind(identity), claims: identity.claims }
}

function answerOf(who: Principal, ...requirements: Requirement[]) {
  const decision: Decision = {
    effect: 'challenge',
    rule: 'read',
    rules: ['read'],
    reasons: [{ code: 'requirement', id: 'strong' }],
    obligations: [],
    requirements,
    policyVersion: 'sha256:1',
  }
  const context = {
    decision: '01',
    realm: REALM,
    authorizationUri: 'https://login.example/authorize',
    html: false,
    principal: who,
    fields: [],
  }
  const { status, fields, body } = deny({ kind: 'denied', decision }, context)
  const at = fields.indexOf('WWW-Authenticate')
  return {
    status,
    challenge: at < 0 ? undefined : fields[at + 1],
    code: (JSON.parse(body) as { type: string }).type.split('/errors/')[1],
  }
}

const capable = { claims: { xms_cc: ['CP1'] } }

describe('a challenge, as HTTP has it', () => {
  test('a client of Entra ID that declares cp1 gets the claims that it has to ask for', () => {
    const { status, challenge, code } = answerOf(principal(capable), contexts('c1'))
    assert.deepEqual([status, code], [401, 'http/step-up'])
    const claims = Buffer.from('{"access_token":{"acrs":{"essential":true,"value":"c1"}}}').toString('base64')
    const where = 'authorization_uri="https://login.example/authorize"'
    assert.equal(challenge, `Bearer realm="orders", ${where}, error="insufficient_claims", claims="${claims}"`)
  })

  test('several values are one request', () => {
    const mfa: Requirement = { kind: 'mfa', name: '', proof: { claim: 'amr', values: ['mfa', 'ngcmfa'] } }
    const claims = /claims="([^"]+)"/.exec(answerOf(principal(capable), contexts('c2'), mfa).challenge!)![1]!
    assert.deepEqual(JSON.parse(Buffer.from(claims, 'base64').toString()), {
      access_token: { acrs: { essential: true, value: 'c2' }, amr: { essential: true, values: ['mfa', 'ngcmfa'] } },
    })
  })

  test('one that does not declare it could not follow: 403', () => {
    for (const claims of [{}, { xms_cc: [] }, { xms_cc: 'cp1' }, { xms_cc: ['cp2'] }]) {
      const { status, challenge, code } = answerOf(principal({ claims }), contexts('c1'))
      assert.deepEqual([status, challenge, code], [403, undefined, 'http/challenge'])
    }
  })

  test('a client of another provider gets what RFC 9470 has', () => {
    const { status, challenge } = answerOf(principal(), contexts('urn:level:2', 'acr'))
    assert.equal(status, 401)
    assert.match(challenge!, /error="insufficient_user_authentication", acr_values="urn:level:2"$/)
    assert.match(answerOf(principal(), contexts('otp', 'amr')).challenge!, /error="insufficient_user_authentication"$/)
  })

  test('values that would break out of the challenge are left out of it', () => {
    for (const value of ['a"b', 'a b', 'a\\b', 'a\r\nb', 'é', ''])
      assert.match(answerOf(principal(), contexts(value, 'acr')).challenge!, /error="insufficient_user_authentication"$/)
  })

  test('nobody is asked who could not answer', () => {
    const refused = [403, undefined, 'http/challenge']
    const of = (who: Principal, ...requirements: Requirement[]) => Object.values(answerOf(who, ...requirements))
    assert.deepEqual(of(principal({ ...capable, appOnly: true }), contexts('c1')), refused)
    assert.deepEqual(of(principal({ ...capable, kind: 'agent' }), contexts('c1')), refused)
    assert.deepEqual(of(principal({ ...capable, kind: 'workload' }), contexts('c1')), refused)
    assert.deepEqual(of(principal(capable), contexts('c1'), { kind: 'mfa', name: '', proof: undefined }), refused)
    assert.deepEqual(of(principal(capable)), refused)
    assert.deepEqual(of({ ...principal(), identity: undefined }, contexts('c1')), refused)
  })
})
