/** The console's page for questions of access, in a real browser against a whole gateway. Needs Debian's `chromium`; only `.ci/run` runs it. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'
import { stringify } from 'yaml'
import { buildConsole } from '../../../tools/console.ts'
import { startGateway, type Gateway } from '../../../src/server/start.ts'
import { keyFixture, rfc9068Claims, signToken, testKey, type JsonObject, type KeyFixture } from '../../../src/testing/tokens.ts'

const AUDIENCE = 'https://orders.example'
const HOST = 'orders.localhost'
const key = testKey('tokens')

let tokens: KeyFixture
let upstream: ReturnType<typeof createServer>
let gateway: Gateway
let folder: string
let browser: Browser
let context: BrowserContext
let page: Page
/** Decisions by what was asked. */
const decisions = new Map<string, string>()

const policy = {
  apiVersion: 'ostiary.dev/v1',
  roles: {
    reader: { description: 'May look at orders', bind: [{ issuer: 'idp', claim: 'roles', any: ['Reader'] }] },
    writer: { bind: [{ issuer: 'idp', claim: 'roles', any: ['Writer'] }], includes: ['reader'] },
    lead: { eligible: [{ issuer: 'idp', claim: 'roles', any: ['Lead'] }] },
    mesh: { bind: [{ issuer: 'idp', claim: 'client_id', any: ['mesh'], kind: 'workload' }] },
    exporter: { bind: [{ issuer: 'idp', claim: 'groups', any: ['export'] }] },
    admin: { bind: [{ issuer: 'ostiary', claim: 'via', any: ['one-time-link'] }] },
    scoped: { bind: [{ issuer: 'idp', claim: 'roles', any: ['Scoped'] }] },
    self: { bind: [{ issuer: 'idp', claim: 'roles', any: ['Self'] }] },
  },
  rules: [
    { id: 'read', description: 'Looking', role: 'reader', resource: 'orders', actions: ['GET /orders', 'GET /orders/{id}'] },
    { id: 'read-own', role: 'authenticated', resource: 'orders', actions: ['GET /mine/{who}'], when: 'params.who == claims.sub' },
    { id: 'create', role: 'writer', resource: 'orders', actions: ['POST /orders'] },
    { id: 'remove', role: 'writer', resource: 'orders', actions: ['DELETE /orders/{id}'] },
    { id: 'export', role: ['exporter', 'reader'], resource: 'orders', actions: ['GET /export'] },
    { id: 'by-mesh', role: 'reader', peer: 'mesh', resource: 'orders', actions: ['GET /internal'] },
    { id: 'halt', role: 'lead', resource: 'orders', actions: ['POST /halt'] },
    { id: 'administer', role: 'admin', resource: 'ostiary', actions: ['* /**'] },
    {
      id: 'own-access',
      role: 'self',
      resource: 'ostiary',
      actions: ['GET /access', 'GET /assets/{file}', 'GET /api/me', 'GET /api/can-i'],
    },
    {
      id: 'own-roles',
      role: 'self',
      resource: 'ostiary',
      actions: ['GET /activations', '* /api/activations/own/{one}', 'GET /api/activations/own'],
    },
    { id: 'tools', role: 'scoped', resource: 'tools', actions: ['tools/list', 'tools/call *'] },
    { id: 'query', role: 'reader', resource: 'shop', actions: ['select on public.*'] },
  ],
  guardrails: [
    {
      id: 'private',
      mask: { '$.customer.email': 'hash', '$..iban': 'drop' },
      actions: ['GET /orders/{id}'],
      resource: 'orders',
      allBut: ['admin'],
    },
    { id: 'seldom', limit: { requests: 3, in: '1h' }, actions: ['GET /orders'], resource: 'orders', allBut: ['writer'] },
    {
      id: 'four-eyes',
      require: { approval: { from: ['admin'] } },
      actions: ['DELETE /orders/{id}'],
      resource: 'orders',
      allBut: ['admin'],
    },
    { id: 'on-disk', record: 'strict', actions: ['POST /**'], resource: 'orders', allBut: ['admin'] },
    {
      id: 'say-why',
      require: { justification: true },
      actions: ['POST /orders'],
      resource: 'orders',
      allBut: ['admin'],
    },
    {
      id: 'no-exports',
      deny: ['GET /export'],
      resource: 'orders',
      allBut: ['exporter'],
      mode: 'observe',
      until: '2999-01-01T00:00:00Z',
    },
  ],
}

const tokenOf = (sub: string, roles: readonly string[], more: JsonObject = {}): string =>
  signToken(key, rfc9068Claims(tokens.origin, AUDIENCE, Date.now(), { sub, client_id: 'web', roles, groups: [], ...more }), {
    typ: 'at+jwt',
  })

