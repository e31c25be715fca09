import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { systemClock } from '../core/clock.ts'
import type { Outcome } from '../core/record.ts'
import { Roster } from '../core/roster.ts'
import { seededEntropy } from '../testing/clock.ts'
import type { Answer, Forward } from './engine.ts'
import { carryUpgrade, type UpgradeClient } from './upgrade.ts'

test('what was decided as no switch is not carried on as one', () => {
  const answers: Answer[] = []
  const outcomes: Outcome[] = []
  const refusal: Answer = { kind: 'answer', status: 502, fields: [], body: 'no' }
  const plan = {
    upgrade: undefined,
    passage: { completed: (outcome: Outcome) => outcomes.push(outcome) },
    failure: () => refusal,
  } as unknown as Forward
  const client = { stream: new PassThrough(), answer: (answer: Answer) => answers.push(answer) } as unknown as UpgradeClient
  carryUpgrade(plan, client, { clock: systemClock, entropy: seededEntropy(), running: new Roster() })
  assert.deepEqual(answers, [refusal])
  assert.deepEqual(
    outcomes.map(({ result, status }) => [result, status]),
    [['refused', 502]],
  )
})
