/**
 * Real clients against the demo as a user starts it: curl, openssl, h2load. Not part of `npm test`, which must run on a
 * machine without them; `.ci/run` installs them and runs this.
 */
import assert from 'node:assert/strict'
import { appendFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { run, startRealDemo, type RealDemo } from './demo.ts'

const HTTP = 'http://orders.localhost:8080'
const HTTPS = 'https://orders.localhost:8443'

let demo: RealDemo
const tokens = new Map<string, string>()

before(async () => {
  demo = await startRealDemo()
  for (const account of ['reader', 'publisher', 'admin']) {
    const { stdout, stderr, status } = demo.ostiary('token', '--as', account)
    assert.equal(status, 0, stderr)
    tokens.set(account, stdout.trim())
  }
})

after(async () => {
  await demo?.stop()
})

interface Answer {
  readonly status: number
  readonly version: string
  readonly headers: string
  readonly body: string
  readonly exit: number | null
}

/** Runs curl; the status line and the headers come with the body. */
function curl(...args: readonly string[]): Answer {
  const { status, stdout } = run('curl', ['-sS', '-i', '--max-time', '10', '-w', '\n%{http_code} %{http_version}', ...args])
  const cut = stdout.lastIndexOf('\n')
  const [code = '0', version = ''] = stdout.slice(cut + 1).split(' ')
  const end = stdout.indexOf('\r\n\r\n')
  return { status: Number(code), version, headers: stdout.slice(0, end), body: stdout.slice(end + 4, cut), exit: status }
}

const as = (account: string): readonly string[] => ['-H', `Authorization: Bearer ${tokens.get(account)}`]

describe('curl', () => {
  test('a reader reads an order, over HTTP/1.1, and the answer names its decision', () => {
    const { status, version, headers, body } = curl(...as('reader'), `${HTTP}/orders/7`)
    assert.equal(status, 200)
    assert.equal(version, '1.1')
    assert.equal((JSON.parse(body) as { id: string }).id, '7')
    assert.match(headers, /^ostiary-decision: \S+/im)
  })

  test('over TLS it is HTTP/2, with the certificate of the development authority', () => {
    const { status, version } = curl('--cacert', demo.ca, ...as('reader'), `${HTTPS}/orders/7`)
    assert.deepEqual({ status, version }, { status: 200, version: '2' })
  })

  test('HTTP/1.1 over TLS', () => {
    const { status, version } = curl('--http1.1', '--cacert', demo.ca, ...as('reader'), `${HTTPS}/orders/7`)
    assert.deepEqual({ status, version }, { status: 200, version: '1.1' })
  })

  test('without the authority curl does not believe the certificate', () => {
    assert.equal(curl(...as('reader'), `${HTTPS}/orders/7`).exit, 60)
  })

  test('without a token: 401, how to authenticate, and a problem document', () => {
    const { status, headers, body } = curl(`${HTTP}/orders/7`)
    assert.equal(status, 401)
    assert.match(headers, /^www-authenticate: Bearer/im)
    assert.match(headers, /^content-type: application\/problem\+json/im)
    assert.equal((JSON.parse(body) as { status: number }).status, 401)
  })

  test('what is public needs no token, and a bad one is refused there too', () => {
    assert.equal(curl(`${HTTP}/healthz`).status, 200)
    assert.equal(curl('-H', 'Authorization: Bearer x', `${HTTP}/healthz`).status, 401)
  })

  test('a denial says why, and `explain` says it in full', () => {
    const { status, body } = curl('-X', 'DELETE', ...as('reader'), `${HTTP}/orders/7`)
    assert.equal(status, 403)
    const { decision } = JSON.parse(body) as { decision: string }
    assert.ok(decision.length > 10, 'it carries its decision id')
    const explained = demo.ostiary('explain', decision, '--as', 'auditor')
    assert.equal(explained.status, 0, explained.stderr)
    for (const part of ['deny', 'DELETE /orders/7', 'reader', 'delete-orders'])
      assert.ok(explained.stdout.includes(part), `no ${part} in:\n${explained.stdout}`)
  })

  test('a publisher creates an order from a chunked body', () => {
    const order = '{"item":"door viewer","quantity":3}'
    const fields = ['-H', 'Content-Type: application/json', '-H', 'Transfer-Encoding: chunked']
    const { status, headers } = curl(...as('publisher'), ...fields, '--data-binary', order, `${HTTP}/orders`)
    assert.equal(status, 201)
    assert.match(headers, /^location: \/orders\/\d+/im)
  })

  test('HEAD', () => {
    const { status, body } = curl('--head', ...as('reader'), `${HTTP}/orders/7`)
    assert.deepEqual({ status, body: body.trim() }, { status: 200, body: '' })
  })

  test('a path as curl was given it is refused where it is ambiguous', () => {
    for (const path of ['/orders/../whoami', '/orders//7', '/orders/%2e%2e/whoami', '/orders%2f7'])
      assert.equal(curl('--path-as-is', ...as('reader'), `${HTTP}${path}`).status, 400, path)
  })

  test('the upstream sees who is there, and neither token nor spoof', () => {
    const { body } = curl(...as('reader'), '-H', 'X-Forwarded-User: admin', '-H', 'Ostiary-Subject: admin', `${HTTP}/whoami`)
    const seen = JSON.parse(body) as { headers: Record<string, string>; credentials: { authorization: boolean; cookies: number } }
    assert.deepEqual(seen.credentials, { authorization: false, cookies: 0 })
    assert.ok(!JSON.stringify(seen.headers).includes('admin'), JSON.stringify(seen.headers))
  })

  test('a stream arrives while it is under way', () => {
    const { stdout, status } = run('curl', ['-sS', '-N', '--max-time', '4', ...as('reader'), `${HTTP}/orders/stream`])
    assert.equal(status, 28, 'curl ends it by its own time limit')
    assert.match(stdout, /^data: /m)
  })

  test('a large answer comes whole', () => {
    const { status, body } = curl(...as('publisher'), `${HTTP}/export/orders.csv?rows=50000`)
    assert.equal(status, 200)
    assert.ok(body.trim().split('\n').length >= 50_000)
  })

  test('the commands that the screen shows work as they are shown', () => {
    const commands = [...demo.output().matchAll(/^ {5}(curl .*)$/gm)].map(([, command]) => command!)
    assert.equal(commands.length, 2)
    const [first, second] = commands.map(
      (command) => run('bash', ['-c', `cd ${JSON.stringify(join(import.meta.dirname, '../../..'))} && ${command}`]).stdout,
    )
    assert.match(first!, /^\{"id":"7",/)
    assert.match(second!, /"status":403/)
  })
})

describe('openssl', () => {
  const shake = (...args: readonly string[]): string => {
    const { stdout, stderr } = run('openssl', [
      's_client',
      '-connect',
      '127.0.0.1:8443',
      '-servername',
      'orders.localhost',
      '-CAfile',
      demo.ca,
      ...args,
    ])
    return stdout + stderr
  }

  test('TLS 1.3 with a certificate that verifies, and HTTP/2 by ALPN', () => {
    const text = shake('-alpn', 'h2,http/1.1')
    assert.match(text, /Verify return code: 0 \(ok\)/)
    assert.match(text, /TLSv1\.3/)
    assert.match(text, /ALPN protocol: h2/)
  })

  test('TLS 1.2 is the least', () => {
    assert.match(shake('-tls1_2'), /Verify return code: 0/)
    assert.match(shake('-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0'), /alert protocol version|no protocols available|unsupported protocol/i)
  })
})

describe('h2load', () => {
  test('many streams on few connections: every answer is 200', () => {
    const args = ['-n', '400', '-c', '4', '-m', '20', ...as('reader'), '--connect-to=127.0.0.1:8443', `${HTTPS}/orders/7`]
    const { stdout } = run('h2load', args)
    assert.match(stdout, /400 succeeded, 0 failed/)
    assert.match(stdout, /status codes: 400 2xx, 0 3xx, 0 4xx, 0 5xx/)
  })
})

describe('policy and record', () => {
  test('an edit of the policy takes effect without a restart, and a broken one changes nothing', async () => {
    const file = join(demo.config, 'policy/orders.yaml')
    const before = readFileSync(file, 'utf8')
    const ask = (): number =>
      curl('-X', 'POST', ...as('reader'), '-H', 'Content-Type: application/json', '-d', '{"item":"x","quantity":1}', `${HTTP}/orders`)
        .status
    assert.equal(ask(), 403)
    writeFileSync(file, before.replace('role: [publisher, admin]', 'role: [publisher, admin, reader]'))
    assert.equal(await eventually(ask, 201), 201)
    appendFileSync(file, '\nrules: [\n')
    assert.equal(ask(), 201, 'the last good version stays')
    writeFileSync(file, before)
    assert.equal(await eventually(ask, 403), 403)
  })

  test('the record verifies, and a tampered copy does not', () => {
    const fine = demo.ostiary('audit', 'verify', demo.data)
    assert.equal(fine.status, 0, fine.stderr + fine.stdout)
    const copy = join(demo.data, '../copy')
    cpSync(demo.data, copy, { recursive: true })
    // The gateway runs on, and its anchor with it: against that, a copy would rightly look cut.
    assert.equal(demo.ostiary('audit', 'verify', copy, '--no-anchor').status, 0, 'a copy is as whole')
    const segments = readdirSync(join(copy, 'audit'), { recursive: true, encoding: 'utf8' }).map((name) => join(copy, 'audit', name))
    const segment = segments.find((file) => readable(file).includes('DELETE'))
    assert.ok(segment !== undefined, 'there is a segment with the denial in it')
    writeFileSync(segment, readable(segment).replace('DELETE', 'DELETF'))
    const caught = demo.ostiary('audit', 'verify', copy, '--no-anchor')
    assert.notEqual(caught.status, 0, 'the tampering is noticed')
  })
})

test('the gateway says who can do something, and whether one can oneself', () => {
  const who = demo.ostiary('who-can', 'DELETE /orders/7', '--on', 'orders', '--as', 'auditor')
  assert.equal(who.status, 0, who.stderr)
  assert.match(
    who.stdout,
    /by rule delete-orders .*\n {2}holders of `admin`:\n {4}claim `roles` of issuer `entra` containing `Gateway\.Admin`/,
  )
  const can = (account: string) => demo.ostiary('can-i', 'DELETE /orders/7', '--on', 'orders', '--as', account)
  assert.equal(can('admin').status, 0)
  const no = can('reader')
  assert.equal(no.status, 1)
  assert.match(no.stdout, /^deny {2}DELETE \/orders\/7 {2}on orders/)
  assert.notEqual(demo.ostiary('who-can', 'DELETE /orders/7', '--on', 'orders', '--as', 'reader').status, 0, 'that is for auditors')
  assert.match(demo.ostiary('can-i', 'DELETE', '--on', 'orders', '--as', 'reader').stderr, /needs a method and a path/)
})

test('the doctor finds nothing wrong with the issuer of the demo', () => {
  const { status, stdout, stderr } = demo.ostiary('doctor', 'issuer', 'entra', '--config', demo.config)
  assert.equal(status, 0, stderr)
  assert.match(stdout, /^ok +provider +keys got/)
})

test('SIGTERM ends it cleanly', async () => {
  assert.equal(await demo.stop(), 0)
})

function readable(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** Asks until the answer is the wanted one; the last answer where it never is. */
async function eventually(ask: () => number, wanted: number): Promise<number> {
  let answer = ask()
  for (let i = 0; i < 50 && answer !== wanted; i++) {
    await new Promise((resolve) => setTimeout(resolve, 100))
    answer = ask()
  }
  return answer
}

describe('a keyring', () => {
  test('of a desktop session keeps sign-ins, and the file says only that it does', () => {
    const home = mkdtempSync(join(tmpdir(), 'ostiary-keyring-'))
    const unlock = 'printf keyring | gnome-keyring-daemon --unlock --components=secrets >/dev/null'
    const script = `${unlock}; exec "$0" "$1"`
    const { status, stdout, stderr } = run(
      'env',
      [
        `HOME=${home}`,
        `XDG_CONFIG_HOME=${home}/config`,
        `XDG_DATA_HOME=${home}/data`,
        `XDG_RUNTIME_DIR=${home}`,
        'dbus-run-session',
        '--',
        'sh',
        '-c',
        script,
        process.execPath,
        join(import.meta.dirname, 'keyring.ts'),
      ],
      { timeout: 60_000 },
    )
    rmSync(home, { recursive: true, force: true })
    assert.equal(status, 0, stderr)
    const { where, file, token, had, after: gone } = JSON.parse(stdout) as Record<string, unknown>
    assert.deepEqual({ where, token, had, gone }, { where: 'the keyring', token: 'kept-secret', had: true, gone: true })
    assert.doesNotMatch(String(file), /kept-secret/)
  })
})
