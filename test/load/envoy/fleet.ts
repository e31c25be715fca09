/**
 * `npm run load -- envoy`: 10,000 rules over 200 services for 20 nodes, one of them a real Envoy and the others clients of the protocol:
 * how long a whole push takes until all have accepted it, how long a change of one rule takes to deny on an open connection, and how much is sent.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../../src/core/clock.ts'
import type { NativeIssuer } from '../../../src/core/token.ts'
import { XdsServer } from '../../../src/envoy/xds/server.ts'
import { declaredClaims } from '../../../src/identity/claims.ts'
import { jwksOf } from '../../../src/identity/nativekeys.ts'
import { readKey } from '../../../src/identity/jose/jwk.ts'
import { oidcClaims } from '../../../src/identity/oidc/claims.ts'
import { nativeOidc } from '../../../src/identity/oidc/native.ts'
import { parsePattern } from '../../../src/policy/actions/http/template.ts'
import type { NativeResource, NativeStatement } from '../../../src/policy/native/native.ts'
import { bootstrapOf } from '../../../src/targets/envoy/bootstrap.ts'
import { emitEnvoy, type EnvoyResource } from '../../../src/targets/envoy/emit.ts'
import { Pieces } from '../../../src/targets/envoy/pieces.ts'
import { eventually, RealEnvoy } from '../../../src/testing/envoy.ts'
import { signToken, testKey } from '../../../src/testing/tokens.ts'
import { followers } from './follower.ts'

const SERVICES = 200
const RULES = 10_000
const NODES = 20

export interface FleetFigures {
  readonly emitMs: number
  readonly snapshotBytes: number
  /** Until every node has accepted the whole policy. */
  readonly pushMs: number
  readonly realPushMs: number
  /** From the change of one rule until a request on an open connection is denied: median and worst. */
  readonly changeMs: readonly [number, number]
  readonly changeBytes: number
  readonly envoyMiB: number
}

const key = testKey('k', 'ES256')
const issuer: NativeIssuer = nativeOidc({
  name: 'idp',
  iss: 'https://idp.example',
  audiences: ['api'],
  algorithms: ['ES256'],
  clients: [],
  agents: [],
  declared: declaredClaims(oidcClaims, {}),
  maxLifetime: 86_400_000,
  type: { pattern: 'at\\+jwt', absent: false },
  client: { claim: 'client_id', when: 'always' },
  appOnly: 'by-subject',
})

function ruleOf(service: number, index: number, role: string): NativeStatement {
  const parsed = parsePattern(`GET /v1/things-${index}/{id}`)
  if (parsed.pattern === undefined) throw new Error('no pattern')
  const applies = new Map([
    [issuer.form, { test: { is: 'value', path: issuer.claims['groups']!.path!, type: 'list', values: [role] } } as const],
  ])
  const span = { file: 'policy/p.yaml', line: 1, column: 1, endLine: 1, endColumn: 2 }
  return { id: `rule-${service}-${index}`, span, patterns: [parsed.pattern], applies }
}

function resourcesOf(port: number, changed: string): readonly EnvoyResource[] {
  const perService = RULES / SERVICES
  return Array.from({ length: SERVICES }, (_, service) => {
    const rules = Array.from({ length: perService }, (_, index) =>
      ruleOf(service, index, service === 7 && index === 3 ? changed : `group-${service}-${index % 10}`),
    )
    const native: NativeResource = { name: `service-${service}`, issuers: [issuer], rules, guardrails: [], scopes: undefined }
    return {
      native,
      hosts: [`service-${service}.example`],
      upstream: { host: '127.0.0.1', port, tls: undefined, http2: false, connectTimeout: 2000 },
      websocket: false,
      forwardAuthorization: false,
    }
  })
}

