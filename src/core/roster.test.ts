import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { Roster, type Rostered } from './roster.ts'

test('a roster holds what a set would hold, whatever comes and goes', () => {
  const command = fc.record({ add: fc.boolean(), member: fc.nat(9) })
  fc.assert(
    fc.property(fc.array(command, { maxLength: 60 }), (commands) => {
      const members: Rostered[] = Array.from({ length: 10 }, () => ({ slot: -1 }))
      const roster = new Roster()
      const model = new Set<Rostered>()
      for (const { add, member } of commands) {
        const one = members[member]!
        if (add) {
          roster.add(one)
          model.add(one)
        } else {
          roster.delete(one)
          model.delete(one)
        }
        assert.equal(roster.size, model.size)
        assert.deepEqual(new Set(roster), model)
        for (const other of members) assert.equal(other.slot >= 0, model.has(other))
      }
    }),
  )
})

test('members that leave while they are walked through skip nobody', () => {
  const roster = new Roster<Rostered>()
  const members = Array.from({ length: 5 }, () => ({ slot: -1 }))
  for (const member of members) roster.add(member)
  const seen: Rostered[] = []
  for (const member of roster) {
    seen.push(member)
    roster.delete(member)
  }
  assert.deepEqual(seen, members)
  assert.equal(roster.size, 0)
})
