/**
 * A real Envoy that asks its gateway about the requests of one resource, and decides by itself about those of another. Not part of
 * `npm test`: it needs the binary, which `src/testing/envoybinary.ts` finds or downloads; `.ci/run` runs this.
 */
import assert from 'node:assert/strict'
import { createPublicKey, type JsonWebKey } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { startGateway, type Gateway } from '../../../src/server/start.ts'
import { bootstrapOf } from '../../../src/targets/envoy/bootstrap.ts'
import { eventually, RealEnvoy } from '../../../src/testing/envoy.ts'
import { signToken, testKey, type JsonObject } from '../../../src/testing/tokens.ts'

const key = testKey('one', 'ES256')
const other = testKey('two', 'ES256')

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

interface Line {
  readonly [name: string]: unknown
}

describe('an Envoy that asks the gateway', () => {
  let folder: string
  let upstream: Server
  let gateway: Gateway | undefined
  let envoy: RealEnvoy | undefined
  let port: number
  const ports: number[] = []
  const lines: string[] = []
  /** What the upstream was told last. */
  let seen: IncomingHttpHeaders | undefined

  const wiring = (): string => `apiVersion: ostiary.dev/v1
issuers:
  svc:
    kind: jwt
    issuer: svc
    audiences: [api]
    keys: [{ file: keys.json }]
resources:
  exports:
    protocol: http
    hosts: [exports.example]
    upstream: { url: 'http://127.0.0.1:${(upstream.address() as AddressInfo).port}' }
  native:
    protocol: http
    hosts: [native.example]
    upstream: { url: 'http://127.0.0.1:${(upstream.address() as AddressInfo).port}' }
  watched:
    protocol: http
    hosts: [watched.example]
    observe: { until: '2999-01-01T00:00:00Z' }
    upstream: { url: 'http://127.0.0.1:${(upstream.address() as AddressInfo).port}' }
doors:
  envoy:
    listen: 127.0.0.1:${ports[0]}
    checks: { listen: '127.0.0.1:${ports[1]}' }
    nodes:
      edge: { listen: 127.0.0.1:0, delegate: [exports] }
admin: { listen: 127.0.0.1:0 }
`
  const policy = `apiVersion: ostiary.dev/v1
roles:
  reader: { bind: [{ issuer: svc, claim: roles, any: [reader] }] }
rules:
  - { id: health, role: everyone, resource: exports, actions: [GET /healthz] }
  - { id: read, role: reader, resource: exports, actions: ['GET /items/{id}', GET /slow, GET /secret, POST /items] }
  - { id: native, role: reader, resource: native, actions: [GET /items] }
  - { id: watched, role: reader, resource: watched, actions: [GET /items, DELETE /items] }
  - { id: administer, role: reader, resource: ostiary, actions: ['* /**'] }
guardrails:
  - { id: slow, for: [everyone], resource: exports, actions: [GET /slow], limit: { requests: 2, in: 1h } }
  - { id: hidden, for: [everyone], resource: exports, actions: [GET /secret], mask: { $.card: drop } }
  - { id: kept, for: [everyone], resource: native, deny: ['DELETE /**'] }
  - { id: unkept, for: [everyone], resource: watched, deny: ['DELETE /**'] }
  - { id: soon, for: [everyone], resource: native, deny: [GET /items], mode: observe, until: '2999-01-01T00:00:00Z' }
  - { id: why, for: [everyone], resource: exports, actions: [POST /items], require: { justification: { matches: 'OPS-[0-9]+' } } }
`
  const token = (sub: string, roles: readonly string[], signer = key, more: JsonObject = {}): string => {
    const now = Math.floor(Date.now() / 1000)
    return signToken(signer, { iss: 'svc', aud: 'api', sub, iat: now, exp: now + 600, roles, ...more })
  }
  const start = (): Promise<Gateway> => startGateway({ folder, log: (line) => void lines.push(line) })
  const ask = (line: string, bearer?: string, more: Record<string, string | string[]> = {}, host = 'exports.example'): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const [method, path] = line.split(' ')
      const headers = { host, ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }), ...more }
      const sent = request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (response) => {
        let body = ''
        response
          .setEncoding('utf8')
          .on('data', (text: string) => (body += text))
          .on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }))
      })
      sent.on('error', reject).end()
    })
  const type = ({ body }: Answer): unknown => (JSON.parse(body) as { type: string }).type.split('/errors/')[1]
  const records = (): readonly Line[] =>
    readdirSync(join(folder, 'data/audit'))
      .filter((name) => name.endsWith('.jsonl'))
      .toSorted()
      .flatMap((name) => readFileSync(join(folder, 'data/audit', name), 'utf8').split('\n'))
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Line)
  const recorded = (id: unknown, kind = 'decision'): Promise<Line> =>
    eventually(`the ${kind} ${String(id)} is recorded`, () => records().find((line) => line['id'] === id && line['kind'] === kind))

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ostiary-checks-'))
    mkdirSync(join(folder, 'policy'))
    upstream = createServer(({ headers }, response) => {
      seen = headers
      response.end('ok')
    })
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
    const probes = [createServer(), createServer()]
    for (const probe of probes) {
      await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
      ports.push((probe.address() as AddressInfo).port)
    }
    await Promise.all(probes.map((probe) => new Promise((resolve) => probe.close(resolve))))
    const jwk = createPublicKey({ key: key.jwk as JsonWebKey, format: 'jwk' }).export({ format: 'jwk' })
    writeFileSync(join(folder, 'keys.json'), JSON.stringify({ keys: [{ ...jwk, kid: key.kid, alg: 'ES256', use: 'sig' }] }))
    writeFileSync(join(folder, 'ostiary.yaml'), wiring())
    writeFileSync(join(folder, 'policy/p.yaml'), policy)
    gateway = await start()
    const at = (index: number) => ({ host: '127.0.0.1', port: ports[index]! })
    const bootstrap = bootstrapOf({ node: 'edge', server: at(0), tls: undefined, checks: { ...at(1), tls: undefined }, admin: undefined })
    envoy = await RealEnvoy.start(mkdtempSync(join(folder, 'envoy-')), bootstrap)
    port = await envoy.port('edge')
    // It has its port a moment before it takes connections.
    await eventually('it takes connections', () =>
      ask('GET /healthz').then(
        () => true,
        () => undefined,
      ),
    )
  })
  after(async () => {
    await envoy?.stop()
    await gateway?.stop(0)
    upstream.close()
    upstream.closeAllConnections()
    rmSync(folder, { recursive: true, force: true })
  })

  test('lets through whom the policy lets through, says who it is, and the record has it', async () => {
    const forged = { 'ostiary-subject': 'root', 'Ostiary-Tenant': 'x', 'x-forwarded-user': 'root', 'X-Remote-User': 'root' }
    const answer = await ask('GET /items/7?page=2', token('ada', ['reader']), forged)
    assert.equal(answer.status, 200, answer.body)
    assert.equal(seen!['ostiary-subject'], 'ada')
    assert.equal(seen!['ostiary-issuer'], 'svc')
    for (const name of ['ostiary-tenant', 'x-forwarded-user', 'x-remote-user', 'authorization']) assert.equal(seen![name], undefined, name)
    const id = answer.headers['ostiary-decision']
    assert.equal(seen!['ostiary-decision'], id)
    const { door, resource, effect, rule } = await recorded(id)
    assert.deepEqual([door, resource, effect, rule], ['envoy', 'exports', 'allow', 'read'])
    const { result, status } = await recorded(id, 'outcome')
    assert.deepEqual([result, status], ['handed-over', null])
  })

  test('lets nobody through whom it does not, with the answers of the gateway', async () => {
    const nobody = await ask('GET /items/7')
    assert.deepEqual([nobody.status, type(nobody)], [401, 'http/no-credential'])
    assert.equal(nobody.headers['www-authenticate'], 'Bearer realm="exports"')
    const wrong = await ask('GET /items/7', token('ada', ['reader'], other))
    assert.deepEqual([wrong.status, type(wrong)], [401, 'http/rejected'])
    const writer = await ask('GET /items/7', token('bo', ['writer']))
    assert.deepEqual([writer.status, type(writer)], [403, 'http/denied'])
    assert.equal((await recorded(writer.headers['ostiary-decision']))['effect'], 'deny')
    const twice = await ask('GET /items/7', undefined, { authorization: [`Bearer ${token('ada', ['reader'])}`, 'Bearer x'] })
    // Envoy makes one field of the two.
    assert.deepEqual([twice.status, type(twice)], [401, 'http/rejected'])
    assert.equal((JSON.parse(twice.body) as { detail: string }).detail, 'the credential is malformed')
    assert.equal((await ask('GET /items//7', token('ada', ['reader']))).status, 200, 'slashes are merged before')
    const parameters = await ask('GET /items/7;x', token('ada', ['reader']))
    assert.deepEqual([parameters.status, type(parameters)], [400, 'http/path-character'])
  })

  test('nobody is told who calls where nobody is known', async () => {
    const answer = await ask('GET /healthz', undefined, { 'ostiary-subject': 'root', 'ostiary-issuer': 'svc', 'x-ostiary-subject': 'root' })
    assert.equal(answer.status, 200)
    assert.deepEqual(
      Object.keys(seen!).filter((name) => name.includes('ostiary')),
      ['ostiary-decision'],
    )
  })

  test('limits are kept, a justification is asked for, and what would have to be masked is not let through', async () => {
    const reader = token('counted', ['reader'])
    assert.deepEqual([(await ask('GET /slow', reader)).status, (await ask('GET /slow', reader)).status], [200, 200])
    const third = await ask('GET /slow', reader)
    assert.deepEqual([third.status, type(third)], [429, 'http/limited'])
    assert.match(String(third.headers['retry-after']), /^[0-9]+$/)
    const masked = await ask('GET /secret', reader)
    assert.deepEqual([masked.status, type(masked)], [403, 'http/masked-elsewhere'])
    assert.equal((await recorded(masked.headers['ostiary-decision'], 'outcome'))['result'], 'refused')
    const unsaid = await ask('POST /items', reader)
    assert.equal(type(unsaid), 'http/justification')
    assert.equal((await ask('POST /items', reader, { 'ostiary-justification': 'OPS-7' })).status, 200)
    assert.equal(seen!['ostiary-justification'], undefined)
  })

  test('what it decides by itself comes to be recorded, without a token', async () => {
    const secret = token('told', ['writer'])
    const before = records().length
    assert.equal((await ask('GET /items?card=4111', secret, { cookie: 'a=hidden' }, 'native.example')).status, 403)
    const isIt = ({ event, details }: Line): boolean => event === 'envoy-access' && (details as Line)['subject'] === 'told'
    const { details } = await eventually('the request is recorded', () => records().slice(before).find(isIt))
    const { request, ...told } = details as Line
    assert.match(String(request), /^[0-9a-f-]{36}$/)
    assert.deepEqual(told, {
      bestEffort: true,
      node: 'edge',
      resource: 'native',
      method: 'GET',
      path: '/items',
      status: 403,
      why: 'rbac_access_denied_matched_policy[none]',
      wouldBeDeniedBy: 'soon',
      issuer: 'svc',
      subject: 'told',
    })
    // What is only observed lets through, and the record says what it would have been.
    assert.equal((await ask('GET /items', token('observed', ['reader']), {}, 'native.example')).status, 200)
    const let_ = await eventually('the request is recorded', () =>
      records()
        .slice(before)
        .find(({ event, details: of }) => event === 'envoy-access' && (of as Line)['subject'] === 'observed'),
    )
    assert.deepEqual([(let_['details'] as Line)['status'], (let_['details'] as Line)['wouldBeDeniedBy']], [200, 'soon'])
    // A guardrail says which it is.
    assert.equal((await ask('DELETE /items', token('told', ['reader']), {}, 'native.example')).status, 403)
    const denied = await eventually('the denial is recorded', () =>
      records()
        .slice(before)
        .find((line) => isIt(line) && (line['details'] as Line)['method'] === 'DELETE'),
    )
    assert.equal((denied['details'] as Line)['deniedBy'], 'kept')
    // Whoever asks why is told, by the id in the answer or by what Envoy's log says.
    const explained = async (what: string): Promise<Line> => {
      const response = await fetch(`${gateway!.admin.url}/api/requests?id=${encodeURIComponent(what)}`, {
        headers: { authorization: `Bearer ${token('boss', ['reader'])}` },
      })
      assert.equal(response.status, 200, await response.clone().text())
      return (await response.json()) as Line
    }
    const byId = await explained(String((denied['details'] as Line)['request']))
    assert.match(
      String(byId['text']),
      /answered with 403 {2}DELETE \/items {2}on native\n.*by Envoy `edge`, told of svc\n[^]*denied by {2}guardrail kept {2}\(policy\/p\.yaml:\d+:\d+, as the policy is now\)/,
    )
    assert.equal((byId['statement'] as Line)['id'], 'kept')
    const unnamed = await explained(String(request))
    assert.match(
      String(unnamed['text']),
      /no rule grants it, or its token is none that is let in there[^]*who may, by the policy as it is now\n {2}GET \/items {2}on native\n {2}by rule /,
    )
    assert.equal(unnamed['statement'], undefined)
    const byDetails = await explained('rbac_access_denied_matched_policy[kept@svc]')
    assert.match(String(byDetails['text']), /^denied by {2}guardrail kept/)
    const all = JSON.stringify(records().slice(before))
    for (const hidden of [secret, 'hidden', '4111', 'eyJ']) assert.equal(all.includes(hidden), false, hidden)
  })

  test('a resource that is only observed lets through, and the record says what would have denied', async () => {
    const from = records().length
    const told = async (sub: string): Promise<Line> => {
      const isIt = ({ event, details }: Line): boolean => event === 'envoy-access' && (details as Line)['subject'] === sub
      return (await eventually('the request is recorded', () => records().slice(from).find(isIt)))['details'] as Line
    }
    const cases = [
      ['w1', 'GET /items', 'reader', undefined, undefined],
      [
        'w2',
        'GET /items',
        'guest',
        '(no-rule)',
        /that no rule grants it, or its issuer is none that is accepted there, would have denied it/,
      ],
      ['w3', 'DELETE /items', 'reader', 'unkept', /guardrail unkept would have denied it/],
      ['w4', 'DELETE /other', 'guest', 'unkept', /guardrail unkept would have denied it/],
    ] as const
    for (const [sub, line, role, would, explained] of cases) {
      assert.equal((await ask(line, token(sub, [role]), {}, 'watched.example')).status, 200, line)
      const { status, deniedBy, wouldBeDeniedBy, request: id } = await told(sub)
      assert.deepEqual([status, deniedBy, wouldBeDeniedBy], [200, undefined, would], line)
      const response = await fetch(`${gateway!.admin.url}/api/requests?id=${String(id)}`, {
        headers: { authorization: `Bearer ${token('boss', ['reader'])}` },
      })
      const { text } = (await response.json()) as Line
      if (explained === undefined) assert.doesNotMatch(String(text), /observed/)
      else assert.match(String(text), explained)
    }
    // A credential that is not good is one all the same.
    assert.equal((await ask('GET /items', token('w5', ['reader'], other), {}, 'watched.example')).status, 401)
  })

  test('with the gateway away, what is asked about is 503 and never let through, and the rest goes on', async () => {
    const reader = token('ada', ['reader'])
    assert.equal((await ask('GET /items', reader, {}, 'native.example')).status, 200)
    await gateway!.stop(0)
    gateway = undefined
    seen = undefined
    for (let i = 0; i < 5; i++) assert.equal((await ask('GET /items/7', reader)).status, 503)
    assert.equal((await ask('GET /healthz')).status, 503)
    assert.equal(seen, undefined)
    assert.equal((await ask('GET /items', reader, {}, 'native.example')).status, 200)
    gateway = await start()
    await eventually('it is asked again', async () => (await ask('GET /items/7', reader)).status === 200 || undefined)
  })
})
