/** The door for clusters: `kubectl`, Helm, controllers and all else that speaks with an API server. */
import type { Clock, Entropy } from '../../core/clock.ts'
import { noMeter, type Meter } from '../../core/meter.ts'
import type { GatewayEvent, Recorder } from '../../core/record.ts'
import type { Recordings } from '../../audit/recordings/index.ts'
import type { Pipeline } from '../../core/pipeline.ts'
import type { BoundAddress, Engine } from '../../http/engine.ts'
import { trustedProxies } from '../../http/forwarded.ts'
import { createNodeEngine } from '../../http/wire.ts'
import { Auditing } from './auditing.ts'
import type { AuthorizeParts } from './authorize.ts'
import { createWebhooks } from './authorizewebhooks.ts'
import { clustersOf } from './clusters.ts'
import type { TokenExchanger } from '../../identity/index.ts'
import { createGate } from './gate.ts'
import type { KubernetesDoorConfig, KubernetesResource } from './schema.ts'

export interface KubernetesDoorParts {
  /** Name of the door in records. Default: `kubernetes`. */
  readonly name?: string
  /** `doors.kubernetes`. */
  readonly config: KubernetesDoorConfig
  /** Resources with `protocol: kubernetes`, by name. */
  readonly resources: Readonly<Record<string, KubernetesResource>>
  readonly pipeline: Pipeline
  /** Whether a client certificate by itself can prove who somebody is. Default: no. */
  readonly certificates?: boolean
  /** Gets tokens for clusters with `mode: on-behalf-of`. Default: nobody does. */
  readonly exchanger?: TokenExchanger | undefined
  /** Key of hashes in masked fields, 32 bytes. Default: one of this process alone. */
  readonly maskKey?: Uint8Array | undefined
  /** What answers API servers that ask about people. Default: they are told that there is no such cluster. */
  readonly authorize?: Pick<AuthorizeParts, 'policies' | 'grants' | 'revoked' | 'newId'> & {
    readonly recorder: AuthorizeParts['recorder'] & Pick<Recorder, 'noteDurably'>
  }
  /** Where sessions are recorded. Default: nowhere, and those that have to be are refused. */
  readonly recordings?: Recordings | undefined
  /** Tells the record what happened in a session. Default: nobody does. */
  readonly note?: ((event: GatewayEvent) => void) | undefined
  readonly clock: Clock
  readonly entropy: Entropy
  readonly meter?: Meter
  readonly log?: (message: string) => void
  /** The configuration folder, where relative file names start. Default: the working directory. */
  readonly folder?: string
}

export interface KubernetesDoor {
  /**
   * Starts to accept connections; the addresses are in the order of the configuration.
   * @throws OstiaryError `http/listen`
   */
  listen(): Promise<readonly BoundAddress[]>
  /**
   * Serves these clusters from now on; what is under way ends as it began, unless the policy ends it.
   * @throws OstiaryError `http/host-taken`, `http/certificate`; then everything stays as it was
   */
  update(resources: Readonly<Record<string, KubernetesResource>>): void
  /** Stops accepting, lets what is open finish for `deadline` milliseconds, then ends it. */
  drain(deadline: number): Promise<void>
  /** Ends everything now. */
  close(): Promise<void>
  readonly open: Engine['open']
}

/** @throws OstiaryError `http/host-taken`, `http/certificate` */
export function createKubernetesDoor(parts: KubernetesDoorParts): KubernetesDoor {
  const { config, clock, entropy } = parts
  const folder = parts.folder ?? process.cwd()
  const meter = parts.meter ?? noMeter
  const log = parts.log ?? (() => undefined)
  const trusted = trustedProxies(config.trustedProxies)
  let { resources } = parts
  let clusters = clustersOf(resources, { folder, clock })
  const common = {
    pipeline: parts.pipeline,
    certificates: parts.certificates ?? false,
    clock,
    meter,
    trusted,
    clusters: () => clusters,
    name: parts.name ?? 'kubernetes',
  }
  const { authorize } = parts
  const auditing = authorize && new Auditing({ clock, meter, note: (event) => authorize.recorder.noteDurably(event) })
  const gate = createGate({
    ...common,
    webhooks: authorize && auditing && createWebhooks({ ...common, authorize, auditing, resources: () => resources }),
    decided: (passage) => auditing?.decided(passage),
    exchanger: parts.exchanger,
    entropy,
    maskKey: parts.maskKey ?? entropy.bytes(32),
    limits: config.limits,
    log,
    recordings: parts.recordings,
    note: parts.note ?? (() => undefined),
  })
  const engine = createNodeEngine({ config, folder, gate, trusted, clock, entropy, meter, log })
  return {
    listen: () => engine.listen(),
    update(next) {
      clusters = clustersOf(next, { folder, clock }, clusters)
      resources = next
      engine.keep(new Set(clusters.all.map(({ target }) => target)))
    },
    drain: (deadline) => engine.drain(deadline),
    close: () => engine.close(),
    get open() {
      return engine.open
    },
  }
}
