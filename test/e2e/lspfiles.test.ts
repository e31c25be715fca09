/** `ostiary lsp` over several files: definitions, references, renames, outlines, environments, line ends and what is half written. */
import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'
import { Folder, LanguageClient, marked, type Range } from './lspclient.ts'

const WIRING = `apiVersion: ostiary.dev/v1
issuers:
  entra: { kind: entra, tenants: [11111111-1111-4111-8111-111111111111], audiences: [api://orders] }
resources:
  orders: { protocol: http, hosts: [orders.example.com], upstream: { url: https://orders.internal.example.com } }
doors:
  http: { listen: [{ address: 127.0.0.1:8080 }] }
`
const ROLES = `apiVersion: ostiary.dev/v1
roles:
  reader: { bind: [{ issuer: entra, claim: roles, any: [Orders.Read] }] }
  admin: { bind: [{ issuer: entra, claim: roles, any: [Admin] }], includes: [reader] }
  contractor: {}
`
const RULES = `apiVersion: ostiary.dev/v1
rules:
  - { id: read-orders, role: [reader, "contractor"], resource: orders, actions: ['GET /orders/{id}'] }
  - { id: administer, role: admin, resource: ostiary, actions: ['* /**'] }
`
const TESTS = `apiVersion: ostiary.dev/v1
tests:
  - name: a reader reads
    principal: { issuer: entra, claims: { roles: [Orders.Read] } }
    does: GET /orders/7
    on: orders
    expect: allow
    because: read-orders
`
const PRODUCTION = `apiVersion: ostiary.dev/v1
bindings:
  contractor: [{ issuer: entra, claim: groups, any: [33333333-3333-4333-8333-333333333333] }]
`

let folder: Folder
let client: LanguageClient
const uri = (path: string): string => folder.uri(path)
const RULES_FILE = 'policy/team/orders.yaml'

