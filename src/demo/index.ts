/**
 * The demo: an identity provider, an API and certificates, so that the gateway can be watched at work with nothing else
 * installed. It knows of the gateway only what any provider or API would: where its door is.
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { OstiaryError } from '../core/errors.ts'
import { systemClock, systemEntropy, type Clock, type Entropy, type Timer } from '../core/clock.ts'
import { ensureDevCa, type DevCa } from './ca.ts'
import type { Idp } from './idp/index.ts'
import type { OrdersApi } from './resources/orders.ts'

export interface DemoOptions {
  /** Absolute. Keys and certificates of the demo go below it. */
  readonly dataDir: string
  readonly clock?: Clock
  readonly entropy?: Entropy
  /** Where things listen on 127.0.0.1. Default: those that `examples/demo` names; 0 takes any free one. */
  readonly ports?: Partial<DemoPorts>
  /** Origin of the HTTP door, where the API gets the keys of assertions. Default: `http://orders.localhost:<door>`. */
  readonly doorOrigin?: string | (() => string)
}

export interface DemoPorts {
  readonly idp: number
  readonly orders: number
  readonly door: number
  readonly doorTls: number
  readonly admin: number
}

export const DEMO_PORTS: DemoPorts = { idp: 8082, orders: 8083, door: 8080, doorTls: 8443, admin: 8081 }

/** The running demo. */
export interface Demo {
  /** `examples/demo` of this package. */
  readonly configFolder: string
  /** To be laid over the folder as an environment: what differs on this machine, and nothing else. */
  readonly environment: DemoEnvironment
  /** The same with the listeners of a folder that was edited. */
  environmentFor(listeners: readonly unknown[], wired?: { readonly orders: boolean }): DemoEnvironment
  readonly idp: Idp
  readonly resources: { readonly orders: OrdersApi }
  readonly ca: DevCa
  close(): Promise<void>
}

export interface DemoEnvironment {
  readonly name: string
  readonly path: string
  readonly text: string
}

const HOSTS = ['orders.localhost']
/** How `examples/demo` calls the certificate of the demo, which is in the data directory. */
const CERTIFICATE = { cert: 'data/dev-ca/server.pem', key: 'data/dev-ca/server-key.pem' }
/** How often a running demo looks whether its certificate is due. */
const RENEWAL_MS = 12 * 3_600_000

/**
 * Starts the parts of the demo besides the gateway itself.
 * @throws OstiaryError `demo/data-dir`, `demo/port-taken`, `demo/listen`
 */
export async function startDemo(options: DemoOptions): Promise<Demo> {
  const { dataDir, clock = systemClock, entropy = systemEntropy } = options
  const ports = { ...DEMO_PORTS, ...options.ports }
  const { doorOrigin = `http://orders.localhost:${ports.door}` } = options
  const closers: (() => Promise<void>)[] = []
  const close = async (): Promise<void> => {
    for (const one of closers.splice(0).toReversed()) await one()
  }
  try {
    const renew = (): Promise<DevCa> => ensureDevCa({ dataDir, clock, entropy, names: HOSTS })
    // Loaded only here: a gateway without the demo has no identity provider in memory.
    const [{ startIdp }, { keptKeys }, { startOrders }, ca] = await Promise.all([
      import('./idp/index.ts'),
      import('./idp/keep.ts'),
      import('./resources/orders.ts'),
      renew(),
    ])
    const renewal = repeat(clock, RENEWAL_MS, renew)
    closers.push(async () => renewal.cancel())
    const idp = await startIdp({ port: ports.idp, clock, entropy, ...keptKeys(dataDir) })
    closers.push(() => idp.close())
    const orders = await startOrders({
      port: ports.orders,
      clock,
      doorOrigin: typeof doorOrigin === 'string' ? () => doorOrigin : doorOrigin,
    })
    closers.push(() => orders.close())
    const environmentFor = (listeners: readonly unknown[], wired: { readonly orders: boolean } = { orders: true }): DemoEnvironment => ({
      name: 'demo',
      path: 'environments/demo.yaml',
      text: overlayText(
        dataDir,
        idp,
        wired.orders ? orders : undefined,
        listeners.map((one) => withCertificate(one, ca)),
        ports,
      ),
    })
    return {
      configFolder: configFolder(),
      environment: environmentFor([{ address: `127.0.0.1:${ports.door}` }, { address: `127.0.0.1:${ports.doorTls}`, tls: CERTIFICATE }]),
      environmentFor,
      idp,
      resources: { orders },
      ca,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** `examples/demo`, whether this runs from sources or from `dist`. @throws OstiaryError `demo/no-config` */
export function configFolder(from: string = import.meta.dirname): string {
  for (let folder = from; folder !== dirname(folder); folder = dirname(folder)) {
    const candidate = join(folder, 'examples/demo')
    if (existsSync(join(candidate, 'ostiary.yaml'))) return candidate
  }
  throw new OstiaryError('demo/no-config', {})
}

/** A listener with the demo's certificate where that is. */
function withCertificate(listener: unknown, { certFile, keyFile }: DevCa): unknown {
  const { tls, ...rest } = (listener ?? {}) as { readonly tls?: { readonly cert?: unknown; readonly key?: unknown } }
  if (tls?.cert !== CERTIFICATE.cert || tls.key !== CERTIFICATE.key) return listener
  return { ...rest, tls: { ...tls, cert: certFile, key: keyFile } }
}

/** Strings are written as JSON, which YAML reads alike: a path may hold anything. */
function overlayText(dataDir: string, idp: Idp, orders: OrdersApi | undefined, listeners: readonly unknown[], ports: DemoPorts): string {
  const quoted = (text: string): string => JSON.stringify(text)
  return `# Written by the demo at its start: what differs on this machine.
apiVersion: ostiary.dev/v1
dataDir: ${quoted(dataDir)}
issuers:
  entra:
    authority: ${quoted(idp.authority)}
${orders === undefined ? '' : `resources:\n  orders:\n    upstream:\n      url: ${quoted(orders.url)}\n`}doors:
  http:
    listen: ${JSON.stringify(listeners)}
admin:
  listen: ${quoted(`127.0.0.1:${ports.admin}`)}
audit:
  # Signed checkpoints outside the data directory: with them, a record whose end was cut off is found out, too.
  anchors: [{ file: ${quoted(`${dataDir}-checkpoints`)} }]
`
}

/** Runs `task` every `interval` milliseconds. A failure waits for the next time: there are weeks of them. */
function repeat(clock: Clock, interval: number, task: () => Promise<unknown>): Timer {
  let timer = clock.after(interval, run)
  let over = false
  function run(): void {
    task()
      .catch(() => {})
      .finally(() => {
        if (!over) timer = clock.after(interval, run)
      })
  }
  return {
    cancel: () => {
      over = true
      timer.cancel()
    },
  }
}
