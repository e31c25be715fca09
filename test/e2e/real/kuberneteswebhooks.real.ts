/**
 * A real API server that verifies people's tokens by itself, asks the gateway about each of their requests, and tells it of them: started with
 * what `ostiary compile kubernetes` writes. Whoever goes straight to it meets the same policy as at the door.
 */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createTlsServer, connect as connectTls, type Server } from 'node:tls'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { parse, stringify } from 'yaml'
import { haveCluster, kubeconfigOf, run } from '../../../src/testing/cluster.ts'
import { eventually } from '../../../src/testing/envoy.ts'
import { certifiedBy, testAuthority, type Pair } from '../../../src/testing/pki.ts'
import { signToken, testKey, times } from '../../../src/testing/tokens.ts'
import { serving } from './kubernetesoracle.ts'
import { ISSUER, startKubernetesWorld, type KubernetesWorld } from './kubernetesworld.ts'

const here = haveCluster()
const ROLES = ['reader', 'operator', 'contractor', 'api-server']
const RULES = [
  {
    id: 'discover',
    role: 'authenticated',
    resource: 'bed',
    actions: [
      'get /api',
      'get /apis',
      'get /api/**',
      'get /apis/**',
      'get /openapi/**',
      'get /version',
      'create selfsubjectaccessreviews.authorization.k8s.io',
    ],
  },
  { id: 'look', role: 'reader', resource: 'bed', actions: ['get,list configmaps -n team-*', 'get,list secrets -n team-a'] },
  { id: 'near', role: 'reader', resource: 'bed', actions: ['create configmaps -n team-a'], when: "claims.department == 'ops'" },
  { id: 'operate', role: 'operator', resource: 'bed', actions: ['get,list,create,delete *', 'create pods/exec'] },
  {
    id: 'asks',
    role: 'api-server',
    resource: 'ostiary',
    actions: ['POST /webhooks/bed/authorize', 'POST /webhooks/bed/audit', 'GET /metrics'],
  },
]
const GUARDRAILS = [{ id: 'no-outsiders', deny: ['* secrets'], resource: 'bed', for: ['contractor'] }]
const ISSUERS = {
  people: {
    kind: 'jwt',
    issuer: ISSUER,
    audiences: ['clusters'],
    keys: [{ file: 'people.jwks' }],
    claims: { groups: 'list', department: 'string' },
    principal: 'human',
  },
}

