/** What covers what, and what meets what, a few of each protocol by hand: the properties try the rest. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { vocabularies } from './index.ts'
import type { Side } from './sets/values.ts'

type Protocol = keyof typeof vocabularies
/** `takes` in front of a pattern is for a guardrail's; every other is a rule's. */
type Row = readonly [a: string, b: string, covers: boolean, overlaps: boolean]

const ROWS: Readonly<Partial<Record<Protocol, readonly Row[]>>> = {
  http: [
    ['* /**', 'GET /a', true, true],
    ['GET /**', '* /a', false, true],
    ['GET /{x}', 'GET /a', true, true],
    ['GET /a', 'GET /{x}', false, true],
    ['GET /a', 'GET /b', false, false],
    ['GET /a', 'HEAD /a', true, true],
    ['HEAD /a', 'GET /a', false, true],
    ['GET /a/**', 'GET /a', false, false],
    ['GET /a/**', 'GET /a/', true, true],
    ['GET /{x}', 'GET /', false, false],
  ],
  kubernetes: [
    ['* pods', 'get pods', true, true],
    ['get pods', '* pods', false, true],
    ['get,list pods', 'get pods', true, true],
    ['get pods', 'get,list pods', false, true],
    ['get pods', 'list pods', false, false],
    ['get pods', 'get services', false, false],
    ['get pods -n web', 'get pods -n api', false, false],
    ['get pods', 'get pods -n web', true, true],
    ['get pods -n web', 'get pods', false, true],
    ['get /healthz', 'get pods', false, false],
    ['get /healthz', 'get /livez', false, false],
    ['get /health/**', 'get /health/a', true, true],
  ],
  container: [
    ['run *', 'run acme/web:1', true, true],
    ['run acme/web:1', 'run *', false, true],
    ['run acme/web:1', 'run acme/web:2', false, false],
    ['run acme/*', 'run acme/web', true, true],
    ['run,stop *', 'run *', true, true],
    ['run *', 'run,stop *', false, true],
    ['run *', 'stop *', false, false],
    ['run * with privileged', 'run *', true, true],
    ['run *', 'run * with privileged', false, true],
    ['stop * named web', 'stop * named api', false, false],
    ['stop *', 'stop * named web', true, true],
    ['run acme/web', 'run acme/web:1', true, true],
    ['info', 'info', true, true],
    ['info', 'version', false, false],
    // A guardrail also meets what can't be told: no rule over some images covers it.
    ['run acme/web', 'takes run acme/web', false, true],
    ['takes run acme/web', 'run acme/web', true, true],
  ],
  mcp: [
    ['tools/call *', 'tools/call find', true, true],
    ['tools/call find', 'tools/call *', false, true],
    ['tools/call find', 'tools/call save', false, false],
    ['resources/read file:///a/**', 'resources/read file:///a/b', true, true],
    ['resources/read file:///a/*', 'resources/read file:///b/*', false, false],
    ['ping', 'tools/list', false, false],
    ['ping,tools/list', 'ping', true, true],
  ],
  llm: [
    ['chat *', 'chat gpt-4o', true, true],
    ['chat gpt-4o', 'chat *', false, true],
    ['chat gpt-4o', 'chat claude', false, false],
    ['chat *', 'embed *', false, false],
    ['models', 'models', true, true],
    ['* *', 'models', false, false],
  ],
}

const sided = (text: string): readonly [string, Side] => (text.startsWith('takes ') ? [text.slice(6), 'takes'] : [text, 'grants'])

for (const [protocol, rows] of Object.entries(ROWS) as readonly (readonly [Protocol, readonly Row[]])[])
  describe(protocol, () => {
    const { parse, covers, overlaps } = vocabularies[protocol]
    const read = (text: string) => {
      const { pattern, problem } = parse(...sided(text))
      if (pattern === undefined) throw new Error(`${text}: ${problem}`)
      return pattern
    }
    for (const [a, b, covering, overlapping] of rows)
      test(`${a} ${covering ? 'covers' : overlapping ? 'meets' : 'has nothing of'} ${b}`, () => {
        assert.deepEqual(
          [covers(read(a), read(b)), overlaps(read(a), read(b)), overlaps(read(b), read(a))],
          [covering, overlapping, overlapping],
        )
      })
  })
