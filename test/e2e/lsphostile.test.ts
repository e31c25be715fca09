/** What no editor sends, or not often: `ostiary lsp` answers with an error, or ends with a word, and never hangs. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { Folder, LanguageClient } from './lspclient.ts'

const WIRING = 'apiVersion: ostiary.dev/v1\nissuers: {}\nresources: {}\ndoors: {}\n'
const POLICY = "apiVersion: ostiary.dev/v1\nrules: [{ id: a, role: everyone, resource: ostiary, actions: ['* /**'] }]\n"

let folder: Folder
let client: LanguageClient

beforeEach(() => {
  folder = new Folder({ 'ostiary.yaml': WIRING, 'policy/p.yaml': POLICY })
  client = new LanguageClient()
})
afterEach(() => {
  client.kill()
  folder.remove()
})

const alive = async (): Promise<void> => {
  const { error } = await client.answer('no/such')
  assert.equal(error?.code, -32_601)
}

describe('what can be answered is', () => {
  test('before it is initialized, and after it was shut down', async () => {
    assert.equal((await client.answer('textDocument/hover', {})).error?.code, -32_002)
    await client.initialize()
    assert.equal((await client.answer('initialize', {})).error?.code, -32_600)
    await client.request('shutdown')
    assert.equal((await client.answer('textDocument/hover', {})).error?.code, -32_600)
    client.notify('exit')
    assert.equal(await client.ended, 0)
  })

  test('what is no JSON, no message, or of the wrong form', async () => {
    await client.initialize()
    const first = (code: number) =>
      client.find(({ id, error }) => (id === null && error?.code === code ? true : undefined), `error ${code}`)
    client.bytes('Content-Length: 5\r\n\r\n{"a":')
    await first(-32_700)
    client.bytes(Buffer.concat([Buffer.from('Content-Length: 2\r\n\r\n'), Buffer.from([0xc3, 0x28])]))
    client.bytes('Content-Length: 0\r\n\r\n')
    client.send([])
    await first(-32_600)
    for (const message of [
      'text',
      null,
      7,
      { jsonrpc: '1.0', id: 1, method: 'x' },
      { id: 1, method: 'x' },
      { jsonrpc: '2.0', id: {}, method: 'x' },
    ])
      client.send(message)
    for (const params of [
      undefined,
      null,
      [],
      'x',
      {},
      { textDocument: 1 },
      { textDocument: { uri: 'x' }, position: { line: -1, character: 1e99 } },
    ])
      assert.equal((await client.answer('textDocument/completion', params)).error?.code, -32_602)
    client.notify('textDocument/didOpen', { textDocument: null })
    client.notify('textDocument/didChange', {
      textDocument: { uri: folder.uri('never/opened.yaml'), version: 1 },
      contentChanges: [{ text: '' }],
    })
    client.notify('no/such')
    client.notify('$/setTrace', { value: 'off' })
    await alive()
  })

  test('places far outside, files that are none of ours, and URIs that are no files', async () => {
    await client.initialize()
    const uri = folder.uri('policy/p.yaml')
    client.open(uri, POLICY)
    const position = { line: 2 ** 31 - 1, character: 2 ** 31 - 1 }
    for (const method of ['completion', 'hover', 'definition', 'prepareRename'])
      assert.equal((await client.answer(`textDocument/${method}`, { textDocument: { uri }, position })).error, undefined, method)
    client.edit(uri, { start: position, end: { line: 0, character: 0 } }, '# more\n')
    for (const other of [
      'untitled:one',
      'file://elsewhere/policy/p.yaml',
      'http://[',
      '',
      folder.uri('README.md'),
      folder.uri('policy/.hidden.yaml'),
    ]) {
      client.open(other, 'text: [')
      const answer = await client.answer('textDocument/hover', { textDocument: { uri: other }, position })
      assert.equal(answer.result, null, other)
    }
    await alive()
  })

  test('what was cancelled while it waited', async () => {
    await client.initialize()
    const ask = (id: number): string => {
      const body = JSON.stringify({ jsonrpc: '2.0', id, method: 'no/such' })
      return `Content-Length: ${body.length}\r\n\r\n${body}`
    }
    const cancel = JSON.stringify({ jsonrpc: '2.0', method: '$/cancelRequest', params: { id: 9002 } })
    client.bytes(`${ask(9001)}${ask(9002)}Content-Length: ${cancel.length}\r\n\r\n${cancel}`)
    const { error } = await client.find((message) => (message.id === 9002 ? message : undefined), 'answer')
    assert.equal(error?.code, -32_800)
  })
})

describe('what is too much', () => {
  test('a text of 50 MB is a finding', async () => {
    await client.initialize()
    const uri = folder.uri('policy/p.yaml')
    client.open(uri, `${POLICY}# ${'x'.repeat(50 * 1024 * 1024)}\n`)
    const { diagnostics } = await client.diagnostics(uri)
    assert.deepEqual(
      diagnostics.map(({ code }) => code),
      ['config/too-large'],
    )
    client.edit(uri, { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } }, 'x')
    const version = client.write(uri, POLICY)
    const after = await client.diagnostics(uri, () => true, version)
    assert.ok(!after.diagnostics.some(({ code }) => code === 'config/too-large'))
  })

  test('a message larger than what is read is passed over, and the file counts', async () => {
    await client.initialize()
    const uri = folder.uri('policy/p.yaml')
    client.open(uri, 'rules: 1\n')
    await client.diagnostics(uri, (told) => told.diagnostics.some(({ code }) => code === 'config/missing'))
    const part = Buffer.alloc(1024 * 1024, ' ')
    client.bytes(`Content-Length: ${100 * part.length}\r\n\r\n`)
    for (let i = 0; i < 100; i++) client.bytes(part)
    await client.find(({ method }) => (method === 'window/logMessage' ? true : undefined), 'word of it')
    client.notify('textDocument/didSave', { textDocument: { uri } })
    await client.diagnostics(uri, (told) => !told.diagnostics.some(({ code }) => code === 'config/missing'))
  })

  test('changes without end of one message', async () => {
    await client.initialize()
    const uri = folder.uri('policy/p.yaml')
    client.open(uri, `# ${'x'.repeat(4 * 1024 * 1024)}\n`)
    const change = { range: { start: { line: 0, character: 0 }, end: { line: 0, character: 0 } }, text: '#' }
    client.notify('textDocument/didChange', {
      textDocument: { uri, version: 7 },
      contentChanges: Array.from({ length: 50_000 }, () => change),
    })
    await alive()
  })
})

describe('what leaves no way on ends it', () => {
  test('a header that is none', async () => {
    client.bytes('GET / HTTP/1.1\r\n\r\n')
    assert.equal(await client.ended, 1)
    assert.match(client.stderr, /a header line has no name/)
  })

  test('a length that nobody can send takes no memory; the end of the input ends it', async () => {
    await client.initialize()
    client.bytes('Content-Length: 999999999999999\r\n\r\n{')
    client.process.stdin.end()
    assert.equal(await client.ended, 1)
    assert.match(client.stderr, /the input ended/)
  })
})
