import type { Clock, Entropy } from '../../core/clock.ts'
import { noMeter, type Meter } from '../../core/meter.ts'
import type { Pipeline } from '../../core/pipeline.ts'
import type { AssertionSigner } from './assertion.ts'
import type { BoundAddress, Engine } from '../../http/engine.ts'
import { trustedProxies } from '../../http/forwarded.ts'
import { createGate, type GateParts } from './gate.ts'
import type { SecurityEvents } from './events.ts'
import type { ProviderLogout } from './logout.ts'
import { directoryOf } from './resources.ts'
import type { DoorConfig, HttpResource } from './schema.ts'
import type { BrowserSignIn } from './signin.ts'
import { createNodeEngine, type EngineParts } from '../../http/wire.ts'

export interface HttpDoorParts {
  /** Name of the door in records. Default: `http`. */
  readonly name?: string
  /** See `GateParts.local`. */
  readonly local?: GateParts['local']
  /** `doors.http`. */
  readonly config: DoorConfig
  /** Resources with `protocol: http`, by name. */
  readonly resources: Readonly<Record<string, HttpResource>>
  readonly pipeline: Pipeline
  /** Undefined where no resource has `signIn`. */
  readonly signIn?: BrowserSignIn | undefined
  /** Takes what providers tell of people who signed out there. Default: nobody does. */
  readonly logout?: ProviderLogout | undefined
  /** Takes security events. Default: nobody does. */
  readonly events?: SecurityEvents | undefined
  /** Whether a client certificate by itself can prove who somebody is. Default: no. */
  readonly certificates?: boolean
  readonly assertions: AssertionSigner
  /** Key of hashes in masked fields, 32 bytes. Default: one of this process alone. */
  readonly maskKey?: Uint8Array | undefined
  readonly clock: Clock
  readonly entropy: Entropy
  readonly newId: () => string
  readonly meter?: Meter
  readonly log?: (message: string) => void
  /** The configuration folder, where relative file names start. Default: the working directory. */
  readonly folder?: string
  /** Another engine than Node's own. */
  readonly engine?: (parts: EngineParts) => Engine
}

export interface HttpDoor {
  /**
   * Starts to accept connections; the addresses are in the order of the configuration.
   * @throws OstiaryError `http/listen`
   */
  listen(): Promise<readonly BoundAddress[]>
  /**
   * Serves these resources from now on; what is under way ends as it began, unless the policy ends it.
   * @throws OstiaryError `http/host-taken`, `http/certificate`; then everything stays as it was
   */
  update(resources: Readonly<Record<string, HttpResource>>): void
  /** Stops accepting, closes WebSockets with 1012, lets the rest finish for `deadline` milliseconds, then ends it. */
  drain(deadline: number): Promise<void>
  /** Ends everything now. */
  close(): Promise<void>
  readonly open: Engine['open']
}

/**
 * The door for HTTP/1.1, HTTP/2 and WebSocket.
 * @throws OstiaryError `http/host-taken`, `http/certificate`
 */
export function createHttpDoor(parts: HttpDoorParts): HttpDoor {
  const { config, clock, entropy } = parts
  const folder = parts.folder ?? process.cwd()
  const meter = parts.meter ?? noMeter
  const trusted = trustedProxies(config.trustedProxies)
  let directory = directoryOf(parts.resources, config.limits.body, folder)
  const gate = createGate({
    pipeline: parts.pipeline,
    signIn: parts.signIn,
    logout: parts.logout,
    events: parts.events,
    certificates: parts.certificates ?? false,
    assertions: parts.assertions,
    maskKey: parts.maskKey ?? entropy.bytes(32),
    clock,
    entropy,
    newId: parts.newId,
    meter,
    trusted,
    limits: config.limits,
    directory: () => directory,
    name: parts.name ?? 'http',
    local: parts.local,
  })
  const makeEngine = parts.engine ?? createNodeEngine
  const engine = makeEngine({ config, folder, gate, trusted, clock, entropy, meter, log: parts.log ?? (() => undefined) })
  return {
    listen: () => engine.listen(),
    update(resources) {
      directory = directoryOf(resources, config.limits.body, folder, directory)
      engine.keep(new Set(directory.resources.map(({ target }) => target)))
    },
    drain: (deadline) => engine.drain(deadline),
    close: () => engine.close(),
    get open() {
      return engine.open
    },
  }
}
