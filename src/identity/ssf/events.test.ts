/** Security events of a provider: which are believed, whom they are about, and what they end. */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, test } from 'node:test'
import { writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import * as fc from 'fast-check'
import { OstiaryError } from '../../core/errors.ts'
import { base64url, testKey, unsignedToken, type Json, type JsonObject } from '../../testing/tokens.ts'
import type { ProviderEnd } from '../ended.ts'
import { Jar, providerStandIn, type ProviderStandIn } from '../session/testdata/standin.ts'
import { issuerOf, openGateway, type Gateway } from '../session/testing.ts'
import { testDeps, type TestDeps } from '../testing.ts'
import type { EventAnswer } from './receiver.ts'
import {
  AUDIENCE,
  CAEP,
  POLL_TOKEN,
  RISC,
  SSF,
  transmitterStandIn,
  type Members,
  type TransmitterStandIn,
} from './testdata/standin-transmitter.ts'

const TOKEN = 'what-was-agreed-on'
const REVOKED = `${CAEP}session-revoked`
let deps: TestDeps
let provider: ProviderStandIn
let transmitter: TransmitterStandIn
let gateway: Gateway
let ends: ProviderEnd[] = []
let fails = false
let sources = 0
const open: Gateway[] = []

function start(delivery: object): Gateway {
  const events = { issuer: transmitter.origin, audience: AUDIENCE, delivery }
  const started = openGateway(deps, provider, {
    issuers: { idp: { ...issuerOf(provider.origin), events } as ReturnType<typeof issuerOf> },
    deps: {
      onProviderEnd: async (end) => {
        if (fails) throw new OstiaryError('identity/revocations-unavailable')
        ends.push(end)
        const [id, createdAt] = [`${ends.length} ${deps.clock.now()}`, deps.clock.now()]
        await started.identities.revocations.add({ id, target: end.target, reason: end.event, by: end.issuer, createdAt, until: undefined })
      },
    },
  })
  open.push(started)
  return started
}

before(async () => {
  deps = testDeps()
  writeFileSync(join(deps.folder, 'push'), TOKEN)
  writeFileSync(join(deps.folder, 'poll'), POLL_TOKEN)
  provider = await providerStandIn(() => deps.clock.now())
  transmitter = await transmitterStandIn(() => deps.clock.now())
  gateway = start({ push: { token: { file: 'push' } } })
})
after(async () => {
  for (const { identities } of open) await identities.close()
  await provider.close()
  await transmitter.close()
  deps.remove()
})
beforeEach(() => {
  deps.clock.advance(2_000)
  ends = []
  fails = false
  provider.claims = {}
  deps.lines.length = 0
  transmitter.override = undefined
})

const source = (): string => `198.51.100.${++sources % 250}`
async function push(set: string, bearer: string | undefined = TOKEN, from = source()): Promise<EventAnswer> {
  const answer = await gateway.identities.events.push('idp', bearer, set, from)
  assert.ok(answer !== undefined)
  return answer
}
const said = (answer: EventAnswer): string => (answer.kind === 'refused' ? answer.err : answer.kind)
const subject = (sub = 'reader'): JsonObject => ({ format: 'iss_sub', iss: provider.origin, sub })
const about = (sub_id: Json | undefined, type = REVOKED, event: Members = {}): string => transmitter.event(type, event, { sub_id })

async function signIn(sub = 'reader', sid?: string): Promise<string> {
  provider.claims = { sub, ...(sid === undefined ? {} : { sid }) }
  return gateway.signIn(new Jar())
}

describe('an event', () => {
  test('that a session was revoked ends what its subject had until then, and what is open of it, and nothing else', async () => {
    const [handle, other] = [await signIn(), await signIn('publisher')]
    const held = await gateway.verified(handle)
    assert.equal(said(await push(about(subject()))), 'taken')
    assert.equal(held.revoked, true)
    assert.equal(await gateway.present(handle), 'revoked')
    assert.equal(await gateway.present(other), 'verified')
    assert.deepEqual(ends, [
      {
        issuer: 'idp',
        event: 'session-revoked',
        target: { kind: 'issued-before', issuer: 'idp', subject: 'reader', before: Math.floor(deps.clock.now() / 1000) * 1000 },
      },
    ])
    deps.clock.advance(2_000)
    assert.equal(await gateway.present(await signIn()), 'verified', 'who signs in anew is let in')
  })

  test('leaves alone what began after it happened, and never reaches into the future', async () => {
    deps.clock.advance(60_000)
    const happened = Math.floor(deps.clock.now() / 1000) - 30
    const handle = await signIn()
    for (const event_timestamp of [happened, happened * 1000]) {
      assert.equal(said(await push(about(subject(), REVOKED, { event_timestamp }))), 'taken')
      assert.equal(await gateway.present(handle), 'verified')
      assert.equal((ends.at(-1)!.target as { before: number }).before, happened * 1000)
    }
    await push(about(subject('auditor'), REVOKED, { event_timestamp: happened + 86_400 }))
    assert.equal((ends.at(-1)!.target as { before: number }).before, deps.clock.now())
  })

  test('is carried out once', async () => {
    const set = about(subject('admin'), `${RISC}account-disabled`)
    assert.equal(said(await push(set)), 'taken')
    deps.clock.advance(2_000)
    const handle = await signIn('admin')
    assert.equal(said(await push(set)), 'taken')
    assert.equal(await gateway.present(handle), 'verified')
    assert.equal(ends.length, 1)
  })

  test('that could not be carried out counts when it comes again', async () => {
    const handle = await signIn('again')
    const set = about(subject('again'))
    fails = true
    assert.equal(said(await push(set)), 'unavailable')
    assert.equal(await gateway.present(handle), 'verified')
    fails = false
    assert.equal(said(await push(set)), 'taken')
    assert.equal(await gateway.present(handle), 'revoked')
  })

  const meanings: readonly (readonly [string, Members, string | undefined])[] = [
    [`${CAEP}token-claims-change`, { claims: { role: 'ro-admin' } }, 'token-claims-change'],
    [`${CAEP}credential-change`, { credential_type: 'password', change_type: 'revoke' }, 'credential-change'],
    [`${CAEP}credential-change`, { credential_type: 'password', change_type: 'update' }, 'credential-change'],
    [`${CAEP}credential-change`, {}, 'credential-change'],
    [`${CAEP}credential-change`, { credential_type: 'fido2-platform', change_type: 'create' }, undefined],
    [`${CAEP}assurance-level-change`, { change_direction: 'decrease' }, 'assurance-level-change'],
    [`${CAEP}assurance-level-change`, { change_direction: 'increase' }, undefined],
    [`${CAEP}device-compliance-change`, { current_status: 'not-compliant' }, 'device-compliance-change'],
    [`${CAEP}device-compliance-change`, { current_status: 'compliant' }, undefined],
    [`${RISC}account-disabled`, { reason: 'hijacking' }, 'account-disabled'],
    [`${RISC}account-purged`, {}, 'account-purged'],
    [`${RISC}sessions-revoked`, {}, 'sessions-revoked'],
    [`${RISC}account-enabled`, {}, undefined],
    [`${CAEP}session-established`, {}, undefined],
    ['https://vendor.example/event', {}, undefined],
  ]
  for (const [type, event, wanted] of meanings)
    test(`${type.split('/').at(-1)!} ${JSON.stringify(event)} ends ${wanted === undefined ? 'nothing' : 'access'}`, async () => {
      const handle = await signIn('meant')
      assert.equal(said(await push(about(subject('meant'), type, event))), 'taken')
      assert.equal(await gateway.present(handle), wanted === undefined ? 'verified' : 'revoked')
      assert.deepEqual(
        ends.map((end) => end.event),
        wanted === undefined ? [] : [wanted],
      )
    })

  test('about the stream is acknowledged and logged', async () => {
    assert.equal(said(await push(about({ format: 'opaque', id: 'stream-1' }, `${SSF}verification`, { state: 'x' }))), 'taken')
    assert.deepEqual(deps.lines, ['issuer idp: the event stream says verification'])
  })
})

describe('its subject', () => {
  const iss = (): string => provider.origin
  const shapes: readonly (readonly [string, () => Json | undefined, string | undefined])[] = [
    ['iss_sub', () => subject('shape'), 'issued-before'],
    ['iss-sub of older transmitters', () => ({ subject_type: 'iss-sub', iss: iss(), sub: 'shape' }), 'issued-before'],
    ['opaque', () => ({ format: 'opaque', id: 'shape' }), 'issued-before'],
    [
      'aliases with one that is known',
      () => ({ format: 'aliases', identifiers: [{ format: 'email', email: 'a@b.example' }, subject('shape')] }),
      'issued-before',
    ],
    ['complex', () => ({ format: 'complex', user: subject('shape'), device: { format: 'opaque', id: 'd' } }), 'issued-before'],
    ['complex without a format', () => ({ user: subject('shape'), tenant: { format: 'opaque', id: 't' } }), 'issued-before'],
    ['jwt_id', () => ({ format: 'jwt_id', iss: iss(), jti: 'token-1' }), 'token'],
    ['email', () => ({ format: 'email', email: 'reader@example.com' }), undefined],
    ['phone_number', () => ({ format: 'phone_number', phone_number: '+12065550100' }), undefined],
    ['account', () => ({ format: 'account', uri: 'acct:reader@example.com' }), undefined],
    ['another issuer', () => ({ format: 'iss_sub', iss: 'https://elsewhere.example', sub: 'shape' }), undefined],
    ['no sub', () => ({ format: 'iss_sub', iss: iss() }), undefined],
    ['an empty sub', () => ({ format: 'iss_sub', iss: iss(), sub: '' }), undefined],
    ['a list', () => [subject('shape')] as Json, undefined],
    ['only a device', () => ({ format: 'complex', device: { format: 'opaque', id: 'd' } }), undefined],
    ['a complex inside a complex', () => ({ format: 'complex', user: { format: 'complex', user: subject('shape') } }), undefined],
    ['nothing', () => undefined, undefined],
  ]
  for (const [name, make, kind] of shapes)
    test(`as ${name} ${kind === undefined ? 'is refused' : 'is understood'}`, async () => {
      const handle = await signIn('shape')
      assert.equal(said(await push(about(make()))), kind === undefined ? 'invalid_request' : 'taken')
      assert.deepEqual(
        ends.map(({ target }) => target.kind),
        kind === undefined ? [] : [kind],
      )
      assert.equal(await gateway.present(handle), kind === 'issued-before' ? 'revoked' : 'verified')
    })

  test('inside the event, as older transmitters have it', async () => {
    const handle = await signIn('older')
    assert.equal(said(await push(transmitter.event(`${RISC}sessions-revoked`, { subject: subject('older') }))), 'taken')
    assert.equal(await gateway.present(handle), 'revoked')
  })

  test('with a session ends that one, or all of the person where nothing here began with it', async () => {
    const [one, two] = [await signIn('both', 'there-1'), await signIn('both', 'there-2')]
    const complex = (id: string): Json => ({ format: 'complex', user: subject('both'), session: { format: 'opaque', id } })
    assert.equal(said(await push(about(complex('there-1')))), 'taken')
    assert.deepEqual([await gateway.present(one), await gateway.present(two)], ['revoked', 'verified'])
    assert.equal(said(await push(about(complex('there-9')))), 'taken')
    assert.equal(await gateway.present(two), 'revoked')
  })
})

describe('an event that is not to be believed', () => {
  const now = (): number => Math.floor(deps.clock.now() / 1000)
  const claims = (more: Members, header: JsonObject = {}) => transmitter.event(REVOKED, {}, { sub_id: subject('safe'), ...more }, header)
  const wrong: readonly (readonly [string, () => string, string])[] = [
    ['of no type', () => claims({}, { typ: 'JWT' }), 'invalid_request'],
    ['of the type of a logout token', () => claims({}, { typ: 'logout+jwt' }), 'invalid_request'],
    ['of another issuer', () => claims({ iss: provider.origin }), 'invalid_issuer'],
    ['of no issuer', () => claims({ iss: undefined }), 'invalid_issuer'],
    ['for another audience', () => claims({ aud: 'https://elsewhere.example' }), 'invalid_audience'],
    ['for nobody', () => claims({ aud: undefined }), 'invalid_audience'],
    ['without jti', () => claims({ jti: undefined }), 'invalid_request'],
    ['without iat', () => claims({ iat: undefined }), 'invalid_request'],
    ['from the future', () => claims({ iat: now() + 600 }), 'invalid_request'],
    ['from long ago', () => claims({ iat: now() - 40 * 86_400 }), 'invalid_request'],
    ['with an end', () => claims({ exp: now() + 600 }), 'invalid_request'],
    ['without events', () => claims({ events: undefined }), 'invalid_request'],
    ['with no event', () => claims({ events: {} }), 'invalid_request'],
    ['with two events', () => claims({ events: { [REVOKED]: {}, [`${CAEP}credential-change`]: {} } }), 'invalid_request'],
    ['with an event that is no object', () => claims({ events: { [REVOKED]: 'yes' } }), 'invalid_request'],
    ['that is not signed', () => unsignedToken({ iss: transmitter.origin }), 'invalid_key'],
    [
      'signed with another key',
      () => transmitter.event(REVOKED, {}, { sub_id: subject('safe') }, {}, testKey('transmitter', 'ES256')),
      'invalid_key',
    ],
    [
      'signed with a key that is not published',
      () => transmitter.event(REVOKED, {}, { sub_id: subject('safe') }, {}, testKey('x', 'ES256')),
      'invalid_key',
    ],
    ['that is no token', () => 'event', 'invalid_request'],
  ]
  for (const [name, make, err] of wrong)
    test(`${name} is refused and ends nothing`, async () => {
      const handle = await signIn('safe')
      assert.equal(said(await push(make())), err)
      assert.equal(await gateway.present(handle), 'verified')
      assert.deepEqual(ends, [])
    })

  test('because its sender is not known is not even looked at', async () => {
    const handle = await signIn('safe')
    for (const bearer of ['', 'wrong', `${TOKEN}x`, TOKEN.slice(1)])
      assert.equal(said(await push(about(subject('safe')), bearer)), 'authentication_failed')
    const none = await gateway.identities.events.push('idp', undefined, about(subject('safe')), source())
    assert.equal(said(none!), 'authentication_failed')
    assert.equal(await gateway.present(handle), 'verified')
    assert.equal(gateway.identities.events.push('other', TOKEN, about(subject('safe')), source()), undefined)
  })

  test('costs its source what it may cost', async () => {
    const answers = new Set<string>()
    for (let i = 0; i < 150; i++) answers.add(said(await push('x', 'wrong', '203.0.113.9')))
    assert.deepEqual(answers, new Set(['authentication_failed', 'unavailable']))
  })

  test('whatever its bytes: it is answered, and ends nothing', async () => {
    const handle = await signIn('safe')
    const json = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>
    const hostile = fc.record({
      sub_id: json,
      events: fc.oneof(json, fc.dictionary(fc.constantFrom(REVOKED, 'x'), json)),
      jti: json,
      iat: json,
    })
    const sets = fc.oneof(
      fc.string(),
      fc.tuple(fc.json(), fc.json()).map(([head, body]) => `${base64url(head)}.${base64url(body)}.AA`),
      hostile.map((claimed) => transmitter.event(REVOKED, {}, claimed as Members)),
      json.map((sub_id) => about(sub_id)),
    )
    await fc.assert(
      fc.asyncProperty(sets, async (set) => {
        assert.ok(['taken', 'refused'].includes((await push(set)).kind))
        deps.clock.advance(100)
      }),
      { numRuns: 300 },
    )
    assert.deepEqual(
      ends.filter(({ target }) => 'subject' in target && target.subject === 'safe'),
      [],
    )
    assert.equal(await gateway.present(handle), 'verified')
  })
})

describe('events that are fetched', () => {
  async function until(done: () => boolean, step = 1): Promise<void> {
    for (let i = 0; i < 20_000; i++) {
      if (done()) return
      deps.clock.advance(step)
      await turn()
    }
    assert.fail('it did not come')
  }
  const put = (id: string, set: string): void => void transmitter.waiting.set(id, set)

  test('are carried out, acknowledged or reported, and asked for again after a failure', async () => {
    const handle = await signIn('fetched')
    put('good', about(subject('fetched')))
    put('bad', transmitter.event(REVOKED, {}, { aud: 'https://elsewhere.example' }))
    put('worse', 7 as unknown as string)
    fails = true
    put('later', about(subject('later')))
    const polling = start({ poll: { endpoint: `${transmitter.origin}/poll`, token: { file: 'poll' }, wait: '0s' } })
    await until(() => transmitter.polls.length > 1)
    assert.equal(polling.identities.revocations.list().length, 0)
    assert.ok(transmitter.waiting.has('good'), 'what could not be carried out is not acknowledged')
    fails = false
    await until(() => transmitter.waiting.size === 0)
    assert.deepEqual(transmitter.polls[0], { returnImmediately: true, maxEvents: 100, ack: [], setErrs: {} })
    const reported = transmitter.polls.flatMap((one) => Object.entries(one['setErrs'] as Record<string, { err: string }>))
    assert.deepEqual(
      new Map(reported.map(([id, { err }]) => [id, err])),
      new Map([
        ['bad', 'invalid_audience'],
        ['worse', 'invalid_request'],
      ]),
    )
    assert.deepEqual(
      ends.map(({ target }) => 'subject' in target && target.subject),
      ['fetched', 'later'],
    )
    assert.equal(await gateway.present(handle), 'verified', 'that is another process with a memory of its own')

    const answers: ((response: ServerResponse) => void)[] = [
      (response) => response.writeHead(500).end(),
      (response) => response.writeHead(200).end('nonsense'),
      (response) => response.writeHead(200).end('{"sets":[]}'),
      (response) => response.writeHead(302, { location: '/elsewhere' }).end(),
      (response) => response.destroy(),
    ]
    deps.lines.length = 0
    for (const override of answers) {
      const before = transmitter.polls.length
      transmitter.override = override
      await until(() => transmitter.polls.length > before + 1, 20)
    }
    transmitter.override = undefined
    put('after', about(subject('after')))
    for (let i = 0; i < 200 && transmitter.waiting.size > 0; i++) {
      deps.clock.advance(1_000)
      for (let turns = 0; turns < 50; turns++) await turn()
    }
    assert.equal(transmitter.waiting.size, 0)
    assert.match(deps.lines.join('\n'), /can not be read \(it answered 500\)[^]*answers again/)
  })
})