export async function measureFleet(say: (line: string) => void): Promise<FleetFigures> {
  const folder = mkdtempSync(join(tmpdir(), 'ostiary-fleet-'))
  const upstream = createServer((_, response) => response.end('ok'))
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const { port: to } = upstream.address() as AddressInfo
  const server = new XdsServer({
    host: '127.0.0.1',
    port: 0,
    trust: { loopback: true },
    clock: systemClock,
    where: 'here',
    onFault: (error) => say(String(error)),
  })
  const port = await server.start()
  const names = Array.from({ length: NODES }, (_, i) => `node-${i}`)
  const services = Array.from({ length: SERVICES }, (_, service) => `service-${service}`)
  const endFollowers = followers(port, names.slice(1), services)
  const bootstrap = bootstrapOf({ node: names[0]!, server: { host: '127.0.0.1', port }, tls: undefined, admin: undefined })
  const envoy = await RealEnvoy.start(folder, bootstrap)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  try {
    const keys = new Map([[issuer.form, jwksOf([readKey(key.jwk)!], ['ES256'])]])
    const pieces = new Pieces()
    const make = (changed: string) =>
      pieces.snapshot(
        emitEnvoy(
          {
            name: 'edge',
            address: { host: '127.0.0.1', port: 0 },
            resources: resourcesOf(to, changed),
            keys,
            tls: undefined,
            logs: undefined,
          },
          pieces.routeOf,
        ),
      )
    const began = performance.now()
    const snapshot = make('readers')
    const emitMs = performance.now() - began
    const snapshotBytes = Object.values(snapshot.resources)
      .flatMap((all) => [...all.values()])
      .reduce((sum, { bytes }) => sum + bytes.length, 0)
    say(`emitted in ${emitMs.toFixed(0)} ms, ${(snapshotBytes / 1024 ** 2).toFixed(1)} MiB`)
    const accepted = (nodes: readonly string[]) => (): true | undefined =>
      server.status().filter(({ node, desired, acknowledged }) => nodes.includes(node) && desired !== undefined && desired === acknowledged)
        .length === nodes.length || undefined
    await eventually(
      'all are there',
      () => server.status().filter(({ connectedSince }) => connectedSince !== undefined).length === NODES || undefined,
    )
    const pushed = performance.now()
    for (const name of names) server.publish(name, snapshot)
    await eventually('the real one has accepted it', accepted(names.slice(0, 1)))
    const realPushMs = performance.now() - pushed
    await eventually('all have accepted it', accepted(names))
    const pushMs = performance.now() - pushed
    say(`accepted by the real Envoy after ${realPushMs.toFixed(0)} ms, by all ${NODES} after ${pushMs.toFixed(0)} ms`)

    const listens = await envoy.port('edge')
    const seconds = Math.floor(Date.now() / 1000)
    const token = signToken(
      key,
      { iss: issuer.iss, aud: 'api', sub: 's', client_id: 'c', iat: seconds, exp: seconds + 3600, groups: ['readers'] },
      { typ: 'at+jwt' },
    )
    const ask = (): Promise<number> =>
      new Promise((resolve, reject) => {
        const headers = { host: 'service-7.example', authorization: `Bearer ${token}` }
        request({ host: '127.0.0.1', port: listens, path: '/v1/things-3/1', headers, agent }, (response) =>
          response.resume().on('end', () => resolve(response.statusCode!)),
        )
          .on('error', reject)
          .end()
      })
    await eventually('it lets through', async () => (await ask()) === 200 || undefined)
    const waits: number[] = []
    const before = server.status()[0]!.sentBytes
    let changes = 0
    for (let round = 0; round < 5; round++) {
      const at = performance.now()
      const denied = make('nobody')
      for (const name of names) server.publish(name, denied)
      await eventually('it denies', async () => (await ask()) === 403 || undefined)
      waits.push(performance.now() - at)
      await eventually('all have accepted it', accepted(names))
      const allowed = make('readers')
      for (const name of names) server.publish(name, allowed)
      await eventually('it lets through', async () => (await ask()) === 200 || undefined)
      await eventually('all have accepted it', accepted(names))
      changes += 2
    }
    const changeBytes = (server.status()[0]!.sentBytes - before) / changes
    waits.sort((a, b) => a - b)
    const envoyMiB = (await envoy.stat('server.memory_allocated')) / 1024 ** 2
    return { emitMs, snapshotBytes, pushMs, realPushMs, changeMs: [waits[2]!, waits[4]!], changeBytes, envoyMiB }
  } finally {
    agent.destroy()
    await endFollowers()
    await envoy.stop()
    await server.stop()
    upstream.close()
    upstream.closeAllConnections()
    rmSync(folder, { recursive: true, force: true })
  }
}

const PUSH_MS = 2000
const CHANGE_MS = 500

/** The table, and whether the bars are met. */
export function fleetTable(figures: FleetFigures, made: string): { readonly text: string; readonly good: boolean } {
  const { emitMs, snapshotBytes, pushMs, realPushMs, changeMs, changeBytes, envoyMiB } = figures
  const mib = (bytes: number): string => (bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(0)} KiB` : `${(bytes / 1024 ** 2).toFixed(1)} MiB`)
  const within = (value: number, bar: number): string => `${bar.toLocaleString('en')} ms: ${value <= bar ? 'within' : 'missed'}`
  const text = [
    made,
    '',
    '| what | measured | bar |',
    '|---|---|---|',
    `| ${RULES.toLocaleString('en')} rules of ${SERVICES} services emitted and serialised | ${emitMs.toFixed(0)} ms, ${mib(snapshotBytes)} | |`,
    `| accepted by a real Envoy, and by all ${NODES} nodes | ${realPushMs.toFixed(0)} ms, ${pushMs.toFixed(0)} ms | ${within(pushMs, PUSH_MS)} |`,
    `| a change of one rule, emitted anew, denies on an open connection: median and worst of five | ${changeMs[0].toFixed(0)} ms, ${changeMs[1].toFixed(0)} ms | ${within(changeMs[1], CHANGE_MS)} |`,
    `| sent to one node for that change | ${mib(changeBytes)} | |`,
    `| memory that the Envoy has allocated | ${envoyMiB.toFixed(0)} MiB | |`,
  ].join('\n')
  return { text, good: pushMs <= PUSH_MS && changeMs[1] <= CHANGE_MS }
}
