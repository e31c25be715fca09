import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Clock, Timer } from '../core/clock.ts'
import { OstiaryError } from '../core/errors.ts'
import { noMeter } from '../core/meter.ts'
import type { Identity, Principal } from '../core/principal.ts'
import type { GatewayEvent, Recorder } from '../core/record.ts'
import type { CompiledPolicy } from '../policy/index.ts'
import type { StoredActivation } from '../store/activations.ts'
import { memoryKept } from '../store/memory-kept.ts'
import { ManualClock } from '../testing/clock.ts'
import { Activations, MAX_ACTIVATIONS } from './activations.ts'

const HOUR = 3_600_000
const lea = { issuer: 'oidc', subject: 'lea', display: 'Lea', actor: undefined } as unknown as Identity
const principalOf = (identity: Identity): Principal => ({ issuer: identity.issuer, subject: identity.subject, identity }) as Principal

interface Options {
  readonly clock?: Clock
  readonly store?: ReturnType<typeof memoryKept<StoredActivation>>
  readonly onEnd?: () => void
  readonly note?: (event: GatewayEvent) => Promise<void>
  readonly eligible?: readonly string[]
}

function opened({ clock = new ManualClock(), store = memoryKept(), onEnd = () => undefined, note, eligible = ['lead'] }: Options = {}) {
  const noted: GatewayEvent[] = []
  let ids = 0
  const activations = new Activations(
    {
      store,
      clock,
      newId: () => `a${++ids}`,
      meter: noMeter,
      log: () => undefined,
      audit: {
        note: (event: GatewayEvent) => void noted.push(event),
        noteDurably: async (event: GatewayEvent) => {
          await note?.(event)
          noted.push(event)
        },
      } as unknown as Recorder,
      policies: { current: { eligibleRoles: () => eligible } as unknown as CompiledPolicy },
      atMost: () => HOUR,
      onEnd,
    },
    [],
  )
  return { activations, noted, store }
}

const lead = (lasting: number) => ({ role: 'lead', lasting, reason: 'incident 7' })
const code = (wanted: string) => (error: unknown) => error instanceof OstiaryError && error.code === wanted

describe('activations', () => {
  test('count from when they are made to before their end, for one subject, also where somebody acts for it', async () => {
    const clock = new ManualClock()
    const { activations } = opened({ clock })
    const start = clock.now()
    await activations.activate(lead(1000), principalOf(lea))
    const roles = (identity: Identity, time: number) => activations.of(identity, time)?.map(({ role }) => role)
    assert.equal(activations.of(lea, start), activations.of(lea, start + 500), 'the same list, while nothing about it changes')
    assert.equal(roles({ ...lea, subject: 'ben' }, start), undefined)
    assert.equal(roles({ ...lea, issuer: 'other' }, start), undefined)
    assert.deepEqual(roles({ ...lea, subject: 'bot', actor: lea }, start), ['lead'])
    assert.deepEqual(
      activations.ofSubject('oidc', 'lea', start)?.map(({ role }) => role),
      ['lead'],
    )
    assert.deepEqual([roles(lea, start), roles(lea, start + 999), roles(lea, start + 1000)], [['lead'], ['lead'], undefined])
    assert.deepEqual([roles(lea, start + HOUR), roles(lea, start)], [undefined, ['lead']], 'also after a question about another time')
    assert.deepEqual([roles(lea, start - 1), roles(lea, start)], [undefined, ['lead']])
    await activations.activate(lead(500), principalOf(lea))
    assert.equal(activations.of(lea, start)?.length, 2)
    await activations.close()
  })

  test('are in the record before they count, and where they can not be kept that is in it, too', async () => {
    const store = memoryKept<StoredActivation>()
    const { activations, noted } = opened({ store })
    store.add = () => Promise.reject(new Error('disk'))
    await assert.rejects(activations.activate(lead(1000), principalOf(lea)), code('identity/activations-unavailable'))
    assert.deepEqual(
      noted.map(({ kind }) => kind),
      ['role-activated', 'activation-failed'],
    )
    assert.deepEqual(activations.list(), [])
    await activations.close()
    const unrecorded = opened({ note: () => Promise.reject(new OstiaryError('audit/unavailable')) })
    await assert.rejects(unrecorded.activations.activate(lead(1000), principalOf(lea)), code('audit/unavailable'))
    assert.deepEqual(await unrecorded.store.list(), [])
    await unrecorded.activations.close()
  })

  test('are for who is eligible and acts for themselves, not for longer than allowed, and not without end', async () => {
    const { activations } = opened()
    const refused = (wanted: string, by: Identity | undefined, request = lead(1000)) =>
      assert.rejects(activations.activate(request, { ...principalOf(lea), identity: by }), code(wanted))
    await refused('identity/not-eligible', undefined)
    await refused('identity/not-eligible', { ...lea, actor: lea })
    await refused('identity/not-eligible', lea, { ...lead(1000), role: 'admin' })
    await refused('identity/activation-too-long', lea, lead(HOUR + 1))
    for (let count = 0; count < 32; count++) await activations.activate(lead(1000), principalOf(lea))
    await refused('identity/too-many-activations', lea)
    assert.ok(MAX_ACTIVATIONS > 32)
    await activations.close()
  })

  test('end what is open once they are over, also where timers go off early and looking takes a while', async () => {
    let now = Date.UTC(2026, 0, 1)
    const waiting: { readonly at: number; readonly task: () => void }[] = []
    const early: Clock = {
      now: () => now,
      monotonic: () => now,
      after(delay, task): Timer {
        // As Node rounds: up to a millisecond before its time by the clock of the day.
        const one = { at: now + Math.max(0, delay - 1), task }
        waiting.push(one)
        return { cancel: () => void (waiting.includes(one) && waiting.splice(waiting.indexOf(one), 1)) }
      },
    }
    const looked: number[] = []
    const { activations } = opened({
      clock: early,
      onEnd: () => {
        looked.push(now)
        now++
      },
    })
    const { until } = await activations.activate(lead(100), principalOf(lea))
    while (now < until + 50) {
      const next = waiting.toSorted((a, b) => a.at - b.at)[0]
      if (next === undefined || next.at > until + 50) break
      waiting.splice(waiting.indexOf(next), 1)
      now = Math.max(now, next.at)
      next.task()
    }
    assert.ok(
      looked.some((at) => at >= until),
      `looked at ${looked.map((at) => at - until).join()} ms after the end`,
    )
    await activations.close()
  })

  test('end what is open also where they are swept out at that very moment', async () => {
    const clock = new ManualClock()
    const looked: number[] = []
    const { activations } = opened({ clock, onEnd: () => looked.push(clock.now()) })
    // What is over is removed once a minute.
    const { until } = await activations.activate(lead(60_000), principalOf(lea))
    for (let at = 0; at < 130; at++) {
      clock.advance(500)
      await turn()
    }
    assert.ok(looked.filter((at) => at >= until).length >= 2, 'at its end, and as it is removed')
    assert.deepEqual(activations.list(), [])
    await activations.close()
  })
})
