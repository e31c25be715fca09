/** A real browser signs in, looks around, and signs out. Needs Debian's `chromium`; only `.ci/run` runs it. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { chromium, type Browser } from 'playwright-core'
import { ROOT, run, startRealDemo, type RealDemo } from './demo.ts'

const ORDERS = 'http://orders.localhost:8080'
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

let demo: RealDemo
let browser: Browser

before(async () => {
  // As in a clone that nobody has run before: it builds its pages.
  rmSync(join(ROOT, 'dist/console'), { recursive: true, force: true })
  demo = await startRealDemo()
  browser = await chromium.launch({ executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium', args: FLAGS })
})

after(async () => {
  await browser?.close()
  await demo?.stop()
})

test('a browser is sent to sign in, comes back to where it wanted to go, and is out once it signs out', async () => {
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(`${ORDERS}/?from=the-beginning`)
  assert.ok(page.url().startsWith('http://127.0.0.1:8082/'), `it is at ${page.url()}`)
  await page
    .getByRole('button', { name: /^reader/ })
    .first()
    .click()
  await page.waitForURL(`${ORDERS}/**`)
  assert.equal(page.url(), `${ORDERS}/?from=the-beginning`)
  assert.equal(await page.getByRole('heading', { level: 1 }).textContent(), 'Orders')

  const cookies = (await context.cookies(ORDERS)).filter(({ httpOnly }) => httpOnly)
  assert.ok(cookies.length >= 1, 'the session is behind a cookie that scripts can not read')
  for (const { name, value } of cookies) assert.ok(value.length < 200, `${name} is a handle, no token`)

  const denied = await page.evaluate(async () => (await fetch('/orders/7', { method: 'DELETE' })).status)
  assert.equal(denied, 403)

  const echoed = await page.evaluate(
    () =>
      new Promise<string>((resolve, reject) => {
        const socket = new WebSocket('ws://orders.localhost:8080/orders/socket')
        socket.onopen = () => socket.send('hello')
        socket.onmessage = ({ data }) => resolve(String(data))
        socket.onerror = () => reject(new Error('the socket failed'))
      }),
  )
  assert.match(echoed, /hello/)

  await page.getByRole('link', { name: 'Sign out' }).click()
  const confirm = page.getByRole('button', { name: /sign out/i })
  if ((await confirm.count()) > 0) await confirm.click()
  await page.waitForLoadState()
  const left = (await context.cookies(ORDERS)).filter(({ httpOnly }) => httpOnly)
  assert.deepEqual(left, [], 'the browser has forgotten the session')
  const old = cookies.map(({ name, value }) => `${name}=${value}`).join('; ')
  const stolen = run('curl', [
    '-s',
    '-H',
    `Cookie: ${old}`,
    '-H',
    'Accept: application/json',
    '-w',
    '%{http_code}',
    '-o',
    '/dev/null',
    `${ORDERS}/orders`,
  ])
  assert.equal(stolen.stdout, '401', 'the old cookie is worth nothing')
  await context.close()
})

test('two tabs sign in at the same time', async () => {
  const context = await browser.newContext()
  const [one, two] = [await context.newPage(), await context.newPage()]
  await one.goto(`${ORDERS}/?tab=1`)
  await two.goto(`${ORDERS}/?tab=2`)
  for (const [page, tab] of [
    [one, 1],
    [two, 2],
  ] as const) {
    await page
      .getByRole('button', { name: /^reader/ })
      .first()
      .click()
    await page.waitForURL(`${ORDERS}/**`)
    assert.equal(page.url(), `${ORDERS}/?tab=${tab}`)
  }
  await context.close()
})

test('an answer that is turned to the callback of another issuer signs nobody in, nor does it afterwards', async () => {
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(`${ORDERS}/`)
  // What the provider's page would do with a click, but for following the last redirect.
  let next = page.url()
  for (let posted = false; !next.startsWith(`${ORDERS}/`); posted = true) {
    const answer = await context.request.fetch(next, {
      maxRedirects: 0,
      ...(posted ? {} : { method: 'POST', form: { account: 'reader' } }),
    })
    next = new URL(answer.headers()['location']!, next).href
  }
  assert.ok(next.startsWith(`${ORDERS}/.ostiary/callback/entra?`), next)
  await page.goto(next.replace('/callback/entra?', '/callback/elsewhere?'))
  assert.equal(await page.getByRole('heading', { level: 1 }).textContent(), 'The sign-in did not succeed')
  await page.getByText('The answer came from another identity provider than was asked.').waitFor()
  assert.equal((await page.goto(next))?.status(), 403, 'the attempt is over')
  assert.deepEqual(await context.cookies(ORDERS), [], 'nothing is left of it')
  assert.equal((await page.goto(next.replace('/callback/entra?', '/callback?')))?.status(), 404)
  await page.getByText('Each issuer has its own').waitFor()
  await context.close()
})

test('a script gets 401 in place of a page to sign in on', async () => {
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(`${ORDERS}/healthz`)
  const answer = await page.evaluate(async () => {
    const { status, redirected, headers } = await fetch('/orders')
    return { status, redirected, challenge: headers.get('www-authenticate') }
  })
  assert.deepEqual({ status: answer.status, redirected: answer.redirected }, { status: 401, redirected: false })
  assert.match(answer.challenge ?? '', /^Bearer/)
  await context.close()
})

test('the link of the screen opens the console, once', async () => {
  const link = /(http:\/\/127\.0\.0\.1:8081\/\S+)/.exec(demo.output())?.[1]
  assert.ok(link !== undefined, 'the screen shows a link')
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(link)
  await page.getByRole('heading').first().waitFor()
  const me = await page.evaluate(async () => (await fetch('/api/me')).status)
  assert.equal(me, 200)
  await context.close()
  const stranger = await browser.newContext()
  const again = await stranger.newPage()
  await again.goto(link)
  const refused = await again.evaluate(async () => (await fetch('/api/me')).status)
  assert.equal(refused, 401, 'the link is used up')
  await stranger.close()
})

test('the console lists who is signed in, ends a session and everything of somebody, and says so', async () => {
  const signIn = async (origin: string, account: RegExp) => {
    const context = await browser.newContext()
    const page = await context.newPage()
    await page.goto(`${origin}/`)
    await page.getByRole('button', { name: account }).first().click()
    await page.waitForURL(`${origin}/**`)
    return { context, page, status: () => page.evaluate(async () => (await fetch('/orders')).status) }
  }
  const one = await signIn(ORDERS, /^reader/)
  const other = await signIn(ORDERS, /^publisher/)
  const { context, page } = await signIn('http://127.0.0.1:8081', /^admin/)
  assert.deepEqual([await one.status(), await other.status()], [200, 200])
  await page.getByRole('link', { name: 'Sessions' }).click()

  await page
    .getByRole('button', { name: /^End the session of reader/ })
    .first()
    .click()
  await page.getByRole('button', { name: 'Cancel' }).click()
  assert.equal(await one.status(), 200, 'nothing ends before it is confirmed')
  await page
    .getByRole('button', { name: /^End the session of reader/ })
    .first()
    .click()
  await page.getByRole('button', { name: 'End it' }).click()
  await page.getByText(/^The session of reader.* has ended\.$/).waitFor()
  assert.equal(await one.status(), 401)

  await page
    .getByRole('button', { name: /^End everything of publisher/ })
    .first()
    .click()
  await page.getByLabel('Why, for the record').fill('stolen laptop')
  await page.getByRole('button', { name: 'End everything', exact: true }).click()
  await page.getByText(/^Everything that publisher.* had has ended\.$/).waitFor()
  assert.equal(await other.status(), 401)
  assert.equal(await page.getByRole('button', { name: /^End everything of publisher/ }).count(), 0)
  for (const each of [one.context, other.context, context]) await each.close()
})

test('a guardrail that requires an authentication context sends a browser to confirm it, and lets it through then', async () => {
  const file = join(demo.config, 'policy/orders.yaml')
  const policy = readFileSync(file, 'utf8')
  const strong = "  - { id: strong, require: { authContext: c1 }, actions: ['GET /orders/{id}'], resource: orders, allBut: [admin] }\n"
  const context = await browser.newContext()
  const page = await context.newPage()
  const pick = () =>
    page
      .getByRole('button', { name: /^reader/ })
      .first()
      .click()
  try {
    await page.goto(`${ORDERS}/orders`)
    await pick()
    await page.waitForURL(`${ORDERS}/orders`)
    const versions = demo.output().split('is in force').length
    writeFileSync(file, `${policy}${strong}`)
    while (demo.output().split('is in force').length === versions) await new Promise((resolve) => setTimeout(resolve, 50))
    const script = await page.evaluate(async () => {
      const { status, headers } = await fetch('/orders/7')
      return { status, challenge: headers.get('www-authenticate') }
    })
    assert.equal(script.status, 403, 'a script in the page can not follow')
    await page.goto(`${ORDERS}/orders/7`)
    await pick()
    await page.getByRole('heading', { name: 'Confirm that it is you' }).waitFor()
    await page.getByRole('button', { name: 'Confirm' }).click()
    await page.waitForURL(`${ORDERS}/orders/7`)
    assert.match((await page.textContent('body')) ?? '', /strike plate/)
    const decision = await page.evaluate(async () => (await fetch('/orders/7')).headers.get('ostiary-decision'))
    const explained = demo.ostiary('explain', decision!, '--as', 'auditor').stdout
    assert.match(explained, /strong: is met: authentication context `c1` is proven/)
  } finally {
    writeFileSync(file, policy)
    await context.close()
  }
})

test('the command line signs in with a browser on the same machine', async () => {
  const login = demo.begin('login', '--browser')
  const [, url] = await login.said(/open (\S+) in a browser/)
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(url!)
  await page
    .getByRole('button', { name: /^auditor/ })
    .first()
    .click()
  await page.getByRole('heading', { name: 'You are signed in' }).waitFor()
  const { status, stdout, stderr } = await login.ended
  assert.equal(status, 0, stderr)
  assert.match(stdout, /^signed in as auditor.*, kept in .*credentials\.json$/m)
  assert.match((await demo.begin('whoami').ended).stdout, /^auditor/)
  assert.match((await demo.begin('token').ended).stdout, /^ey[\w-]+\.[\w-]+\.[\w-]+\n$/)
  assert.equal((await demo.begin('logout').ended).status, 0)
  await context.close()
})

test('the command line signs in by a code that is entered in a browser, and forgets the sign-in again', async () => {
  const login = demo.begin('login', '--device')
  const [, url, code] = await login.said(/open (\S+) and enter the code (\S+)/)
  assert.ok(url !== undefined && code !== undefined)
  const context = await browser.newContext()
  const page = await context.newPage()
  await page.goto(url)
  await page.getByLabel('Code').fill(code)
  await page.getByRole('button', { name: 'Next' }).click()
  await page.getByText(code).waitFor()
  await page.getByRole('button', { name: 'Yes, go on' }).click()
  await page
    .getByRole('button', { name: /^auditor/ })
    .first()
    .click()
  const { status, stdout, stderr } = await login.ended
  assert.equal(status, 0, stderr)
  assert.match(stdout, /^signed in as auditor/)
  assert.match((await demo.begin('whoami').ended).stdout, /^auditor.* \(human\)\n/)
  assert.equal((await demo.begin('audit', 'search', '--limit', '1').ended).status, 0)
  assert.equal((await demo.begin('logout').ended).status, 0)
  const after = await demo.begin('whoami').ended
  assert.notEqual(after.status, 0)
  assert.match(after.stderr, /ostiary login/)
  await context.close()
})
