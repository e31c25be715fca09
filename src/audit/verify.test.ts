import assert from 'node:assert/strict'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import * as fc from 'fast-check'
import { hashOf } from './chain.ts'
import { decisionOf, done, openTestLog, settings, temporary, testSigner, type TestSigner } from './testdata/record.ts'
import { verify } from './verify.ts'

/** A record of several files with anchor, made once; tests alter copies of it. */
let folder: ReturnType<typeof temporary>
let signer: TestSigner
let lines: { segment: string; text: string; seq: number }[]

const original = (): string => join(folder.path, 'audit')
const anchor = (): string => join(folder.path, 'anchor')

before(async () => {
  folder = temporary()
  signer = testSigner()
  const log = await openTestLog(original(), signer, { anchors: [anchor()], options: { ...settings, segmentSize: 4096 } })
  for (let i = 0; i < 24; i++) {
    await log.decided(decisionOf(`d${i}`), 'strict')
    log.completed(`d${i}`, done, 'strict')
  }
  await log.close()
  lines = readdirSync(original())
    .filter((name) => name.endsWith('.jsonl'))
    .toSorted()
    .flatMap((segment) =>
      readFileSync(join(original(), segment), 'utf8')
        .split('\n')
        .slice(0, -1)
        .map((text) => ({ segment, text, seq: (JSON.parse(text) as { seq: number }).seq })),
    )
})

after(() => folder[Symbol.dispose]())

let copies = 0

/** Writes lines as a record of its own and verifies it. */
async function verifyLines(altered: readonly { segment: string; text: string }[], withAnchor: boolean) {
  return verifyFiles(
    Map.groupBy(altered, ({ segment }) => segment)
      .entries()
      .map(([segment, of]) => [segment, Buffer.from(of.map(({ text }) => `${text}\n`).join(''))] as const),
    withAnchor,
  )
}

async function verifyFiles(files: Iterable<readonly [string, Buffer]>, withAnchor: boolean) {
  const dir = join(folder.path, `copy${copies++}`)
  mkdirSync(dir)
  for (const [segment, bytes] of files) writeFileSync(join(dir, segment), bytes)
  const result = await verify(dir, { keys: [signer.jwk], anchors: withAnchor ? [anchor()] : [] })
  rmSync(dir, { recursive: true })
  return result
}

test('a record that nobody touched is whole, with and without anchor', async () => {
  assert.ok(new Set(lines.map(({ segment }) => segment)).size >= 4)
  for (const withAnchor of [false, true]) {
    const result = await verifyLines(lines, withAnchor)
    assert.equal(result.problem, undefined)
    assert.ok(result.ok && result.closed)
    assert.equal(result.lines, lines.length)
    assert.equal(result.unsigned, 0)
    assert.equal(result.signed?.seq, lines.length)
    assert.equal(result.completeUpTo?.seq, withAnchor ? lines.length : undefined)
  }
})

const position = fc.nat().map((n) => n % lines.length)
const options = { numRuns: 40 }

test('a removed line is named', () =>
  fc.assert(
    fc.asyncProperty(position, async (at) => {
      const result = await verifyLines(lines.toSpliced(at, 1), true)
      assert.equal(result.ok, false)
      assert.equal(result.problem?.looksLike, 'removed')
      assert.equal(result.problem.seq, lines[at]!.seq)
    }),
    options,
  ))

test('a line that was put in is named, be it a copy or not', () =>
  fc.assert(
    fc.asyncProperty(
      position,
      position,
      fc.option(fc.string({ maxLength: 200 }).map((text) => text.replaceAll('\n', ''))),
      async (from, to, text) => {
        const segment = lines[to]!.segment
        const result = await verifyLines(lines.toSpliced(to, 0, { segment, seq: 0, text: text ?? lines[from]!.text }), true)
        assert.equal(result.ok, false)
        assert.equal(result.problem?.looksLike, 'added', result.problem?.text)
        // A copy in front of what it copies: the copy is as good, what it copies is one too many.
        assert.equal(result.problem.seq, lines[to]!.seq + (text === null && from === to ? 1 : 0))
      },
    ),
    options,
  ))

