/** Ostiary, Cedar, OPA and Casbin decide the same of the same policies and requests, as long as no condition is an error. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { runs } from '../../../src/testing/runs.ts'
import { casbin } from './casbin.ts'
import { cedarEngine } from './cedar.ts'
import type { Ask, CommonPolicy, Engine } from './subset.ts'
import { opa } from './opa.ts'
import { ostiary } from './ostiary.ts'
import { ask, commonPolicy } from './random.ts'

const POLICIES = runs(60)
const ASKS = 24

/** How often each answer was given: a comparison in which all is denied compares nothing. */
async function compare(rival: Engine): Promise<{ allowed: number; denied: number }> {
  const seen = { allowed: 0, denied: 0 }
  const asks = fc.array(ask, { minLength: ASKS, maxLength: ASKS })
  const property = fc.asyncProperty(commonPolicy, asks, async (policy: CommonPolicy, all: readonly Ask[]) => {
    const [own, other] = await Promise.all([ostiary.open(policy), rival.open(policy)])
    for (const one of all) {
      const allowed = own.prepare(one)()
      assert.equal(other.prepare(one)(), allowed, `${one.party.name} ${one.method} ${one.path} on ${one.resource}`)
      seen[allowed ? 'allowed' : 'denied']++
    }
  })
  await fc.assert(property, { numRuns: POLICIES, seed: 20_261_121 })
  return seen
}

for (const rival of [cedarEngine, casbin, opa])
  void test(`${rival.name} decides as Ostiary does`, async (t) => {
    const missing = rival.missing?.()
    if (missing !== undefined) return t.skip(missing)
    const { allowed, denied } = await compare(rival)
    assert.ok(allowed > 300, `${allowed} were allowed`)
    assert.ok(denied > 300, `${denied} were denied`)
  })