/** Through the door; the decision is kept under its name. */
function knock(
  name: string,
  method: string,
  path: string,
  token: string | undefined,
  headers: Record<string, string> = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        host: '127.0.0.1',
        port: gateway.doors[0]!.port,
        method,
        path,
        agent: false,
        headers: { host: HOST, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
      },
      (incoming) => {
        decisions.set(name, String(incoming.headers['ostiary-decision']))
        incoming.resume().on('end', () => resolve(incoming.statusCode ?? 0))
      },
    )
    outgoing.on('error', reject).end()
  })
}

before(async () => {
  await buildConsole()
  tokens = await keyFixture([key])
  upstream = createServer((_, response) => {
    response.setHeader('content-type', 'application/json')
    response.end('{"customer":{"email":"a@example.org"},"iban":"x"}')
  })
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  folder = mkdtempSync(join(tmpdir(), 'ostiary-console-'))
  mkdirSync(join(folder, 'policy'))
  const wiring = {
    apiVersion: 'ostiary.dev/v1',
    dataDir: 'data',
    issuers: { idp: { kind: 'oidc', issuer: tokens.origin, audiences: [AUDIENCE], claims: { roles: 'list', groups: 'list' } } },
    resources: {
      orders: {
        protocol: 'http',
        hosts: [HOST],
        upstream: { url: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}` },
      },
      shop: { protocol: 'sql' },
      tools: { protocol: 'mcp', scopes: { 'tools.read': ['tools/list'] } },
    },
    doors: { http: { listen: [{ address: '127.0.0.1:0' }] } },
    admin: { listen: '127.0.0.1:0' },
  }
  writeFileSync(join(folder, 'ostiary.yaml'), stringify(wiring))
  writeFileSync(join(folder, 'policy/policy.yaml'), stringify(policy))
  gateway = await startGateway({ folder, watch: false, log: () => undefined })
  const [ada, bo] = [tokenOf('ada', ['Reader', 'Lead']), tokenOf('bo', ['Writer'])]
  for (let i = 0; i < 4; i++) await knock('limited', 'GET', '/orders', ada)
  await knock('masked', 'GET', '/orders/7', ada)
  await knock('observed', 'GET', '/export', ada)
  await knock('eligible', 'POST', '/halt', ada)
  await knock('approval', 'DELETE', '/orders/7', bo)
  await knock('unsaid', 'POST', '/orders', bo)
  await knock('strict', 'POST', '/orders', bo, { 'ostiary-justification': 'ticket 7' })
  await knock('peer', 'GET', '/internal', ada)
  await knock('chain', 'GET', '/orders/7', tokenOf('cy', ['Reader', 'Scoped'], { scope: 'tools.read', act: { sub: 'helper' } }))
  await knock('anonymous', 'GET', '/orders', undefined)
  browser = await chromium.launch({
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  })
  context = await browser.newContext()
  page = await context.newPage()
  await page.goto(gateway.admin.link!)
  await page.getByRole('heading', { name: 'Decisions' }).waitFor()
})

after(async () => {
  await browser?.close()
  await gateway?.stop(0)
  await tokens?.close()
  upstream?.closeAllConnections()
  await new Promise((resolve) => upstream.close(resolve))
  rmSync(folder, { recursive: true, force: true })
})

const at = (path: string): Promise<unknown> => page.goto(gateway.admin.url + path)
const said = (text: RegExp | string): Promise<void> => page.getByRole('status').filter({ hasText: text }).waitFor({ state: 'attached' })
const table = (name: RegExp | string) => page.getByRole('table', { name })

test('who can do something is asked by keyboard alone, and the address keeps the question', async () => {
  await at('/access')
  const action = page.getByRole('textbox', { name: 'Who can do this' })
  await page.getByPlaceholder('GET /orders/7').waitFor()
  await page.getByRole('combobox', { name: 'on the resource' }).selectOption('shop')
  // It goes by the protocol of the resource.
  await page.getByPlaceholder('select on public.orders').waitFor()
  await page.getByRole('combobox').selectOption('orders')
  await action.focus()
  await page.keyboard.type('DELETE /orders/7')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Tab')
  assert.equal(await page.locator(':focus').textContent(), 'Ask')
  await page.keyboard.press('Enter')
  await said('1 rule grants it, 1 guardrail in the way of some, 1 principal seen who may')
  assert.equal(new URL(page.url()).search, '?ask=who-can&action=DELETE+%2Forders%2F7&resource=orders')
  await table('Granted by').getByText('claim roles of issuer idp containing Writer').waitFor()
  await table('What stands in the way').getByText('with the approval of a holder of admin').waitFor()
  await table(/^Seen in the last thirty days: 1$/)
    .getByRole('row', { name: /idp\/bo human .* once it is approved/ })
    .waitFor()
  await page.getByText(/^Incomplete: only whoever came here in the last thirty days is known; the providers know the others/).waitFor()
  await page.reload()
  await table('Granted by').getByText('remove').waitFor()
  await page.getByRole('link', { name: 'idp/bo' }).click()
  await page.getByRole('heading', { name: 'idp/bo' }).waitFor()
  await page.goBack()
  await table('Granted by').getByText('remove').waitFor()
})

test('who can says peers, what is only observed, nobody, and what is no action', async () => {
  await at('/access?ask=who-can&action=GET+%2Finternal&resource=orders')
  await table('Granted by').getByText('by way of a peer that holds mesh').waitFor()
  await page.getByRole('heading', { name: 'Seen in the last thirty days: nobody who may' }).waitFor()
  await at('/access?ask=who-can&action=GET+%2Fexport&resource=orders')
  await said(/^1 rule grants it, 2 principals seen who may$/)
  await table('What stands in the way').getByText('only observed').waitFor()
  await at('/access?ask=who-can&action=PUT+%2Fx&resource=orders')
  await said(/^Nobody: no rule grants it$/)
  await at('/access?ask=who-can&action=nonsense&resource=orders')
  await page.getByRole('alert').getByText('it needs a method and a path').waitFor()
})

test('can I, for whoever is signed in, with all that it is made of', async () => {
  await at('/access')
  await page.getByRole('link', { name: 'Can I …' }).click()
  await page.getByRole('textbox', { name: 'Can I do this' }).fill('GET /orders/7')
  await page.getByRole('button', { name: 'Ask' }).click()
  await said(/^deny$/)
  await page.getByRole('heading', { name: 'What would have to change' }).waitFor()
  await page.getByText('hold role reader: claim roles of issuer idp containing Reader').waitFor()
  await page.getByRole('combobox').selectOption('ostiary')
  await page.getByRole('textbox').fill('GET /api/me')
  await page.getByRole('button', { name: 'Ask' }).click()
  await said(/^allow$/)
  await page.getByText('claim via has one-time-link').waitFor()
})

test('whoever may not read the policy still asks what they may do', async () => {
  const own = await browser.newContext({ extraHTTPHeaders: { authorization: `Bearer ${tokenOf('eve', ['Self'])}` } })
  const other = await own.newPage()
  await other.goto(`${gateway.admin.url}/access?ask=can-i&action=GET+%2Forders&resource=orders`)
  await other.getByRole('textbox', { name: 'on the resource' }).waitFor()
  await other.getByText('What would have to change').waitFor()
  await other.getByRole('link', { name: 'Who can …' }).click()
  await other.getByRole('heading', { name: 'Not for you' }).waitFor()
  await own.close()
})

test('what somebody has access to, with what gives and what meets it', async () => {
  await at('/access?ask=access')
  await page.getByRole('textbox', { name: 'What has this person or workload access to' }).fill('ada')
  await page.keyboard.press('Enter')
  await said('Something on 2 resources: orders, shop')
  await page.getByRole('row', { name: /^reader held claim roles has Reader$/ }).waitFor()
  await page.getByRole('row', { name: /^lead eligible activate role lead/ }).waitFor()
  const orders = table('orders (http)')
  await orders.getByRole('row', { name: /^GET \/internal granted by role reader by-mesh .* by way of a peer that holds mesh$/ }).waitFor()
  await orders.getByRole('row', { name: /without \$\.\.iban and \$\.customer\.email as a hash private/ }).waitFor()
  await orders.getByRole('row', { name: /at most 3 requests in 1h per principal seldom/ }).waitFor()
  await orders.getByRole('row', { name: /denies only observed until 2999-01-01/ }).waitFor()
  await table('shop (sql)').getByText('select on public.*').waitFor()
  await at('/access?ask=access&principal=idp%2Fcy')
  await table('tools (mcp)')
    .getByRole('row', { name: /^tools\/list tools\/call \* granted by role scoped/ })
    .waitFor()
  await page.getByText('Within the token’s scopes: tools/list').waitFor()
  await page.getByRole('heading', { name: 'And no more than who acts for it has: helper' }).waitFor()
  await page.getByRole('textbox').fill('nobody-at-all')
  await page.keyboard.press('Enter')
  await page.getByRole('alert').waitFor()
})

test('decisions lead to both questions, and show what is new in them', async () => {
  await at('/')
  const row = (name: string) => page.getByRole('row', { name })
  await row('limited').first().waitFor()
  await row('denied needs-approval').waitFor()
  await row('allowed would be deny').waitFor()
  await row('denied needs-approval')
    .getByRole('link', { name: /^orders ?: who can do this$/ })
    .click()
  await said(/^1 rule grants it/)
  await page.goBack()
  await row('denied needs-approval').getByRole('link', { name: 'bo' }).click()
  await page.getByRole('heading', { name: 'idp/bo' }).waitFor()
  await page.goBack()
  await page.getByRole('heading', { name: 'Decisions' }).waitFor()

  const shows = async (decision: string, ...texts: readonly (string | RegExp)[]) => {
    await at(`/decisions/${decisions.get(decision)}`)
    for (const text of texts) await page.getByText(text).first().waitFor()
  }
  await shows('masked', 'drop $..iban', 'hash $.customer.email', 'obliges', /^answers without/)
  await shows('limited', 'limit seldom', /^limits to 3 requests in 1h per principal/)
  await shows('approval', 'needs-approval', 'the approval of a holder of')
  await shows('strict', 'strict: on disk before the effect', 'ticket 7')
  await shows('observed', 'would be deny', /is only observed: denies all but/)
  await shows('eligible', 'eligible', /for which they are eligible/)
  await shows('peer', /not held by the other end of the connection/)
  await page.getByRole('link', { name: 'Who can do this?' }).click()
  await table('Granted by').getByText('by-mesh').waitFor()
})

test('the policy shows guardrails of every kind, peers and eligible roles', async () => {
  await at('/policy')
  const rules = table('Rules and guardrails')
  for (const text of [
    'with the approval of a holder of admin',
    'with a record on disk first',
    'at most 3 requests in 1h per principal',
    'with a justification',
  ])
    await rules.getByText(text).waitFor()
  await rules.getByRole('row', { name: /^no-exports .* denies only observed/ }).waitFor()
  await rules.getByRole('row', { name: /^by-mesh .* reader by way of a peer that holds mesh/ }).waitFor()
  await table('Roles')
    .getByRole('row', { name: /^lead .* eligible roles of idp: one of Lead/ })
    .waitFor()
  await table('Roles')
    .getByRole('row', { name: /^reader .* by way of role writer/ })
    .waitFor()
})

test('a role is activated for a time, by whoever is eligible, and ended by whoever may', async () => {
  const eligible = 'lea'
  const lead = await browser.newContext({ extraHTTPHeaders: { authorization: `Bearer ${tokenOf(eligible, ['Lead', 'Self'])}` } })
  const theirs = await lead.newPage()
  await theirs.goto(`${gateway.admin.url}/activations`)
  await theirs.getByLabel('Why, for the record').fill('incident 7')
  await theirs.getByRole('combobox').nth(1).selectOption('30m')
  await theirs.getByRole('button', { name: 'Activate' }).click()
  await theirs
    .getByRole('status')
    .filter({ hasText: /^You hold lead until / })
    .waitFor()
  await theirs
    .getByRole('table', { name: 'Yours' })
    .getByRole('row', { name: /^lead .* incident 7 End/ })
    .waitFor()
  assert.equal(await theirs.getByRole('table', { name: 'Of others' }).count(), 0, 'others’ are not theirs to see')
  assert.equal(await knock('led', 'POST', '/halt', tokenOf(eligible, ['Lead'])), 200)
  await lead.close()
  await at('/activations')
  await page.getByText('The policy lets you activate no role.').waitFor()
  await table('Of others').getByRole('button', { name: 'End lead of lea' }).click()
  await said(/^lead of lea is active no more/)
  assert.equal(await knock('led no more', 'POST', '/halt', tokenOf(eligible, ['Lead'])), 403)
  // For the next one to look at.
  const headers = { authorization: `Bearer ${tokenOf(eligible, ['Lead', 'Self'])}`, 'content-type': 'application/json' }
  const again = await fetch(`${gateway.admin.url}/api/activations/own/lead`, {
    method: 'POST',
    headers,
    body: '{"for":"1h","reason":"again"}',
  })
  assert.equal(again.status, 201)
})

test('no page is wider than a narrow screen', async () => {
  const narrow = await context.newPage()
  await narrow.setViewportSize({ width: 360, height: 700 })
  const paths = [
    '/',
    '/policy',
    '/sessions',
    '/activations',
    '/access?ask=who-can&action=GET+%2Forders%2F7&resource=orders',
    '/access?ask=access&principal=ada',
  ]
  for (const path of [...paths, `/decisions/${decisions.get('masked')}`]) {
    await narrow.goto(gateway.admin.url + path)
    await narrow.getByRole('table').first().waitFor()
    const over = Number(await narrow.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth'))
    assert.ok(over <= 0, `${path} is ${over} px too wide`)
  }
  await narrow.close()
})