test('lines that changed places are named', () =>
  fc.assert(
    fc.asyncProperty(position, position, async (a, b) => {
      fc.pre(a !== b)
      const altered = lines.with(a, { ...lines[b]!, segment: lines[a]!.segment }).with(b, { ...lines[a]!, segment: lines[b]!.segment })
      const result = await verifyLines(altered, true)
      assert.equal(result.ok, false)
      assert.equal(result.problem?.looksLike, 'reordered')
      assert.equal(result.problem.seq, lines[Math.min(a, b)]!.seq)
    }),
    options,
  ))

test('a changed byte is found in its record', () =>
  fc.assert(
    fc.asyncProperty(position, fc.nat(), fc.integer({ min: 1, max: 255 }), async (at, offset, mask) => {
      const segment = lines[at]!.segment
      const bytes = readFileSync(join(original(), segment))
      const index = offset % bytes.length
      bytes[index]! ^= mask
      const result = await verifyFiles(
        readdirSync(original())
          .filter((name) => name.endsWith('.jsonl'))
          .map((name) => [name, name === segment ? bytes : readFileSync(join(original(), name))]),
        true,
      )
      assert.equal(result.ok, false)
      const before = readFileSync(join(original(), segment), 'latin1').slice(0, index).split('\n').length - 1
      const hit = lines.filter((line) => line.segment === segment)[before]!
      // A newline more splits a record, one less joins two: the first of them is the one.
      assert.equal(result.problem?.seq, hit.seq, result.problem?.text)
    }),
    options,
  ))

test('a cut at the end is invisible without an anchor, says so, and is found with one', () =>
  fc.assert(
    fc.asyncProperty(fc.nat(), async (n) => {
      const last = lines.at(-1)!.segment
      const bytes = readFileSync(join(original(), last))
      const cut = bytes.subarray(0, bytes.length - 1 - (n % (bytes.length - 400)))
      const files = (): [string, Buffer][] =>
        readdirSync(original())
          .filter((name) => name.endsWith('.jsonl'))
          .map((name) => [name, name === last ? cut : readFileSync(join(original(), name))])
      const without = await verifyFiles(files(), false)
      assert.equal(without.closed, false)
      assert.equal(without.completeUpTo, undefined)
      assert.ok(without.notes.some((note) => note.includes('does not end with an orderly stop')))
      const result = await verifyFiles(files(), true)
      assert.equal(result.ok, false)
      assert.equal(result.problem?.looksLike, 'removed')
      assert.match(result.problem.text, /^the end was cut off: anchor .* vouches for record/)
    }),
    { numRuns: 20 },
  ))

test('a file that is missing is a removal, a copied one an addition, a renamed one is told', async () => {
  const names = [...new Set(lines.map(({ segment }) => segment))]
  const without = (name: string) => lines.filter(({ segment }) => segment !== name)
  for (const [index, name] of names.entries()) {
    const result = await verifyLines(without(name), true)
    assert.equal(result.problem?.looksLike, 'removed', result.problem?.text)
    if (index > 0) assert.equal(result.problem.seq, Number(name.slice(0, 10)))
  }
  const copied = await verifyLines(
    [...lines, ...lines.filter(({ segment }) => segment === names[0]).map((line) => ({ ...line, segment: '0000009999.jsonl' }))],
    true,
  )
  assert.equal(copied.problem?.looksLike, 'added')
  const renamed = await verifyLines(
    lines.map((line) =>
      line.segment === names[1] ? { ...line, segment: String(Number(names[1]?.slice(0, 10)) + 1).padStart(10, '0') + '.jsonl' } : line,
    ),
    true,
  )
  assert.match(renamed.problem!.text, /was renamed/)
})

