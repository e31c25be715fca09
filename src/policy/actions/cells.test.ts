/** What every protocol's cells hold to, whatever they are made of. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { formatAction, type Action, type Protocol } from '../../core/action.ts'
import { runs, untilEnough } from '../../testing/runs.ts'
import { samples } from '../testdata/actions.ts'
import { TooManyCells, type ActionCell, type Wanted } from './cells.ts'
import { vocabularies, type ActionPattern, type Side } from './index.ts'

const written = (protocol: Protocol, max = 5) =>
  fc.array(fc.tuple(samples[protocol].pattern, fc.constantFrom<Side>('grants', 'takes')), { minLength: 1, maxLength: max })

function patternsOf(protocol: Protocol, texts: readonly (readonly [string, Side])[]): readonly ActionPattern[] {
  return texts.flatMap(([text, side]) => vocabularies[protocol].parse(text, side).pattern ?? [])
}

function cellsOf(protocol: Protocol, patterns: readonly ActionPattern[], more: Partial<Wanted> = {}): readonly ActionCell[] {
  return [...vocabularies[protocol].cells(patterns, { named: () => undefined, wants: () => true, most: 20_000, ...more })]
}

const numRuns = runs(30)

/** Texts at the edges of what names, paths, images and addresses can be. */
const strange = fc.oneof(
  fc
    .array(fc.constantFrom(...'ab01AZ-_.:/@,=+%~!$*;?#"[]\\^`{| é\u0436\u00a0\u200b\n'.split('')), { maxLength: 6 })
    .map((all) => all.join('')),
  fc.constantFrom('..', '.a', '//', 'a//b', '/', 'a/', '[::1]:65535', 'a:65536', 'localhost/a', 'a.b:1/c__d/e-.f', 'b/c--d', '%2B', '%20'),
  fc.constantFrom(63, 64, 65, 128, 129, 253, 254, 255, 256).map((length) => 'a'.repeat(length)),
)

/** Patterns that as guardrails meet every action. */
const ALL: Readonly<Record<Protocol, readonly string[]>> = {
  http: ['* /**'],
  kubernetes: ['* *', '* /**'],
  sql: ['* on *.*', 'transaction,session'],
  ssh: ['* as *'],
  container: ['* *'],
  mcp: ['*'],
  llm: ['*'],
}
/** Patterns of which the first is within the others. */
const MANY: Readonly<Record<Protocol, readonly string[]>> = {
  http: ['GET /a', 'GET /{x}', 'POST /**'],
  kubernetes: ['get pods -n a', 'get pods -n a*', '* *'],
  sql: ['select on a.b', 'select on a.*', '* on *.*'],
  ssh: ['exec as a: x', 'exec as a*', '* as *'],
  container: ['run a', 'run a with privileged', '* *'],
  mcp: ['tools/call a', 'tools/call a*', '*'],
  llm: ['chat a', 'chat a*', '*'],
}

