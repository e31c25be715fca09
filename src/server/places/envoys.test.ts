import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { OstiaryError } from '../../core/errors.ts'
import { envoyMembers } from './envoys.ts'
import { isWell, type Stand } from './place.ts'

const REVISION = 'a'.repeat(64)
const WELL = { node: 'edge', desired: 's1', acknowledged: 's1', connectedSince: 1, policy: `sha256:${REVISION}`, kinds: { route: {} } }

async function standOf(answer: unknown): Promise<Stand> {
  const [member] = envoyMembers(['edge'], REVISION, () => Promise.resolve(answer))
  return (await member!.open(new AbortController().signal)).look()
}

describe('an Envoy, as its gateway tells of it', () => {
  test('has what it should where all of it is said', async () => {
    assert.ok(isWell(await standOf({ envoys: [WELL] }), REVISION))
  })

  for (const [what, more] of [
    ['another version', { policy: `sha256:${'b'.repeat(64)}` }],
    ['no version', { policy: undefined }],
    ['what it has not accepted', { acknowledged: 's0' }],
    ['nothing', { desired: undefined, acknowledged: undefined }],
    ['no connection', { connectedSince: undefined }],
    ['a rejection', { kinds: { route: { rejection: { message: 'no' } } } }],
    ['a policy that it can not be told', { refused: 'a limit' }],
    ['another name', { node: 'other' }],
  ] as const)
    test(`is not well with ${what}`, async () => {
      assert.equal(isWell(await standOf({ envoys: [{ ...WELL, ...more }] }), REVISION), false)
    })

  test('is never well by anything else that is answered', async () => {
    const anything = fc.oneof(
      fc.jsonValue(),
      fc.record({
        envoys: fc.array(
          fc.oneof(
            fc.jsonValue(),
            fc.record(Object.fromEntries(Object.keys(WELL).map((key) => [key, fc.jsonValue()])), { requiredKeys: [] }),
          ),
        ),
      }),
    )
    await fc.assert(
      fc.asyncProperty(anything, async (answer) => {
        try {
          assert.equal(isWell(await standOf(answer), REVISION), false)
        } catch (error) {
          assert.ok(error instanceof OstiaryError && error.code === 'cli/answer', String(error))
        }
      }),
      { numRuns: 2_000 },
    )
  })
})