describe('files in an editor', () => {
  before(async () => {
    folder = new Folder({
      'ostiary.yaml': WIRING,
      'policy/roles.yaml': ROLES,
      [RULES_FILE]: RULES,
      'policy/orders.test.yaml': TESTS,
      'environments/production.yaml': PRODUCTION,
    })
    client = new LanguageClient()
    await client.initialize()
    client.open(uri(RULES_FILE), RULES)
    assert.deepEqual((await client.diagnostics(uri(RULES_FILE))).diagnostics, [])
  })
  afterEach(() => void client.write(uri(RULES_FILE), RULES))
  after(async () => {
    assert.equal(await client.end(), 0, client.stderr)
    folder.remove()
  })

  interface Location {
    readonly uri: string
    readonly range: Range
  }
  const ask = <T>(method: string, text: string, more: object = {}): Promise<T> => {
    const { text: plain, position } = marked(text)
    client.write(uri(RULES_FILE), plain)
    return client.request(method, { textDocument: { uri: uri(RULES_FILE) }, position, ...more })
  }
  const short = (locations: readonly Location[]): readonly string[] =>
    locations.map(({ uri: at, range: { start } }) => `${at.slice(folder.uri('').length)}:${start.line}:${start.character}`)

  describe('names across files', () => {
    test('a role is defined once, and everything that speaks of it refers to it', async () => {
      const text = RULES.replace('[reader', '[rea|der')
      assert.deepEqual(short(await ask('textDocument/definition', text)), ['/policy/roles.yaml:2:2'])
      const references = await ask<Location[]>('textDocument/references', text, { context: { includeDeclaration: true } })
      assert.deepEqual(short(references), ['/policy/roles.yaml:2:2', '/policy/roles.yaml:3:77', '/policy/team/orders.yaml:2:30'])
    })

    test('resources, issuers and ids lead to where they are declared', async () => {
      assert.deepEqual(short(await ask('textDocument/definition', RULES.replace('resource: orders', 'resource: |orders'))), [
        '/ostiary.yaml:4:2',
      ])
      const references = await ask<Location[]>('textDocument/references', RULES.replace('id: read', 'id: |read'), {
        context: { includeDeclaration: false },
      })
      assert.deepEqual(short(references), ['/policy/orders.test.yaml:7:13'])
    })

    test('a role is renamed in every file, quotes kept, environments included', async () => {
      const text = RULES.replace('"contractor"', '"contr|actor"')
      const prepared = await ask<{ placeholder: string }>('textDocument/prepareRename', text)
      assert.equal(prepared.placeholder, 'contractor')
      const { changes } = await ask<{ changes: Record<string, { newText: string; range: Range }[]> }>('textDocument/rename', text, {
        newName: 'temp',
      })
      assert.deepEqual(
        Object.entries(changes).map(([at, edits]) => [at, edits.map(({ newText }) => newText)]),
        [
          [uri('environments/production.yaml'), ['temp']],
          [uri('policy/roles.yaml'), ['temp']],
          [uri(RULES_FILE), ['"temp"']],
        ],
      )
    })

    test('what would change the meaning of the policy is not renamed', async () => {
      const refused = async (text: string, newName: string): Promise<string | undefined> => {
        const { text: plain, position } = marked(text)
        client.write(uri(RULES_FILE), plain)
        const { error } = await client.answer('textDocument/rename', { textDocument: { uri: uri(RULES_FILE) }, position, newName })
        return error?.message
      }
      const text = RULES.replace('[reader', '[rea|der')
      assert.match((await refused(text, 'admin')) ?? '', /`admin` is declared already/)
      assert.match((await refused(text, 'Not A Name')) ?? '', /lower-case letters/)
      assert.match((await refused(text, 'everyone')) ?? '', /built in/)
      assert.match((await refused(RULES.replace('resource: orders', 'resource: |orders'), 'x')) ?? '', /only declared roles/)
      assert.match((await refused(`${text}  - { broken: [\n`, 'watcher')) ?? '', /`policy\/team\/orders.yaml` can not be read/)
    })

    test('the outline has the parts of a file and what is in them', async () => {
      const symbols = await client.request<{ name: string; children: { name: string }[] }[]>('textDocument/documentSymbol', {
        textDocument: { uri: uri(RULES_FILE) },
      })
      assert.deepEqual(
        symbols.map(({ name, children }) => [name, children.map((one) => one.name)]),
        [['rules', ['read-orders', 'administer']]],
      )
    })
  })

  describe('environments', () => {
    test('a role that only an environment binds is right; one that none does is told with the environment', async () => {
      client.open(uri('environments/production.yaml'), PRODUCTION)
      client.write(uri('environments/production.yaml'), PRODUCTION.replace('contractor:', 'contracter:'))
      const { diagnostics } = await client.diagnostics(uri('environments/production.yaml'), (told) => told.diagnostics.length > 0)
      assert.deepEqual(
        diagnostics.map(({ code, range }) => [code, range.start]),
        [['policy/unknown-role', { line: 2, character: 2 }]],
      )
      const unbound = await client.diagnostics(uri('policy/roles.yaml'), (told) => told.diagnostics.length > 0)
      assert.equal(unbound.diagnostics[0]?.code, 'policy/unbound-role')
      client.notify('textDocument/didClose', { textDocument: { uri: uri('environments/production.yaml') } })
      await client.diagnostics(uri('policy/roles.yaml'), (told) => told.diagnostics.length === 0)
    })
  })

  describe('how texts are written', () => {
    test('with CRLF, a byte order mark and characters outside the first plane, places are right', async () => {
      const text =
        `\uFEFF${RULES.replace('id: read-orders, role: [reader,', 'id: read-orders, description: 😀é, role: [raeder,')}`.replaceAll(
          '\n',
          '\r\n',
        )
      const version = client.write(uri(RULES_FILE), text)
      const { diagnostics } = await client.diagnostics(uri(RULES_FILE), () => true, version)
      const character = text.split('\r\n')[2]!.indexOf('raeder')
      assert.deepEqual(
        diagnostics.map(({ code, range }) => [code, range]),
        [['policy/unknown-role', { start: { line: 2, character }, end: { line: 2, character: character + 6 } }]],
      )
    })

    test('in UTF-8, where that is what a client counts in', async () => {
      const other = new LanguageClient()
      const { capabilities } = await other.initialize({ general: { positionEncodings: ['utf-8'] } })
      assert.equal(capabilities['positionEncoding'], 'utf-8')
      const text = RULES.replace('id: read-orders, role: [reader,', 'id: read-orders, description: 😀é, role: [raeder,')
      other.open(uri(RULES_FILE), text)
      const { diagnostics } = await other.diagnostics(uri(RULES_FILE))
      const line = text.split('\n')[2]!
      const character = Buffer.byteLength(line.slice(0, line.indexOf('raeder')))
      assert.deepEqual(diagnostics[0]?.range, { start: { line: 2, character }, end: { line: 2, character: character + 6 } })
      const version = other.edit(uri(RULES_FILE), diagnostics[0].range, 'reader')
      assert.deepEqual((await other.diagnostics(uri(RULES_FILE), () => true, version)).diagnostics, [])
      assert.equal(await other.end(), 0)
    })

    test('whatever prefix of a file is written, nothing fails, and names are still completed', async () => {
      for (let cut = 0; cut <= RULES.length; cut += 11) {
        const text = RULES.slice(0, cut)
        const lines = text.split('\n')
        const position = { line: lines.length - 1, character: lines.at(-1)!.length }
        client.write(uri(RULES_FILE), text)
        for (const method of ['completion', 'hover', 'definition', 'prepareRename'])
          await client.request(`textDocument/${method}`, { textDocument: { uri: uri(RULES_FILE) }, position })
      }
      const labels = await client.complete(uri(RULES_FILE), 'rules:\n  - { id: x, role: |\n  - { id: [[ "')
      assert.ok(labels.includes('contractor'), labels.join())
      assert.deepEqual(
        client.messages.filter(({ method }) => method === 'window/logMessage'),
        [],
      )
    })

    test('a tab is told to be one', async () => {
      const version = client.write(uri(RULES_FILE), 'apiVersion: ostiary.dev/v1\nrules:\n\t- { id: x }\n')
      const { diagnostics } = await client.diagnostics(uri(RULES_FILE), () => true, version)
      assert.equal(diagnostics[0]?.code, 'config/yaml')
      assert.deepEqual(diagnostics[0].range.start.line, 2)
    })

    test('a file that is closed without being saved is told of as it is on disk, and all of it is taken back in the end', async () => {
      const other = new LanguageClient()
      await other.initialize()
      other.open(uri('policy/roles.yaml'), 'nonsense: true\n')
      await other.diagnostics(uri('policy/roles.yaml'), (told) => told.diagnostics.some(({ code }) => code === 'config/unknown-key'))
      other.notify('textDocument/didClose', { textDocument: { uri: uri('policy/roles.yaml') } })
      await other.diagnostics(uri('policy/roles.yaml'), (told) => told.diagnostics.length === 0)
      assert.equal(await other.end(), 0)
    })
  })
})
