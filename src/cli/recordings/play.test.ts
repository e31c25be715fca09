import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { ReadLine } from '../../audit/recordings/files.ts'
import { character } from '../../testing/text.ts'
import { Neutral, visible } from './neutral.ts'
import { play, type PlayOptions } from './play.ts'

const ESC = '\u001b'
const passed = (text: string): string => new Neutral().pass(text)

describe('what reaches a terminal', () => {
  const kept = [
    'text, ä €, 漢字\r\n\tand\b more',
    `${ESC}[1;31mred${ESC}[0m`,
    `${ESC}[38;2;1;2;3m${ESC}[38:5:7m`,
    `${ESC}[H${ESC}[2J${ESC}[10;20H${ESC}[K${ESC}[3A`,
    `${ESC}[?25l${ESC}[?25h${ESC}[?1049h${ESC}[?7l`,
    `${ESC}7${ESC}8${ESC}M${ESC}(0lqqk${ESC}(B\u000e\u000f`,
    `${ESC}[1;20r${ESC}[2L${ESC}[2S`,
  ]
  for (const text of kept) test(`kept: ${JSON.stringify(text)}`, () => assert.equal(passed(text), text))

  const left: readonly (readonly [string, string, string])[] = [
    ['the clipboard', `a${ESC}]52;c;cm0gLXJm\u0007b`, 'ab'],
    ['the clipboard, ended otherwise', `a${ESC}]52;c;cm0gLXJm${ESC}\\b`, 'ab'],
    ['a title', `a${ESC}]0;rm -rf\u0007b`, 'ab'],
    ['a report of the title', `a${ESC}[21tb`, 'ab'],
    ['who are you', `a${ESC}[cb${ESC}[>cc${ESC}Zd\u0005e`, 'abcde'],
    ['where is the cursor', `a${ESC}[6nb${ESC}[?6nc`, 'abc'],
    ['a request of modes', `a${ESC}[?25$pb`, 'ab'],
    ['settings in a string of the device', `a${ESC}P$qm${ESC}\\b`, 'ab'],
    ['commands of applications', `a${ESC}_Gi=1;x${ESC}\\b${ESC}^x${ESC}\\c`, 'abc'],
    ['reports of the mouse', `a${ESC}[?1000hb${ESC}[?25;1006hc`, 'abc'],
    ['pasting in brackets', `a${ESC}[?2004hb`, 'ab'],
    ['what keys send', `a${ESC}[>4;2mb${ESC}[?1hc${ESC}=d`, 'abcd'],
    ['a reset', `a${ESC}cb${ESC}[!pc`, 'abc'],
    ['the lines that were there before', `a${ESC}[3Jb`, 'ab'],
    ['repeating without end', `a${ESC}[99999999bb${ESC}[99999999@c`, 'abc'],
    ['control characters of eight bits', 'a\u009b6nb\u009d0;x\u0007c', 'a6nb0;xc'],
    ['bells', 'a\u0007b', 'ab'],
    ['a sequence of any length', `a${ESC}[${'1;'.repeat(200)}mb`, 'ab'],
    ['a string without an end hides one line at most', `a${ESC}]0;x; rm -rf /\nvisible`, 'a\nvisible'],
    ['a string that is broken off', `a${ESC}]0;x\u0018b`, 'ab'],
    ['a string that another sequence ends', `a${ESC}]0;x${ESC}[1mb`, `a${ESC}[1mb`],
  ]
  for (const [name, text, expected] of left) test(`left out: ${name}`, () => assert.equal(passed(text), expected))

  const hostile = fc
    .array(
      fc.oneof(
        fc.constantFrom(
          ESC,
          `${ESC}[`,
          `${ESC}]`,
          `${ESC}P`,
          `${ESC}(`,
          '\u0007',
          '\u009b',
          '\u009c',
          '\u0018',
          '?',
          '>',
          ';',
          '3',
          '52',
          'J',
          'h',
          'c',
          'n',
          't',
          'm',
          ' ',
          '$',
          '\\',
          '\n',
          'x',
        ),
        fc.string({ unit: character, maxLength: 3 }),
      ),
      { maxLength: 40 },
    )
    .map((parts) => parts.join(''))

  test('of anything, only what draws is left', () => {
    // Looked at by other means than those that left it.
    const harmless =
      /^(?:[^\p{Cc}]|[\b\t\n\r\u000e\u000f]|\u001b[78DEHM]|\u001b[()][0B]|\u001b\[[\d;:]*[@A-HI-MPSTXZ`adefgmrsu]|\u001b\[\?(?:7|25|47|104[789])(?:;(?:7|25|47|104[789]))*[hl])*$/u
    fc.assert(
      fc.property(hostile, (text) => {
        const shown = passed(text)
        assert.match(shown, harmless)
        assert.ok(!shown.includes(`${ESC}[3J`))
      }),
      { numRuns: 5000 },
    )
  })

  test('the same however it is cut', () => {
    fc.assert(
      fc.property(hostile, fc.nat(60), (text, cut) => {
        const neutral = new Neutral()
        // What is recorded is never cut within a character.
        const characters = Array.from(text)
        const [first, rest] = [characters.slice(0, cut).join(''), characters.slice(cut).join('')]
        assert.equal(neutral.pass(first) + neutral.pass(rest), passed(text))
      }),
    )
  })

  test('as text nothing is left out and nothing steers', () => {
    assert.equal(visible(`a${ESC}]0;x\u0007\r\nb\rc\t\u009b\u202e`), 'a␛]0;x␇\nb␍c\t\ufffd\ufffd')
    fc.assert(fc.property(hostile, (text) => assert.doesNotMatch(visible(text), /(?![\n\t])\p{C}/u)))
  })
})

async function played(lines: readonly ReadLine[], more: Partial<PlayOptions> = {}) {
  const log: (string | number)[] = []
  async function* all(): AsyncGenerator<ReadLine> {
    yield* lines
  }
  const result = await play(all(), {
    speed: 1,
    idleLimit: Number.POSITIVE_INFINITY,
    as: 'raw',
    write: (text) => void log.push(text),
    wait: (milliseconds) => {
      log.push(Math.round(milliseconds))
      return Promise.resolve()
    },
    stopped: () => false,
    ...more,
  })
  return { log, result }
}

const event = (at: number, code: string, text: string): ReadLine => ({ kind: 'event', at, code, text })
const session: readonly ReadLine[] = [
  { kind: 'header', header: { version: 2, width: 80, height: 24 } },
  event(0.5, 'o', 'a'),
  event(1, 'i', 'typed'),
  event(10.5, 'o', `b${ESC}]0;x\u0007`),
  event(10, 'o', 'back'),
  { kind: 'torn' },
  event(11, 'x', '7'),
]

test('at its own pace, another, or none', async () => {
  const { log, result } = await played(session)
  assert.deepEqual(log, [500, 'a', 10_000, `b${ESC}]0;x\u0007`, 'back'])
  assert.deepEqual(result, { seconds: 11, exit: 7, torn: true })
  assert.deepEqual(
    (await played(session, { speed: 2, idleLimit: 1 })).log.filter((one) => typeof one === 'number'),
    [250, 500],
  )
  assert.deepEqual(
    (await played(session, { speed: Number.POSITIVE_INFINITY })).log.filter((one) => typeof one === 'number'),
    [],
  )
})

test('a terminal is left as it was', async () => {
  const { log } = await played([event(0, 'o', `${ESC}[?1049h${ESC}[1m${ESC}]0;x\u0007`)], { as: 'terminal' })
  assert.equal(log.join(''), `${ESC}[?1049h${ESC}[1m${ESC}(B\u000f${ESC}[?1049l${ESC}[?7h${ESC}[?25h${ESC}[r${ESC}[0m`)
})

test('who interrupts is not kept waiting', async () => {
  let stop = false
  const { log } = await played(session, { wait: () => ((stop = true), Promise.resolve()), stopped: () => stop })
  assert.deepEqual(log, [])
})