/** What the compiler writes for the cluster, by file. */
async function compiled(
  url: string,
  discovery: string,
  ca: string,
  relayCa: string,
  tokenFile: string,
): Promise<ReadonlyMap<string, object>> {
  const folder = mkdtempSync(join(tmpdir(), 'ostiary-webhooks-'))
  try {
    mkdirSync(join(folder, 'policy'))
    writeFileSync(join(folder, 'people.jwks'), '{"keys":[]}')
    const roles = Object.fromEntries([
      ...ROLES.map((role) => [role, { bind: [{ issuer: 'people', claim: 'groups', any: [role] }] }]),
      ['admin', { bind: [{ issuer: 'ostiary', claim: 'via', any: ['one-time-link'] }] }],
    ]) as object
    const rules = [...RULES, { id: 'administer', role: 'admin', resource: 'ostiary', actions: ['* /**'] }]
    writeFileSync(join(folder, 'policy/policy.yaml'), stringify({ apiVersion: 'ostiary.dev/v1', roles, rules, guardrails: GUARDRAILS }))
    const webhook = { url, certificateAuthority: relayCa, credential: { tokenFile }, kubeconfig: '/FOLDER/gateway.json', ttl: '1s' }
    const target = {
      kind: 'kubernetes',
      resource: 'bed',
      version: '1.36',
      authentication: { issuers: { people: { discoveryURL: discovery, certificateAuthority: ca } } },
      authorization: { webhook },
      assume: [
        'access-tokens-only',
        'canonical-paths',
        'default-roles',
        'issued-in-the-past',
        'longer-clock-skew',
        'plain-headers',
        'published-keys',
        'unrevoked-tokens',
      ],
    }
    writeFileSync(
      join(folder, 'ostiary.yaml'),
      stringify({
        apiVersion: 'ostiary.dev/v1',
        name: 'bed',
        issuers: ISSUERS,
        resources: { bed: { protocol: 'kubernetes' } },
        targets: { bed: target },
        doors: { kubernetes: { listen: [{ address: '127.0.0.1:0' }] } },
        admin: { listen: '127.0.0.1:0' },
      }),
    )
    const out = join(folder, 'out')
    const args = [join(import.meta.dirname, '../../../bin/ostiary.js'), 'compile', 'kubernetes', folder, '--out', out]
    const { code, stderr } = await run(process.execPath, args, { env: { PATH: process.env['PATH'] ?? '' }, cwd: folder })
    assert.equal(code, 0, stderr)
    return new Map(
      ['authenticationconfiguration', 'authorizationconfiguration', 'config'].map((name) => [
        name,
        JSON.parse(
          JSON.stringify(parse(readFileSync(join(out, 'bed', `${name}.yaml`), 'utf8'))).replaceAll('/FOLDER', '{folder}'),
        ) as object,
      ]),
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

describe('an API server that asks and tells the gateway', { skip: here === true ? false : here }, () => {
  const key = testKey('people', 'ES256')
  const folder = mkdtempSync(join(tmpdir(), 'ostiary-apiserver-'))
  const sockets = new Set<Socket>()
  let world: KubernetesWorld | undefined
  let provider: Awaited<ReturnType<typeof serving>>
  let relay: Server
  let isDown = false

  /** Where the API server finds the gateway, which starts after it. */
  async function startRelay(authority: Pair): Promise<string> {
    const { cert, key: own } = await certifiedBy(authority, {
      subject: 'CN=relay',
      names: [{ type: 'ip', value: '127.0.0.1' }],
      usages: ['1.3.6.1.5.5.7.3.1'],
    })
    relay = createTlsServer({ cert, key: own }, (socket) => {
      const port = world?.gateway.doors[0]?.port
      sockets.add(socket)
      socket.on('error', () => undefined)
      if (port === undefined || isDown) return void socket.destroy()
      const upstream = connectTls({ host: '127.0.0.1', port, ca: world!.authority.cert })
      sockets.add(upstream)
      upstream.on('error', () => socket.destroy())
      socket.on('close', () => upstream.destroy())
      upstream.on('close', () => socket.destroy())
      socket.pipe(upstream).pipe(socket)
    })
    await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve))
    return `https://127.0.0.1:${(relay.address() as AddressInfo).port}`
  }

  const tokenOf = (name: string, groups: readonly string[], more: object = {}): string =>
    signToken(key, { iss: ISSUER, sub: name, aud: 'clusters', ...times(Date.now()), groups: [...groups], ...more })

  /** Straight to the API server. */
  const direct = (name: string, groups: readonly string[], more: object = {}): string =>
    world!.cluster.kubeconfig(`${name}-${groups.join('-')}`, { token: tokenOf(name, groups, more) })

  const byDoor = (name: string, groups: readonly string[], more: object = {}): string =>
    world!.cluster.kubeconfig(`${name}-door`, { token: tokenOf(name, groups, more) }, { server: world!.server, ca: world!.authority.cert })

  before(async () => {
    const authority = await testAuthority('relay and provider')
    const origin = await startRelay(authority)
    provider = await serving(authority, (path) =>
      path === '/keys'
        ? { keys: [key.jwk] }
        : { issuer: ISSUER, jwks_uri: `${providerUrl()}/keys`, id_token_signing_alg_values_supported: ['ES256'] },
    )
    const providerUrl = (): string => `https://127.0.0.1:${(provider.address() as AddressInfo).port}`
    const tokenFile = join(folder, 'token')
    writeFileSync(tokenFile, tokenOf('api-server', ['api-server']))
    const files = await compiled(
      `${origin}/webhooks/bed/authorize`,
      `${providerUrl()}/.well-known/openid-configuration`,
      authority.cert,
      authority.cert,
      tokenFile,
    )
    world = await startKubernetesWorld({
      policy: { rules: RULES, guardrails: GUARDRAILS },
      roles: ROLES,
      wiring: { issuers: ISSUERS },
      resource: { webhook: { components: ['gateway', 'admin'], door: 'believed' }, lists: 'filter', help: 'ask in #platform' },
      key,
      authentication: files.get('authenticationconfiguration')!,
      authorization: files.get('authorizationconfiguration')!,
      files: { 'gateway.json': files.get('config')! },
      audit: {
        policy: { apiVersion: 'audit.k8s.io/v1', kind: 'Policy', omitStages: ['RequestReceived'], rules: [{ level: 'RequestResponse' }] },
        webhook: kubeconfigOf(`${origin}/webhooks/bed/audit`, authority.cert, { tokenFile }),
      },
    })
    const { cluster } = world
    for (const name of ['team-a', 'team-b']) assert.equal((await cluster.kubectl(['create', 'namespace', name])).code, 0)
    assert.equal((await cluster.kubectl(['create', 'secret', 'generic', 's', '-n', 'team-a', '--from-literal=password=hunter2'])).code, 0)
    const reader = direct('warm', ['reader'])
    await eventually(
      'the issuer is known',
      async () => {
        const ran = await cluster.kubectl(['get', 'configmaps', '-n', 'team-a'], { kubeconfig: reader })
        return ran.code === 0 ? ran : undefined
      },
      60_000,
    )
  })
  after(async () => {
    for (const socket of sockets) socket.destroy()
    await world?.stop()
    await new Promise((resolve) => (relay === undefined ? resolve(undefined) : relay.close(resolve)))
    provider?.closeAllConnections()
    provider?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const ran = (kubeconfig: string, ...args: readonly string[]): ReturnType<KubernetesWorld['cluster']['kubectl']> =>
    world!.cluster.kubectl(args, { kubeconfig })

  test('lets through what the policy allows', async () => {
    const reader = direct('anna', ['reader'])
    const { code, stdout, stderr } = await ran(reader, 'get', 'secret', 's', '-n', 'team-a', '-o', 'name')
    assert.deepEqual([code, stdout, stderr], [0, 'secret/s\n', ''])
    assert.equal((await ran(direct('olga', ['operator']), 'create', 'configmap', 'made', '-n', 'team-b')).code, 0)
  })
  test('refuses by a guardrail, which its own roles could not say, in the words of the policy', async () => {
    const { code, stderr } = await ran(direct('carl', ['reader', 'contractor']), 'get', 'secret', 's', '-n', 'team-a')
    assert.equal(code, 1)
    assert.match(
      stderr,
      /secrets "s" is forbidden: User "ostiary:people:carl" cannot get resource "secrets" in API group "" in the namespace "team-a": guardrail `no-outsiders` forbids it; ask in #platform \(decision [0-9a-z]{22}\)/,
    )
  })
  test('refuses what a condition over claims would have allowed at the door', async () => {
    const reader = direct('dora', ['reader'], { department: 'ops' })
    const straight = await ran(reader, 'create', 'configmap', 'x', '-n', 'team-a')
    assert.equal(straight.code, 1)
    assert.match(straight.stderr, /a condition of this access could not be evaluated; ask in #platform/)
  })
  test('refuses what nothing gives, whatever its own roles say', async () => {
    const reader = direct('emil', ['reader'])
    await world!.cluster.kubectl(['create', 'clusterrolebinding', 'emil', '--clusterrole=cluster-admin', '--user=ostiary:people:emil'])
    const { code, stderr } = await ran(reader, 'get', 'configmaps', '-n', 'default')
    assert.equal(code, 1)
    assert.match(stderr, /: rule `operate` allows it to `operator`, which you do not hold/)
  })
  test('believes what the door has decided by more than it is told itself, and of nobody else', async () => {
    const more = { department: 'ops' }
    const doors = byDoor('ina', ['reader'], more)
    assert.deepEqual(await ran(doors, 'create', 'configmap', 'ina', '-n', 'team-a').then(({ code, stderr }) => [code, stderr]), [0, ''])
    const shown = await ran(doors, 'get', 'configmaps', '-A', '-o', 'jsonpath={.items[*].metadata.namespace}')
    assert.equal(shown.code, 0, shown.stderr)
    assert.deepEqual([...new Set(shown.stdout.split(' '))].toSorted(), ['team-a', 'team-b'])
    const straight = direct('ina', ['reader'], more)
    assert.match(
      (await ran(straight, 'create', 'configmap', 'ina-2', '-n', 'team-a')).stderr,
      /a condition of this access could not be evaluated/,
    )
    assert.match((await ran(straight, 'get', 'configmaps', '-A')).stderr, /rule `operate` allows it to `operator`/)
  })
  test('answers `auth can-i` so', async () => {
    const reader = direct('fay', ['reader'])
    assert.equal((await ran(reader, 'auth', 'can-i', 'list', 'configmaps', '-n', 'team-b')).stdout, 'yes\n')
    const no = await ran(reader, 'auth', 'can-i', 'delete', 'configmaps', '-n', 'team-b')
    assert.match(no.stdout, /^no - rule `operate` allows it to `operator`/)
  })
  test('goes on with those who are of no issuer', async () => {
    assert.equal((await world!.cluster.kubectl(['get', 'nodes'])).code, 0)
  })

  test('records each answer as a decision about whom it was about', async () => {
    const records = await decisions('people', 'carl')
    const [one] = records.filter(({ action }) => action['resource'] === 'secrets')
    assert.deepEqual(
      [one?.door, one?.resource, one?.principal.roles, one?.verdict],
      ['kubernetes', 'bed', ['authenticated', 'contractor', 'everyone', 'reader'], 'denied'],
    )
  })

  test('tells of requests: those by the door join, those straight to it show', async () => {
    const anna = byDoor('anna', ['reader'])
    assert.equal((await ran(anna, 'get', 'configmaps', '-n', 'team-a')).code, 0)
    assert.equal((await ran(direct('gus', ['reader']), 'get', 'secret', 's', '-n', 'team-a')).code, 0)
    const notes = await eventually(
      'what came straight is noted',
      async () => {
        const found = records().filter(({ kind, details }) => kind === 'event' && details?.['user'] === 'ostiary:people:gus')
        return found.length > 0 ? found : undefined
      },
      30_000,
    )
    const reads = notes.map(({ details }) => details!)
    assert.ok(reads.every(({ cluster, finding, source }) => cluster === 'bed' && finding === 'bypassed' && source === '127.0.0.1'))
    assert.ok(reads.every(({ verbs }) => verbs === 'read'))
    const metrics = await eventually(
      'a request by the door joins',
      async () => {
        const text = await metricsOf()
        return /kubernetes_audit_events_total\{finding="joined"\} [1-9]/.test(text) ? text : undefined
      },
      30_000,
    )
    assert.match(metrics, /kubernetes_audit_events_total\{finding="bypassed"\} [1-9]/)
    assert.ok(
      !records().some(({ kind, details }) => kind === 'event' && details?.['user'] === 'gateway'),
      'nothing that came by the door is noted',
    )
    assert.ok(!JSON.stringify(records()).includes('aHVudGVyMg'), 'no data of a secret is kept')
  })

  test('refuses people of the issuers, and nobody else, once nobody answers', async () => {
    isDown = true
    for (const socket of sockets) socket.destroy()
    const { code, stderr } = await ran(direct('hans', ['reader']), 'get', 'secret', 's', '-n', 'team-a')
    assert.equal(code, 1)
    assert.match(stderr, /Forbidden|InternalError|forbidden/)
    assert.equal((await world!.cluster.kubectl(['get', 'nodes'])).code, 0)
  })

  interface Line {
    readonly kind: string
    readonly door?: string
    readonly resource?: string
    readonly verdict?: string
    readonly action: Readonly<Record<string, string>>
    readonly principal: { readonly issuer: string; readonly subject: string; readonly roles: readonly string[] }
    readonly details?: Readonly<Record<string, unknown>>
  }

  function records(): readonly Line[] {
    const dir = join(world!.gateway.dataDir, 'audit')
    return readdirSync(dir)
      .filter((name) => name.endsWith('.jsonl'))
      .flatMap((name) => readFileSync(join(dir, name), 'utf8').split('\n'))
      .flatMap((line) => (line.endsWith('}') ? [JSON.parse(line) as Line] : []))
  }

  async function metricsOf(): Promise<string> {
    const response = await fetch(`${world!.gateway.admin.url}/metrics`, {
      headers: { authorization: `Bearer ${tokenOf('api-server', ['api-server'])}` },
    })
    assert.equal(response.status, 200)
    return response.text()
  }

  async function decisions(issuer: string, subject: string): Promise<readonly Line[]> {
    return eventually('it is recorded', async () => {
      const found = records().filter(
        ({ kind, door, principal }) =>
          kind === 'decision' && door === 'kubernetes' && principal.issuer === issuer && principal.subject === subject,
      )
      return found.length > 0 ? found : undefined
    })
  }
})
