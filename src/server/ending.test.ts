import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OstiaryError, type Code } from '../core/errors.ts'
import type { Principal } from '../core/principal.ts'
import type { GatewayEvent } from '../core/record.ts'
import { ManualClock } from '../testing/clock.ts'
import { Ending } from './ending.ts'

const clock = new ManualClock()
const code = (wanted: Code) => (error: unknown) => error instanceof OstiaryError && error.code === wanted
const by = { issuer: 'oidc', subject: 'operator', identity: undefined } as unknown as Principal
const target = { kind: 'subject', issuer: 'oidc', subject: 'laptop' } as const

/** An ending whose record and store fail when they are told to, and what happened, in order. */
function world(): {
  readonly ending: Ending
  readonly happened: string[]
  readonly down: Set<'record' | 'store'>
  readonly events: GatewayEvent[]
} {
  const happened: string[] = []
  const events: GatewayEvent[] = []
  const down = new Set<'record' | 'store'>()
  const took = (what: string) => async () => {
    if (down.has('store')) throw new OstiaryError('identity/revocations-unavailable')
    happened.push(what)
    return true
  }
  const kept = { id: 'r', target, reason: 'stolen', by: 'oidc/operator', createdAt: 0, until: undefined }
  const ending = new Ending({
    clock,
    newId: () => 'r',
    audit: {
      decided: () => undefined,
      completed: () => undefined,
      note: (event: GatewayEvent) => void (events.push(event), happened.push(event.kind)),
      async noteDurably(event: GatewayEvent) {
        if (down.has('record')) throw new OstiaryError('audit/unavailable')
        events.push(event)
        happened.push(event.kind)
      },
    },
    identities: {
      revocations: { list: () => [kept], add: took('added'), lift: took('lifted') },
      sessions: { end: took('session gone') },
      keptUntil: async () => clock.now() + 1_000,
    },
  } as unknown as ConstructorParameters<typeof Ending>[0])
  return { ending, happened, down, events }
}

test('the record comes first, then the effect', async () => {
  const { ending, happened, events } = world()
  await ending.revoke({ target, reason: 'stolen' }, by)
  await ending.lift('r', by)
  await ending.endSession('s', by)
  assert.deepEqual(happened, ['revoked', 'added', 'revocation-lifted', 'lifted', 'session-ended', 'added', 'session gone'])
  const until = new Date(clock.now() + 1_000).toISOString()
  assert.deepEqual(events[0]!.details, { revocation: 'r', target: 'subject', issuer: 'oidc', subject: 'laptop', reason: 'stolen', until })
  assert.equal(events[0]!.principal, by)
})

test('what can not be recorded has no effect', async () => {
  const { ending, happened, down } = world()
  down.add('record')
  await assert.rejects(ending.revoke({ target, reason: 'stolen' }, by), code('audit/unavailable'))
  await assert.rejects(ending.lift('r', by), code('audit/unavailable'))
  await assert.rejects(ending.endSession('s', by), code('audit/unavailable'))
  assert.deepEqual(happened, [])
})

test('what the store then could not take is recorded as failed, and refused', async () => {
  const { ending, happened, down, events } = world()
  down.add('store')
  await assert.rejects(ending.revoke({ target, reason: 'stolen' }, by), code('identity/revocations-unavailable'))
  assert.deepEqual(happened, ['revoked', 'revocation-failed'])
  assert.deepEqual([events[1]!.details['revocation'], events[1]!.details['code']], ['r', 'identity/revocations-unavailable'])
})

test('what a provider says has ended is recorded first, too, and names the provider', async () => {
  const { ending, happened, down, events } = world()
  const end = { issuer: 'oidc', event: 'back-channel-logout', target: { kind: 'session', session: 's' } } as const
  await ending.told(end)
  assert.deepEqual(happened, ['provider-ended', 'added', 'session gone'])
  const until = new Date(clock.now() + 1_000).toISOString()
  const details = { revocation: 'r', target: 'session', session: 's', provider: 'oidc', event: 'back-channel-logout', until }
  assert.deepEqual(events, [{ kind: 'provider-ended', time: clock.now(), details }])
  down.add('record')
  await assert.rejects(ending.told(end), code('audit/unavailable'))
  assert.equal(happened.length, 3)
})
