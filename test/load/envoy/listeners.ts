/**
 * How long a connection that is open keeps the policy that it began with, where filters travel in the listener, as Istio and Kuma send them:
 * a real Envoy whose listener is a file, which is replaced by one that denies.
 */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, createServer, request, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { RealEnvoy } from '../../../src/testing/envoy.ts'

const TYPE = 'type.googleapis.com/'

/** How a mesh starts its Envoys. */
export interface Draining {
  readonly name: string
  readonly strategy: 'immediate' | 'gradual'
  readonly seconds: number
}

/** Istio's agent starts Envoy so; of Kuma's, the time is its default, and it names no strategy, of which `gradual` is Envoy's. */
export const MESHES: readonly Draining[] = [
  { name: 'as Istio starts it', strategy: 'immediate', seconds: 45 },
  { name: 'as Kuma starts it', strategy: 'gradual', seconds: 30 },
]

export interface ListenerDelay {
  readonly draining: Draining
  /** Milliseconds from the change to the first denial: on a new connection, and on one that is in use all the time. */
  readonly fresh: number
  readonly busy: number
  /** Requests that the busy connection still got through. */
  readonly through: number
  /** What the first request of a connection gets that was idle for half of the draining. */
  readonly idle: number
  /** Milliseconds until an answer that never ends was cut off. */
  readonly stream: number
}

function listener(port: number, upstream: boolean, denies: boolean): string {
  const rules = { action: denies ? 'ALLOW' : 'DENY', policies: {} }
  const config = {
    '@type': `${TYPE}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    statPrefix: 'in',
    routeConfig: {
      name: 'in',
      virtualHosts: [{ name: 'in', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'upstream', timeout: '0s' } }] }],
    },
    httpFilters: [
      { name: 'rbac', typedConfig: { '@type': `${TYPE}envoy.extensions.filters.http.rbac.v3.RBAC`, rules } },
      { name: 'router', typedConfig: { '@type': `${TYPE}envoy.extensions.filters.http.router.v3.Router` } },
    ],
  }
  const resource = {
    '@type': `${TYPE}envoy.config.listener.v3.Listener`,
    name: 'in',
    address: { socketAddress: { address: '127.0.0.1', portValue: port } },
    filterChains: [{ filters: [{ name: 'envoy.filters.network.http_connection_manager', typedConfig: config }] }],
  }
  return JSON.stringify({ versionInfo: denies ? '2' : '1', resources: upstream ? [resource] : [] })
}

function ask(port: number, agent: Agent, path = '/'): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, agent }, resolve).on('error', reject).end()
  })
}

async function status(port: number, agent: Agent): Promise<number> {
  const answer = await ask(port, agent)
  answer.resume()
  await new Promise((resolve) => answer.on('end', resolve))
  return answer.statusCode!
}

const single = (): Agent => new Agent({ keepAlive: true, maxSockets: 1 })

async function measure(draining: Draining): Promise<ListenerDelay> {
  const folder = mkdtempSync(join(tmpdir(), 'ostiary-listeners-'))
  const upstream = createServer(({ url }, response) => {
    if (url !== '/stream') return response.end('ok')
    response.write('one')
    const more = setInterval(() => response.write('more'), 100)
    return response.on('close', () => clearInterval(more))
  })
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const { port } = probe.address() as AddressInfo
  await new Promise((resolve) => probe.close(resolve))
  const file = join(folder, 'listeners.json')
  const put = (denies: boolean): void => {
    writeFileSync(`${file}.new`, listener(port, true, denies))
    renameSync(`${file}.new`, file)
  }
  put(false)
  const socketAddress = { address: '127.0.0.1', portValue: (upstream.address() as AddressInfo).port }
  const bootstrap = {
    node: { id: 'in', cluster: 'in' },
    dynamicResources: { ldsConfig: { pathConfigSource: { path: file, watchedDirectory: { path: folder } }, resourceApiVersion: 'V3' } },
    staticResources: {
      clusters: [
        {
          name: 'upstream',
          type: 'STATIC',
          loadAssignment: { clusterName: 'upstream', endpoints: [{ lbEndpoints: [{ endpoint: { address: { socketAddress } } }] }] },
        },
      ],
    },
  }
  const options = ['--drain-time-s', String(draining.seconds), '--drain-strategy', draining.strategy]
  const envoy = await RealEnvoy.start(mkdtempSync(join(folder, 'envoy-')), bootstrap, options)
  const [busy, idle, open] = [single(), single(), single()]
  try {
    await envoy.port('in')
    for (const agent of [busy, idle]) if ((await status(port, agent)) !== 200) throw new Error('the first listener has to let through')
    const stream = await ask(port, open, '/stream')
    stream.resume()
    const cut = new Promise<number>((resolve) => {
      stream.on('close', () => resolve(performance.now()))
      stream.on('error', () => undefined)
    })
    put(true)
    const changed = performance.now()
    const untilDenied = async (next: () => Agent): Promise<{ readonly ms: number; readonly through: number }> => {
      for (let through = 0; ; through++) {
        if ((await status(port, next())) === 403) return { ms: performance.now() - changed, through }
        if (performance.now() - changed > (draining.seconds + 10) * 1000) throw new Error('it never denied')
        await pause(20)
      }
    }
    const [fresh, used, late] = await Promise.all([
      untilDenied(() => new Agent({ keepAlive: false })),
      untilDenied(() => busy),
      pause(draining.seconds * 500).then(() => status(port, idle)),
    ])
    const stopped = await Promise.race([cut, pause((draining.seconds + 10) * 1000).then(() => Number.POSITIVE_INFINITY)])
    return { draining, fresh: fresh.ms, busy: used.ms, through: used.through, idle: late, stream: stopped - changed }
  } finally {
    for (const agent of [busy, idle, open]) agent.destroy()
    await envoy.stop()
    upstream.close()
    upstream.closeAllConnections()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Measures each mesh's way, one after the other. */
export async function measureListeners(say: (line: string) => void): Promise<readonly ListenerDelay[]> {
  const all: ListenerDelay[] = []
  for (const draining of MESHES) {
    const one = await measure(draining)
    say(`${draining.name}: ${JSON.stringify(one)}`)
    all.push(one)
  }
  return all
}

export function listenersTable(all: readonly ListenerDelay[], head: string): string {
  const seconds = (ms: number): string => (Number.isFinite(ms) ? `${(ms / 1000).toFixed(1)} s` : 'not cut off')
  const lines = all.map(
    ({ draining: { name, strategy, seconds: time }, fresh, busy, through, idle, stream }) =>
      `| ${name}: \`${strategy}\`, ${time} s | ${seconds(fresh)} | ${seconds(busy)}, ${through} let through | ${idle} after ${time / 2} s | ${seconds(stream)} |`,
  )
  return [
    head,
    '',
    '| Envoy | a new connection is denied after | one in use | one that was idle: its first request gets | an answer that never ends goes on for |',
    '|---|---|---|---|---|',
    ...lines,
  ].join('\n')
}
