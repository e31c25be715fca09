/** The Entra-shaped provider over TLS, a whole gateway that believes it, and an upstream that says what it was told. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent } from 'undici'
import { stringify } from 'yaml'
import { systemClock, systemEntropy } from '../../src/core/clock.ts'
import { ensureDevCa } from '../../src/demo/ca.ts'
import { CI_CLIENT, HOME_TENANT } from '../../src/demo/idp/accounts.ts'
import { startIdp, type Idp } from '../../src/demo/idp/index.ts'
import { CLI, ORDERS_API } from '../../src/demo/idp/registrations.ts'
import { startGateway } from '../../src/server/start.ts'

/** A decision as the record has it. */
export interface Recorded {
  readonly id: string
  readonly verdict: string
  readonly rule?: string
  readonly principal: { readonly subject: string; readonly kind: string; readonly client?: string }
}

export interface EntraWorld {
  readonly folder: string
  readonly idp: Idp
  /** PEM of the authority that signed the provider's certificate. */
  readonly ca: string
  /** Trusts it. */
  readonly agent: Agent
  ask(token: string, method?: string, path?: string): Promise<Response>
  /** What the record has of an answer's decision. */
  recordOf(answer: Response): Recorded
  close(): Promise<void>
}

const policy = {
  apiVersion: 'ostiary.dev/v1',
  roles: {
    reader: { bind: [{ issuer: 'entra', claim: 'roles', any: ['Orders.Read'], kind: 'human' }] },
    builder: { bind: [{ issuer: 'entra', claim: 'azp', any: [CI_CLIENT], kind: 'workload' }] },
    admin: { bind: [{ issuer: 'ostiary', claim: 'via', any: ['one-time-link'] }] },
  },
  rules: [
    { id: 'read', role: ['reader', 'builder'], resource: 'orders', actions: ['GET /orders', 'GET /plans'] },
    { id: 'build', role: 'builder', resource: 'orders', actions: ['POST /orders'] },
    { id: 'administer', role: 'admin', resource: 'ostiary', actions: ['* /**'] },
  ],
  guardrails: [{ id: 'strong', require: { authContext: 'c1' }, actions: ['GET /plans'], resource: 'orders', for: ['reader'] }],
}

export async function openEntraWorld(): Promise<EntraWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'ostiary-entra-'))
  const files = await ensureDevCa({ dataDir: folder, clock: systemClock, entropy: systemEntropy })
  const read = (file: string): string => readFileSync(file, 'utf8')
  const ca = read(files.caFile)
  const agent = new Agent({ connect: { ca } })
  const idp = await startIdp({ port: 0, tls: { cert: read(files.certFile), key: read(files.keyFile) } })
  const upstream = createServer(({ headers }, response) =>
    response.end(JSON.stringify([headers['ostiary-kind'], headers['ostiary-subject'], headers.authorization ?? null])),
  )
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const wiring = {
    apiVersion: 'ostiary.dev/v1',
    dataDir: 'data',
    outbound: { ca: files.caFile },
    issuers: { entra: { kind: 'entra', authority: idp.authority, tenants: [HOME_TENANT], audiences: [ORDERS_API.clientId] } },
    resources: {
      orders: {
        protocol: 'http',
        hosts: ['127.0.0.1'],
        record: 'strict',
        upstream: { url: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}` },
      },
    },
    doors: { http: { listen: [{ address: '127.0.0.1:0' }] } },
    admin: { listen: '127.0.0.1:0' },
  }
  mkdirSync(join(folder, 'policy'))
  writeFileSync(join(folder, 'ostiary.yaml'), stringify(wiring))
  writeFileSync(join(folder, 'policy/policy.yaml'), stringify(policy))
  const gateway = await startGateway({ folder, watch: false, log: () => undefined })
  return {
    folder,
    idp,
    ca,
    agent,
    ask: (token, method = 'GET', path = '/orders') =>
      fetch(`http://127.0.0.1:${gateway.doors[0]!.port}${path}`, { method, headers: { authorization: `Bearer ${token}` } }),
    recordOf(answer) {
      const id = answer.headers.get('ostiary-decision')
      const audit = join(gateway.dataDir, 'audit')
      const line = readdirSync(audit)
        .filter((name) => name.endsWith('.jsonl'))
        .flatMap((name) => read(join(audit, name)).split('\n'))
        .find((one) => one.includes(`"kind":"decision","id":"${id}"`))
      assert.ok(line !== undefined, `the record has the decision ${id}`)
      return JSON.parse(line) as Recorded
    },
    async close() {
      await gateway.stop(0)
      await idp.close()
      await agent.close()
      upstream.closeAllConnections()
      await new Promise((resolve) => upstream.close(resolve))
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

interface Caller {
  readonly kind: 'human' | 'workload'
  readonly client: string
}

export const BUILDER: Caller = { kind: 'workload', client: CI_CLIENT }
export const PERSON: Caller = { kind: 'human', client: CLI.clientId }

/** At the door, its token does what the policy allows its caller and nothing else, and the record says who that was. */
export async function assertJudged(world: EntraWorld, token: string, { kind, client }: Caller): Promise<void> {
  const read = await world.ask(token)
  assert.equal(read.status, 200)
  const [told, subject, credential] = (await read.json()) as readonly unknown[]
  assert.deepEqual([told, credential], [kind, null], 'the upstream is told who it is, and gets no token')
  for (const [answer, verdict, rule] of [
    [read, 'allowed', 'read'],
    [await world.ask(token, 'POST'), kind === 'workload' ? 'allowed' : 'denied', kind === 'workload' ? 'build' : undefined],
    [await world.ask(token, 'DELETE'), 'denied', undefined],
  ] as const) {
    assert.equal(answer.status, verdict === 'allowed' ? 200 : 403)
    const recorded = world.recordOf(answer)
    const { principal } = recorded
    assert.deepEqual(
      [recorded.verdict, recorded.rule, principal.kind, principal.subject, principal.client],
      [verdict, rule, kind, subject, client],
    )
  }
}
