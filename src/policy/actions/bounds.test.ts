/** How much of anything a pattern or an action may have: the last that may be, and the first that may not. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Action, SqlAction } from '../../core/action.ts'
import { isRepository, isVersion } from './container/image.ts'
import { isOption } from './container/options.ts'
import { requestOf, vocabularies, vocabularyOf } from './index.ts'
import { writtenAs } from './kubernetes/known.ts'
import { isUri } from './mcp/canonical.ts'
import { MAX_STARS } from './sets/glob.ts'
import { isEndpoint } from './ssh/canonical.ts'
import { isProblem, wordList } from './text.ts'
import { everyBut, some, wordsCover, wordsOverlap } from './sets/words.ts'
import type { Side } from './sets/values.ts'

type Protocol = keyof typeof vocabularies

function pattern(protocol: Protocol, text: string, side: Side = 'grants') {
  const parsed = vocabularies[protocol].parse(text, side)
  if (parsed.pattern === undefined) throw new Error(`${text}: ${parsed.problem}`)
  return parsed.pattern
}

function problem(protocol: Protocol, text: string): string | undefined {
  return vocabularies[protocol].parse(text, 'grants').problem
}

describe('stars', () => {
  const stars = (count: number): string => Array.from({ length: count + 1 }, () => 'a').join('*')
  const forms: readonly (readonly [protocol: Protocol, text: (stars: string) => string, told: (stars: string) => string])[] = [
    ['container', (some) => `run acme/web:${some}`, (some) => `\`:${some}\` has`],
    ['container', (some) => `stop * named ${some}`, (some) => `\`${some}\` has`],
    ['mcp', (some) => `tools/call ${some}`, (some) => `\`${some}\` has`],
    ['mcp', (some) => `resources/read file:///${some}/b`, () => 'a segment has'],
    ['llm', (some) => `chat ${some}`, (some) => `\`${some}\` has`],
    ['sql', (some) => `select on public.${some}`, (some) => `\`${some}\` has`],
    ['ssh', (some) => `exec as deploy: cat ${some}`, (some) => `\`${some}\` has`],
    ['ssh', (some) => `subsystem as deploy: ${some}`, (some) => `\`${some}\` has`],
  ]
  for (const [protocol, text, told] of forms)
    test(`${text('a*')} of ${protocol}`, () => {
      assert.equal(problem(protocol, text(stars(MAX_STARS))), undefined)
      assert.equal(problem(protocol, text(stars(MAX_STARS + 1))), `${told(stars(MAX_STARS + 1))} more than ${MAX_STARS} stars`)
    })
})

describe('lengths', () => {
  const canonical = (protocol: Protocol, action: Action, text = '*') =>
    vocabularies[protocol].matches(pattern(protocol, text, 'takes'), action)
  test('of a repository', () =>
    assert.deepEqual(
      [254, 255, 256].map((length) => isRepository(`x.example/${'a'.repeat(length - 10)}`)),
      [true, true, false],
    ))
  test('of a digest', () =>
    assert.deepEqual(
      [63, 64, 65].map((length) => isVersion(`@sha256:${'0'.repeat(length)}`)),
      [false, true, false],
    ))
  test('of the path of a mount', () =>
    assert.deepEqual(
      [1023, 1024, 1025].map((length) => isOption(`mount /${'a'.repeat(length - 1)}`)),
      [true, true, false],
    ))
  test('of the name of a method', () =>
    assert.deepEqual(
      [127, 128, 129].map((length) => canonical('mcp', { protocol: 'mcp', method: 'a'.repeat(length), name: '' })),
      [true, true, false],
    ))
  test('of tokens', () => {
    const chat = (tokens: number) => canonical('llm', { protocol: 'llm', operation: 'chat', model: 'm', tokens })
    assert.deepEqual([chat(-1), chat(0), chat(1), chat(0.5), chat(Number.MAX_SAFE_INTEGER + 1)], [false, true, true, false, false])
    const read = (tokens: unknown) => vocabularies.llm.readParts('chat', { model: 'm', tokens })
    assert.deepEqual(read(0), { protocol: 'llm', operation: 'chat', model: 'm', tokens: 0 })
    for (const tokens of [-1, 0.5, '1']) assert.deepEqual(read(tokens), { problem: 'the property `tokens` is no whole number' })
  })
})

test('a URI has one spelling', () => {
  for (const text of ['file:///srv/a', 'https://example.com/a?b', 'urn:a:b', 'file:///srv/a%20b', 'x:/a'])
    assert.equal(isUri(text), true, text)
  for (const text of [
    'file:////srv/a',
    'file:///srv//a',
    'file://host//a',
    'x:/a//b',
    'https://Example.com/a',
    'file:///srv/../a',
    'file:///srv/./a',
    'file:///srv/%61',
    'file:///srv/%2e',
    'file:///srv/%2Fa',
    'file:///a b',
    'file:///a#b',
  ])
    assert.equal(isUri(text), false, text)
  const guardrail = pattern('mcp', 'resources/read file:///srv/secret/**', 'takes')
  const all = pattern('mcp', 'resources/read *')
  const read = (name: string) =>
    [all, guardrail].map((one) => vocabularies.mcp.matches(one, { protocol: 'mcp', method: 'resources/read', name }))
  assert.deepEqual(read('file:///srv/secret/a'), [true, true])
  assert.deepEqual(read('file:////srv/secret/a'), [false, false])
})

const MAX_LIST = 64

describe('templates of http', () => {
  test('as many segments as may be, and one more', () => {
    const template = (count: number): string => `GET ${'/a'.repeat(count)}`
    assert.equal(problem('http', template(64)), undefined)
    assert.equal(problem('http', template(65)), 'it has more than 64 segments')
    const index = vocabularies.http.index(
      [
        [pattern('http', template(64)), 'a'],
        [pattern('http', 'GET /a/**'), 'b'],
      ],
      (values) => values,
    )
    const found = (count: number) => index.find({ protocol: 'http', method: 'GET', path: '/a'.repeat(count) }).flat()
    assert.deepEqual([found(63), found(64).toSorted(), found(65), found(200)], [['b'], ['a', 'b'], ['b'], ['b']])
  })
  test('a character outside of ASCII, however it is spelled', () => {
    const index = vocabularies.http.index([[pattern('http', 'GET /é/{x}'), 'a']], (values) => values)
    for (const path of ['/é/é', '/%C3%A9/x', '/%c3%a9/é', '/é/%C3%A9'])
      assert.deepEqual(index.find({ protocol: 'http', method: 'GET', path }), [['a']], path)
    for (const path of ['/e/x', '/É/x', '/é/', '/é']) assert.deepEqual(index.find({ protocol: 'http', method: 'GET', path }), [], path)
  })
  test('more of them than tries share an array for', () => {
    const many = Array.from({ length: 20_000 }, (_, i) => `/item-${i}`)
    const index = vocabularies.http.index(
      many.map((path) => [pattern('http', `GET ${path}`), path] as const),
      (values) => values,
    )
    for (const path of [many[0]!, many[9999]!, many.at(-1)!])
      assert.deepEqual(index.find({ protocol: 'http', method: 'GET', path }), [[path]])
    assert.deepEqual(index.find({ protocol: 'http', method: 'GET', path: '/item-20000' }), [])
  })
})

describe('lists', () => {
  const known = Array.from({ length: MAX_LIST + 1 }, (_, i) => `w${i}`)
  test('as long as may be, and longer', () => {
    assert.deepEqual(wordList(known.slice(1).join(','), 'words', known), known.slice(1))
    assert.deepEqual(wordList(known.join(','), 'words', known), { problem: `it lists more than ${MAX_LIST} of words` })
  })
  test('of words that are not there', () => {
    const help = (word: string) => (wordList(word, 'words', ['read', 'write']) as { help?: string }).help
    assert.deepEqual([help('READ'), help('raed'), help('x')], ['write `read`', 'did you mean `read`?', 'there are `read`, `write`'])
  })
})

describe('what is canonical', () => {
  const meets = (protocol: Protocol, text: string, action: Action) =>
    vocabularies[protocol].matches(pattern(protocol, text, 'takes'), action)
  test('of a database', () => {
    const access = (statement: string, schema: string, object: string, column: string): SqlAction => ({
      protocol: 'sql',
      class: statement,
      schema,
      object,
      column,
    })
    const met = (one: SqlAction) => [meets('sql', '* on *.*', one), meets('sql', 'transaction', one)]
    assert.deepEqual(met(access('select', 'public', 'orders', 'id')), [true, false])
    assert.deepEqual(met(access('delete', 'public', 'orders', '')), [true, false])
    assert.deepEqual(met(access('delete', 'public', 'orders', 'id')), [false, false])
    assert.deepEqual(met(access('transaction', '', '', '')), [false, true])
    assert.deepEqual(met(access('transaction', 'public', '', '')), [false, false])
    // What can't be told apart is about anything, and said so in every field.
    assert.deepEqual(met(access('other', '*', '*', '*')), [true, true])
    for (const odd of [access('other', 'public', '*', '*'), access('other', '*', 'orders', '*'), access('other', '*', '*', 'id')])
      assert.deepEqual(met(odd), [false, false])
    assert.deepEqual(met(access('selekt', 'public', 'orders', 'id')), [false, false])
  })
  test('columns are of the classes that have them', () => {
    assert.match(problem('sql', 'select,delete,call on public.orders(id)')!, /^`delete` has no columns/)
    const all = pattern('sql', '* on public.orders(id)', 'takes')
    const met = (statement: string, column: string) =>
      vocabularies.sql.matches(all, { protocol: 'sql', class: statement, schema: 'public', object: 'orders', column })
    assert.deepEqual([met('select', 'id'), met('select', 'name'), met('delete', '')], [true, false, false])
    const said = pattern('sql', 'select,insert,update,merge on public.orders(id)')
    assert.equal(vocabularies.sql.covers(said, pattern('sql', '* on public.orders(id)')), true)
  })
  test('an access of a database by its parts', () => {
    const read = vocabularies.sql.readParts
    assert.deepEqual(read('transaction', {}), { protocol: 'sql', class: 'transaction', schema: '', object: '', column: '' })
    for (const said of [{ schema: 'a' }, { object: 'a' }, { column: 'a' }])
      assert.equal((read('transaction', said) as { problem?: string }).problem, '`transaction` is on nothing')
    assert.deepEqual(read('select', {}), { protocol: 'sql', class: 'select', schema: '*', object: '*', column: '*' })
  })
  test('the port of an endpoint', () =>
    assert.deepEqual(
      ['0', '1', '65535', '65536', '99999'].map((port) => isEndpoint(`db:${port}`)),
      [false, true, true, false, false],
    ))
  test('the words of a command', () => {
    const read = (command: unknown) => vocabularies.ssh.readParts('exec', { login: 'deploy', command })
    assert.deepEqual(read(['cat', 'a b']), {
      protocol: 'ssh',
      operation: 'exec',
      login: 'deploy',
      access: '',
      command: ['cat', 'a b'],
      target: '',
    })
    const none = { problem: 'the property `command` is neither a text nor a list of words' }
    for (const command of [['cat', 7], [7, 'cat'], ['cat', { length: 1 }], [], ['', 'a'], ['cat', 'a\nb'], ['cat', '\u202e'], 7])
      assert.deepEqual(read(command), none)
    assert.deepEqual(isProblem(vocabularies.ssh.readParts('exec', { login: 7 })), true)
  })
  test('a command that can not be told is in no field', () => {
    const fields = (text: string) => [...vocabularies.ssh.request(vocabularies.ssh.read(text) as Action).keys()]
    assert.deepEqual(fields('exec as deploy: uptime'), ['operation', 'login', 'access', 'command', 'target'])
    assert.deepEqual(fields('shell as deploy'), ['operation', 'login', 'access', 'target'])
  })
  test('no parameters, where patterns have none', () =>
    assert.deepEqual(
      vocabularies.ssh.parameters(pattern('ssh', 'shell as deploy'), vocabularies.ssh.read('shell as deploy') as Action),
      new Map(),
    ))
})

describe('what leaves nothing out', () => {
  const cases: readonly (readonly [protocol: Protocol, text: string, side: Side, all: boolean])[] = [
    ['http', '* /**', 'grants', true],
    ['http', 'GET /**', 'grants', false],
    ['http', '* /a/**', 'grants', false],
    ['http', '* /', 'grants', false],
    ['container', '*', 'takes', true],
    ['container', '*', 'grants', true],
    ['container', 'run', 'grants', false],
    [
      'container',
      'pull,push,tag,save,rmi,images,history,run,start,stop,restart,kill,pause,unpause,rm,rename,update,wait,logs,top,stats,diff,inspect acme/web',
      'grants',
      false,
    ],
    ['sql', '* on *.*', 'grants', true],
    ['sql', '* on *.*', 'takes', true],
    ['sql', 'select on *.*', 'grants', false],
    ['sql', '* on public.*', 'grants', false],
    ['sql', '* on *.orders', 'grants', false],
    ['sql', '* on *.*(id)', 'grants', false],
    ['ssh', 'shell,exec,sftp as *', 'takes', true],
    ['ssh', 'shell,exec as *', 'grants', false],
    ['ssh', 'shell,exec,sftp as deploy', 'grants', false],
    ['ssh', 'exec as *: uptime', 'grants', false],
    ['mcp', '*', 'takes', true],
    ['mcp', '*', 'grants', true],
    ['mcp', 'ping', 'grants', false],
    ['mcp', 'resources/read *', 'grants', false],
    ['llm', '*', 'takes', true],
    ['llm', '*', 'grants', true],
    ['llm', 'chat *', 'grants', false],
    ['llm', '* gpt-4o', 'grants', false],
  ]
  for (const [protocol, text, side, all] of cases)
    test(`${text.slice(0, 30)} ${side} of ${protocol}: ${all ? 'nothing' : 'something'}`, () =>
      assert.equal(vocabularies[protocol].isAll(pattern(protocol, text, side)), all))
})

describe('sets of words', () => {
  const [a, ab, butA, butAB] = [some(['a']), some(['a', 'b']), everyBut(['a']), everyBut(['a', 'b'])]
  test('cover what they have', () => {
    assert.deepEqual([wordsCover(ab, a), wordsCover(a, ab), wordsCover(butA, some(['b'])), wordsCover(butA, a)], [true, false, true, false])
    assert.deepEqual([wordsCover(butA, butAB), wordsCover(butAB, butA), wordsCover(butA, butA)], [true, false, true])
    assert.deepEqual([wordsCover(everyBut(), butA), wordsCover(butA, everyBut()), wordsCover(ab, butA)], [true, false, false])
  })
  test('overlap in what both have', () => {
    assert.deepEqual(
      [wordsOverlap(a, ab), wordsOverlap(a, some(['b'])), wordsOverlap(a, butA), wordsOverlap(butA, ab)],
      [true, false, false, true],
    )
    assert.deepEqual([wordsOverlap(butA, butAB), wordsOverlap(butA, a), wordsOverlap(some([]), butA)], [true, false, false])
  })
})

test('what a resource of Kubernetes is called', () => {
  const names = ['po', 'deploy', 'pod', 'ingress', 'deployments', 'clusterroles', 'widgets', 'constructor']
  assert.deepEqual(names.map(writtenAs), [
    'pods',
    'deployments.apps',
    'pods',
    'ingresses.networking.k8s.io',
    'deployments.apps',
    'clusterroles.rbac.authorization.k8s.io',
    undefined,
    undefined,
  ])
})

test('what is no group of an API is told', () => assert.match(problem('kubernetes', 'get pods.Foo_')!, /`Foo_` is not an API group/))

describe('across protocols', () => {
  const http = pattern('http', '* /**')
  const ssh = pattern('ssh', 'exec as deploy: uptime')
  test('no pattern covers or meets another, in either place', () => {
    for (const { covers, overlaps } of [vocabularies.http, vocabularies.ssh])
      assert.deepEqual([covers(http, ssh), covers(ssh, http), overlaps(http, ssh), overlaps(ssh, http)], [false, false, false, false])
    assert.deepEqual([vocabularies.http.isAll(ssh), vocabularies.ssh.isAll(http)], [false, false])
  })
  test('no action of another is found', () => {
    const action: Action = { protocol: 'llm', operation: 'models', model: '' }
    const index = vocabularies.http.index([[http, 'x']], (values) => values)
    assert.deepEqual(index.find(action), [])
    assert.equal(vocabularies.http.matches(http, action), false)
    // Also not one that has the fields of both.
    const both = { protocol: 'mcp', method: 'GET', path: '/', name: '' } as Action
    assert.deepEqual(index.find(both), [])
    assert.deepEqual(index.find({ ...both, protocol: 'http' } as Action), [['x']])
  })
  test('nor by the index of another that has the same fields', () => {
    const models = vocabularies.llm.index([[pattern('llm', 'models'), 'x']], (values) => values)
    const both = { protocol: 'ssh', operation: 'models', model: '', login: 'deploy', access: '', target: '' } as Action
    assert.deepEqual(models.find(both), [])
    assert.deepEqual(models.find({ ...both, protocol: 'llm' } as Action), [['x']])
  })
  test('there is no vocabulary of a protocol that is not there', () => {
    assert.equal(vocabularyOf('gopher'), undefined)
    assert.equal(vocabularyOf('constructor'), undefined)
    assert.deepEqual(requestOf({ protocol: 'gopher' } as unknown as Action), new Map())
  })
})

test('of several that are wrong, the first is told', () => {
  assert.equal(problem('container', 'run,info,events acme/web'), '`info` is on no image')
  assert.equal(problem('container', 'run,pull,push * named web'), '`pull` is on no container')
  assert.equal(problem('container', 'run,stop,start * with privileged'), '`stop` has no options')
  assert.equal(problem('mcp', 'tools/call,ping,tools/list x'), '`ping` has no name')
  assert.equal(problem('mcp', 'ping,tools/call,prompts/get'), '`tools/call` needs a name, and `ping` has none')
  assert.equal(problem('llm', 'chat,models,batch gpt-4o'), '`models` is on no model')
})