for (const protocol of Object.keys(vocabularies) as Protocol[])
  describe(`cells of ${protocol}`, () => {
    const { matches, request } = vocabularies[protocol]
    const all = ALL[protocol].map((text) => [text, 'takes'] as const)
    const covering = (patterns: readonly ActionPattern[], action: Action): readonly number[] =>
      patterns.flatMap((one, i) => (matches(one, action) ? [i] : []))

    test('every action that something covers is in exactly one, with just what covers it', async () => {
      let inside = 0
      await untilEnough(
        () =>
          fc.assert(
            fc.property(written(protocol), fc.array(samples[protocol].action, { minLength: 30, maxLength: 30 }), (texts, actions) => {
              const patterns = patternsOf(protocol, texts)
              const cells = cellsOf(protocol, patterns)
              for (const action of actions) {
                const by = covering(patterns, action)
                const found = cells.filter((cell) => cell.has(action))
                if (by.length === 0) {
                  // What isn't canonical is no action at all.
                  if (patternsOf(protocol, all).some((one) => matches(one, action))) assert.deepEqual(found, [], formatAction(action))
                  continue
                }
                inside++
                assert.equal(found.length, 1, `${formatAction(action)}: ${found.map(({ text }) => text).join(' | ')}`)
                assert.deepEqual(found[0]!.covering, by, `${formatAction(action)} in ${found[0]!.text}`)
              }
            }),
            { numRuns },
          ),
        () => inside > 100,
        () => inside,
      )
    })

    test('whatever a text in it looks like, an action that there is at all is in exactly one', async () => {
      const cells = cellsOf(protocol, patternsOf(protocol, all))
      let inside = 0
      await untilEnough(
        () =>
          fc.assert(
            fc.property(samples[protocol].action, fc.nat(), strange, (action, place, text) => {
              const fields = Object.entries(action).filter(
                ([name, value]) => name !== 'protocol' && name !== 'path' && typeof value === 'string',
              )
              const [name, before] = fields[place % Math.max(1, fields.length)] ?? ['path', '']
              // What most texts of the field begin with stays: another one would seldom be one at all.
              const kept = /^(?:[:@/]|\w+:(?:\/\/)?)?/.exec(String(before))![0]
              const changed = { ...action, [name]: `${kept}${text}` } as Action
              if (!patternsOf(protocol, all).some((one) => matches(one, changed))) return
              inside++
              assert.equal(cells.filter((cell) => cell.has(changed)).length, 1, JSON.stringify(changed))
            }),
            { numRuns: numRuns * 10 },
          ),
        () => inside > 10,
        () => inside,
      )
    })

    test('each has an action that lies in it, and that the matcher treats as the cell says', () => {
      fc.assert(
        fc.property(written(protocol), (texts) => {
          const patterns = patternsOf(protocol, texts)
          const cells = cellsOf(protocol, patterns)
          for (const cell of cells) {
            const action = cell.action(new Map())
            assert.ok(action !== undefined, cell.text)
            assert.deepEqual(covering(patterns, action), cell.covering, `${cell.text}: ${formatAction(action)}`)
            assert.deepEqual(
              cells.filter((one) => one.has(action)),
              [cell],
              formatAction(action),
            )
          }
        }),
        { numRuns },
      )
    })

    test('what is said of an input holds for every action in it', () => {
      fc.assert(
        fc.property(written(protocol, 3), fc.array(samples[protocol].action, { minLength: 20, maxLength: 20 }), (texts, actions) => {
          const patterns = patternsOf(protocol, texts)
          for (const cell of cellsOf(protocol, patterns, { named: () => new Set(['privileged']) }))
            for (const action of actions.filter((one) => covering(patterns, one).length > 0 && cell.has(one))) {
              const fields = request(action)
              for (const field of Object.keys(vocabularies[protocol].fields)) {
                const input = cell.input('request', field, cell.covering[0]!)
                const value = fields.get(field)
                const about = `${field} of ${formatAction(action)} in ${cell.text}`
                if (input.kind === 'fixed') assert.deepEqual(value, input.value, about)
                else if (input.kind === 'list')
                  assert.equal(input.has('privileged'), (value as readonly string[]).includes('privileged'), about)
                else if (value === undefined) assert.ok(input.mayFail, about)
                else if (typeof value === 'string' || typeof value === 'bigint')
                  assert.ok(input.admits(typeof value === 'bigint' ? Number(value) : value), about)
              }
            }
        }),
        { numRuns: Math.ceil(numRuns / 2) },
      )
    })

    test('what an input can be besides those given is in the cell', () => {
      fc.assert(
        fc.property(written(protocol, 3), fc.subarray(['a', 'b', 'x', 'get', 'a.b/a', ':1', 'chat']), (texts, given) => {
          const patterns = patternsOf(protocol, texts)
          for (const cell of cellsOf(protocol, patterns))
            for (const field of Object.keys(vocabularies[protocol].fields)) {
              const input = cell.input('request', field, cell.covering[0]!)
              const other = input.kind === 'open' ? input.other?.(new Set(given)) : undefined
              if (input.kind !== 'open' || other === undefined) continue
              assert.ok(!given.includes(String(other)) && input.admits(other), `${field} ${String(other)}`)
              const action = cell.action(new Map([[input.key, other]]))
              assert.ok(action !== undefined, `${field} ${String(other)} in ${cell.text}`)
              assert.deepEqual(covering(patterns, action), cell.covering)
              const value = request(action).get(field)
              assert.equal(typeof value === 'bigint' ? Number(value) : value, other)
            }
        }),
        { numRuns: Math.ceil(numRuns / 2) },
      )
    })

    test('there are as many as were asked for at most', () => {
      const patterns = patternsOf(
        protocol,
        MANY[protocol].map((text) => [text, 'takes'] as const),
      )
      assert.ok(patterns.length > 1)
      assert.throws(() => cellsOf(protocol, patterns, { most: 2 }), TooManyCells)
    })

    test('cells of what is not asked for are left out', () => {
      const patterns = patternsOf(
        protocol,
        MANY[protocol].map((text) => [text, 'grants'] as const),
      )
      const all = cellsOf(protocol, patterns)
      const wanted = cellsOf(protocol, patterns, { wants: (number) => number === 0 })
      assert.deepEqual(
        wanted.map(({ text }) => text),
        all.filter((one) => one.covering.includes(0)).map(({ text }) => text),
      )
      assert.ok(wanted.length > 0 && wanted.length < all.length)
    })
  })
