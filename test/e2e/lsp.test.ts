/** `ostiary lsp` as an editor has it: a process of its own, spoken to over its standard streams. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Folder, LanguageClient, marked, type Range } from './lspclient.ts'

const WIRING = `apiVersion: ostiary.dev/v1
issuers:
  entra:
    kind: entra
    tenants: [11111111-1111-4111-8111-111111111111]
    audiences: [api://orders]
    claims: { department: string }
  ci:
    kind: oidc
    issuer: https://ci.example.com
    audiences: [https://orders.example.com]
    claims: { repository: string }
resources:
  orders:
    protocol: http
    hosts: [orders.example.com]
    upstream: { url: https://orders.internal.example.com }
    labels: { tier: business }
  shell: { protocol: ssh, labels: { tier: office } }
doors:
  http: { listen: [{ address: 127.0.0.1:8080 }] }
`
const ROLES = `apiVersion: ostiary.dev/v1
roles:
  reader:
    description: May look at orders
    bind:
      - { issuer: entra, claim: roles, any: [Orders.Read] }
  builder:
    bind:
      - { issuer: ci, claim: repository, any: [acme/orders] }
  admin:
    bind: [{ issuer: entra, claim: groups, any: [33333333-3333-4333-8333-333333333333] }]
    includes: [reader]
`
const RULES = `apiVersion: ostiary.dev/v1
rules:
  - id: read-orders
    role: reader
    resource: orders
    actions: ['GET /orders/{id}']
  - { id: build, role: [builder, "admin"], resource: orders, actions: [POST /builds] }
  - { id: administer, role: admin, resource: ostiary, actions: ['* /**'] }
guardrails:
  - { id: no-deletes, deny: ['DELETE /**'], resource: orders, allBut: [admin] }
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

let folder: Folder
let client: LanguageClient
let rules: string
let roles: string

describe('an editor', () => {
  before(async () => {
    folder = new Folder({
      'ostiary.yaml': WIRING,
      'policy/roles.yaml': ROLES,
      'policy/orders.yaml': RULES,
      'policy/orders.test.yaml': TESTS,
    })
    rules = folder.uri('policy/orders.yaml')
    roles = folder.uri('policy/roles.yaml')
    client = new LanguageClient()
    const { capabilities } = await client.initialize()
    assert.equal(capabilities['positionEncoding'], 'utf-16')
    client.open(rules, RULES)
    assert.deepEqual((await client.diagnostics(rules)).diagnostics, [])
  })
  after(async () => {
    assert.equal(await client.end(), 0, client.stderr)
    folder.remove()
  })

  const hover = async (uri: string, text: string): Promise<string> => {
    const { text: plain, position } = marked(text)
    client.write(uri, plain)
    const answer = await client.request<{ contents: { value: string } } | null>('textDocument/hover', { textDocument: { uri }, position })
    return answer?.contents.value ?? ''
  }

  describe('diagnostics', () => {
    test('an unknown role is told where it stands, with its page and what was meant, and is gone when it is corrected', async () => {
      const wrong = client.write(rules, RULES.replace('role: reader', 'role: raeder'))
      const { diagnostics } = await client.diagnostics(rules, () => true, wrong)
      const [one] = diagnostics
      assert.equal(one?.code, 'policy/unknown-role')
      assert.equal(one.severity, 1)
      assert.deepEqual(one.range, { start: { line: 3, character: 10 }, end: { line: 3, character: 16 } })
      assert.match(one.message, /unknown role `raeder` in rule `read-orders`\nhelp: did you mean `reader`\?/)
      assert.match(one.codeDescription?.href ?? '', /^file:.*docs\/reference\/errors\.md#L\d+$/)
      const actions = await client.request<{ title: string; edit: { changes: Record<string, { newText: string; range: Range }[]> } }[]>(
        'textDocument/codeAction',
        { textDocument: { uri: rules }, range: one.range, context: { diagnostics } },
      )
      assert.deepEqual(
        actions.map(({ title, edit }) => [title, edit.changes[rules]]),
        [['write `reader`', [{ range: one.range, newText: 'reader' }]]],
      )
      const right = client.edit(rules, one.range, 'reader')
      assert.deepEqual((await client.diagnostics(rules, () => true, right)).diagnostics, [])
    })

    test('a test that fails is told at its name, in a file that is not open', async () => {
      const changed = client.write(rules, RULES.replace("actions: ['GET /orders/{id}']", "actions: ['GET /other/{id}']"))
      await client.diagnostics(rules, () => true, changed)
      const { diagnostics } = await client.diagnostics(folder.uri('policy/orders.test.yaml'), (told) => told.diagnostics.length > 0)
      assert.deepEqual(
        diagnostics.map(({ code, range }) => [code, range.start]),
        [['policy/test-failed', { line: 2, character: 10 }]],
      )
      client.write(rules, RULES)
      await client.diagnostics(folder.uri('policy/orders.test.yaml'), (told) => told.diagnostics.length === 0)
    })

    test('the wiring is checked as it is written, in a buffer that was never saved', async () => {
      const uri = folder.uri('ostiary.yaml')
      client.open(uri, WIRING.replace('hosts:', 'hostz:').replace('[api://orders]', "['https://graph.microsoft.com']"))
      const { diagnostics } = await client.diagnostics(uri, (told) => told.diagnostics.some(({ code }) => code === 'config/unknown-key'))
      const wrong = diagnostics.find(({ code }) => code === 'config/unknown-key')
      assert.deepEqual(wrong?.range, { start: { line: 15, character: 4 }, end: { line: 15, character: 9 } })
      client.edit(uri, wrong.range, 'hosts')
      const doubtful = await client.diagnostics(uri, (told) => told.diagnostics.every(({ code }) => code !== 'config/unknown-key'))
      assert.deepEqual(
        doubtful.diagnostics.map(({ code, severity, range }) => [code, severity, range.start.line]),
        [['policy/audience-shared', 2, 5]],
      )
      const keys = await client.complete(uri, WIRING.replace('    hosts: [orders.example.com]\n', '    |\n'))
      assert.ok(keys.includes('hosts') && keys.includes('routes') && !keys.includes('upstream'), keys.join())
      assert.deepEqual(await client.complete(uri, WIRING.replace('kind: oidc', 'kind: oid|')), ['oidc'])
      client.notify('textDocument/didClose', { textDocument: { uri } })
    })

    test('warnings of check are warnings', async () => {
      const changed = client.write(rules, RULES.replace('DELETE /**', 'GET /orders/{id}').replace('allBut: [admin]', 'for: [reader]'))
      const { diagnostics } = await client.diagnostics(rules, () => true, changed)
      assert.deepEqual(
        diagnostics.map(({ code, severity }) => [code, severity]).filter(([code]) => code === 'policy/rule-shadowed'),
        [['policy/rule-shadowed', 2]],
      )
      client.write(rules, RULES)
    })
  })

  describe('completion', () => {
    const rule = (line: string): string => RULES.replace('    role: reader\n', `${line}\n`)

    test('of roles, wherever they are written', async () => {
      for (const text of [
        rule('    role: |'),
        rule('    role: re|'),
        rule('    role: [builder, |'),
        rule('    peer: "|'),
        RULES.replace('[admin]', '[|'),
      ]) {
        const labels = await client.complete(rules, text)
        assert.ok(labels.includes('reader'), `${text}: ${labels.join()}`)
      }
      assert.ok((await client.complete(rules, rule('    role: ev|'))).includes('everyone'))
      client.open(roles, ROLES)
      const included = await client.complete(roles, ROLES.replace('includes: [reader]', 'includes: [|]'))
      assert.deepEqual(included, ['reader', 'builder', 'admin'])
      client.notify('textDocument/didClose', { textDocument: { uri: roles } })
    })

    test('replaces what is written, not what stands before it', async () => {
      const { items } = await client.completion(rules, rule('    role: re|a'))
      const reader = items.find(({ label }) => label === 'reader')
      assert.deepEqual(reader?.textEdit, {
        range: { start: { line: 3, character: 10 }, end: { line: 3, character: 13 } },
        newText: 'reader',
      })
    })

    test('of resources and labels', async () => {
      const names = await client.complete(rules, RULES.replace('resource: orders', 'resource: |'))
      assert.deepEqual(names.toSorted(order), ['orders', 'ostiary', 'shell'])
      const below = await client.complete(rules, RULES.replace('resource: orders', 'resource:\n      |'))
      assert.deepEqual(below.toSorted(order), ['labels', 'orders', 'ostiary', 'shell'])
      assert.deepEqual(await client.complete(rules, RULES.replace('resource: orders', 'resource: { labels: { | } }')), ['tier'])
      assert.deepEqual(await client.complete(rules, RULES.replace('resource: orders', 'resource: { labels: { tier: | } }')), [
        'business',
        'office',
      ])
    })

    test('of claims of the issuer beside it', async () => {
      const text = `apiVersion: ostiary.dev/v1\nroles:\n  a:\n    bind:\n      - issuer: ci\n        claim: |\n        any: [x]\n`
      client.open(folder.uri('policy/new.yaml'), text)
      const labels = await client.complete(folder.uri('policy/new.yaml'), text)
      assert.ok(labels.includes('repository') && !labels.includes('department'), labels.join())
      const entra = await client.complete(folder.uri('policy/new.yaml'), text.replace('issuer: ci', 'issuer: entra'))
      assert.ok(entra.includes('department') && !entra.includes('repository'), entra.join())
      const issuers = await client.complete(
        folder.uri('policy/new.yaml'),
        text.replace('claim: |', 'claim: x').replace('issuer: ci', 'issuer: |'),
      )
      assert.deepEqual(issuers.toSorted(order), ['ci', 'entra', 'ostiary'])
      client.notify('textDocument/didClose', { textDocument: { uri: folder.uri('policy/new.yaml') } })
    })

    test('of keys that are not there yet, and of values that the schema lists', async () => {
      const keys = await client.complete(rules, rule('    |'))
      assert.ok(keys.includes('role') && keys.includes('when') && !keys.includes('id') && !keys.includes('allBut'), keys.join())
      const guardrail = await client.complete(rules, RULES.replace(', allBut: [admin]', ', |'))
      assert.ok(guardrail.includes('allBut') && guardrail.includes('mode') && !guardrail.includes('role'), guardrail.join())
      assert.deepEqual(await client.complete(rules, RULES.replace(', allBut: [admin]', ', mode: |')), ['observe'])
      assert.deepEqual((await client.complete(rules, RULES.replace('guardrails:', '|'))).toSorted(order), ['guardrails', 'roles', 'teams'])
    })

    test('of actions, by the protocol of the resource', async () => {
      const http = await client.complete(rules, RULES.replace("['GET /orders/{id}']", '\n      - |'))
      assert.ok(http.includes('GET /') && http.includes('POST /builds'), http.join())
      const ssh = await client.complete(rules, RULES.replace("['GET /orders/{id}']", '[|').replace('resource: orders', 'resource: shell'))
      assert.ok(ssh.length > 0 && !ssh.includes('GET /'), ssh.join())
    })

    test('of names inside a condition', async () => {
      const when = (text: string): string => rule(`    role: reader\n    when: ${text}`)
      assert.ok((await client.complete(rules, when("claims.department == 'x' && cla|"))).includes('claims'))
      const claims = await client.complete(rules, when('claims.dep|'))
      assert.deepEqual(claims, ['department'])
      assert.deepEqual(await client.complete(rules, when('params.|')), ['id'])
      assert.deepEqual(await client.complete(rules, when("context.time > timestamp('2026-01-01T00:00:00Z') && context.|")), ['time', 'ip'])
      const request = await client.complete(rules, when('"request.|'))
      assert.ok(request.includes('method') && request.includes('path'), request.join())
    })

    test('in tests: resources, ids, claims', async () => {
      const uri = folder.uri('policy/orders.test.yaml')
      client.open(uri, TESTS)
      assert.ok((await client.complete(uri, TESTS.replace('because: read-orders', 'because: re|'))).includes('read-orders'))
      assert.ok((await client.complete(uri, TESTS.replace('on: orders', 'on: |'))).includes('orders'))
      const claims = await client.complete(uri, TESTS.replace('{ roles: [Orders.Read] }', '{ dep|'))
      assert.ok(claims.includes('department') && !claims.includes('repository'), claims.join())
      client.notify('textDocument/didClose', { textDocument: { uri } })
    })
  })

  describe('hover', () => {
    test('of a role says who holds it and where it is used', async () => {
      const text = await hover(rules, RULES.replace('role: reader', 'role: re|ader'))
      assert.match(text, /role reader\*\*: May look at orders/)
      assert.match(text, /claim `roles` of issuer `entra` containing `Orders.Read`/)
      assert.match(text, /which gives role `admin` and so this one/)
      assert.match(text, /rule `read-orders` \(policy\/orders.yaml:3:9\)/)
      assert.match(await hover(rules, RULES.replace('role: reader', 'role: every|one')), /also without a credential/)
    })

    test('of a resource, an id, a claim and a key', async () => {
      assert.match(
        await hover(rules, RULES.replace('resource: orders', 'resource: or|ders')),
        /protocol http[^]*tier: business[^]*rule `build`/,
      )
      assert.match(await hover(rules, RULES.replace('id: no-deletes', 'id: no-|deletes')), /for all but holders of `admin`, on `orders`/)
      assert.match(
        await hover(rules, RULES.replace('    resource: orders', "    when: claims.depart|ment == 'x'\n    resource: orders")),
        /issuer `entra`: string/,
      )
      client.open(roles, ROLES)
      assert.match(await hover(roles, ROLES.replace('claim: groups', 'claim: gro|ups')), /may be unknown/)
      assert.match(await hover(rules, RULES.replace('allBut:', 'all|But:')), /everybody who does not hold/)
    })
  })

  function order(a: string, b: string): number {
    return a < b ? -1 : 1
  }
})