/** Chains lines anew, as somebody would who knows everything but the key. */
function forge(altered: readonly { segment: string; text: string }[]): { segment: string; text: string }[] {
  let hash = '0'.repeat(64)
  return altered.map(({ segment, text }, index) => {
    const body = text
      .replace(/,"hash":"[0-9a-f]{64}"\}$/, '')
      .replace(/^\{"seq":\d+/, `{"seq":${index + 1}`)
      .replace(/"previous":"[0-9a-f]{64}"/, `"previous":"${hash}"`)
    hash = hashOf(Buffer.from(hash + body))
    return { segment, text: `${body},"hash":"${hash}"}` }
  })
}

test('who rewrites the chain without the key is found at the next signature', async () => {
  const at = lines.findIndex(({ text }) => text.includes('"kind":"decision"'))
  const altered = lines.with(at, { ...lines[at]!, text: lines[at]!.text.replace('/orders/7', '/orders/8') })
  assert.notEqual(altered[at]!.text, lines[at]!.text)
  const result = await verifyLines(forge(altered), false)
  assert.equal(result.problem?.looksLike, 'altered')
  assert.match(result.problem.text, /is not signed by the gateway: one of the records \d+ to \d+ was written by somebody else/)
  assert.ok(result.signed!.seq < lines[at]!.seq && lines[at]!.seq < result.problem.seq)
})

test('a forged line behind an orderly stop is an addition', async () => {
  const forged = forge([
    ...lines,
    { segment: lines.at(-1)!.segment, text: lines.find(({ text }) => text.includes('"kind":"decision"'))!.text },
  ])
  assert.deepEqual(
    forged.slice(0, -1).map(({ text }) => text),
    lines.map(({ text }) => text),
  )
  const result = await verifyLines(forged, true)
  assert.equal(result.problem?.looksLike, 'added')
  assert.equal(result.problem.seq, lines.length + 1)
})

test('a key that is not known vouches for nothing', async () => {
  const other = testSigner('k2')
  const result = await verify(original(), { keys: [other.jwk] })
  assert.match(result.problem!.text, /signed by a key that is not known \(k1\)/)
  const impostor = await verify(original(), { keys: [{ ...other.jwk, kid: 'k1' }] })
  assert.match(impostor.problem!.text, /is not signed by the gateway/)
})

test('an anchor that was altered, or belongs to another record, is told', async () => {
  const file = join(folder.path, 'altered-anchor')
  const text = readFileSync(anchor(), 'utf8')
  const check = async () => verify(original(), { keys: [signer.jwk], anchors: [file] })
  writeFileSync(
    file,
    text.replaceAll(/"seq":\d+/g, (all) => (all === `"seq":${lines.length}` ? '"seq":9999' : all)),
  )
  assert.match((await check()).anchors[0]!.problem!, /its signature is wrong/)
  writeFileSync(file, text.replaceAll(/"log":"[^"]*"/g, '"log":"another"'))
  const foreign = await check()
  assert.equal(foreign.ok, false)
  assert.equal(foreign.anchors[0]!.problem, 'all its checkpoints are of another record')
  writeFileSync(file, `garbage\n${text}`)
  const garbled = await check()
  assert.equal(garbled.ok, true)
  assert.ok(garbled.notes.some((note) => note.includes('1 lines of anchor')))
  await assert.rejects(verify(original(), { keys: [signer.jwk], anchors: [join(folder.path, 'nowhere')] }), { code: 'audit/no-anchor' })
})

test('hostile files end in a verdict, never in an exception', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(
          fc.uint8Array({ maxLength: 400 }),
          fc.constant(Buffer.from(`${lines[0]?.text ?? ''}\n`)),
          fc.constant(Buffer.from('\n')),
          fc.json().map((text) => Buffer.from(`${text}\n`)),
        ),
        { maxLength: 6 },
      ),
      async (chunks) => {
        const result = await verifyFiles([['0000000001.jsonl', Buffer.concat(chunks)]], true)
        assert.equal(result.ok, false)
        assert.equal(typeof result.problem?.text, 'string')
      },
    ),
    { numRuns: 100 },
  ))
