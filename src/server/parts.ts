import type { AuditLog, PolicyVersions } from '../audit/index.ts'
import type { Wiring } from '../config/schema.ts'
import type { Clock, Entropy } from '../core/clock.ts'
import type { Pipeline } from '../core/pipeline.ts'
import type { HttpResource } from '../doors/http/schema.ts'
import type { KubernetesResource } from '../doors/kubernetes/schema.ts'
import type { Identities } from '../identity/index.ts'
import type { CompiledPolicy } from '../policy/index.ts'
import type { Keyring } from '../secrets/keyring.ts'
import type { Activations } from './activations.ts'
import { GATEWAY_RESOURCE, WITHOUT_DOOR } from './families.ts'
import type { Metrics } from './metrics.ts'
import type { PolicyHolder } from './policies.ts'

/** Parts that are shared by whoever puts doors together. */
export interface Parts {
  readonly folder: string
  readonly wiring: Wiring
  readonly dataDir: string
  readonly clock: Clock
  readonly entropy: Entropy
  readonly newId: () => string
  readonly log: (line: string) => void
  readonly metrics: Metrics
  readonly keyring: Keyring
  readonly audit: AuditLog
  readonly versions: PolicyVersions
  readonly identities: Identities
  readonly policies: PolicyHolder<CompiledPolicy>
  readonly activations: Activations
  readonly pipeline: Pipeline
}

/** What to say of resources that nobody reaches, because there is no door for their protocol. */
export function withoutDoor({ resources, doors }: Pick<Wiring, 'resources' | 'doors'>): readonly string[] {
  const unreached = Object.entries(resources).flatMap(([name, { protocol }]) => {
    if (protocol !== 'kubernetes') return []
    const why =
      doors['kubernetes'] === undefined
        ? 'there is no `doors.kubernetes`'
        : (resources[name] as unknown as KubernetesResource).server === undefined
          ? 'it has no `server`'
          : undefined
    return why === undefined
      ? []
      : [`cluster \`${name}\`: ${why}, so nobody reaches it through this gateway; its policy is compiled and asked`]
  })
  const others = Object.entries(resources)
    .filter(([, { protocol }]) => WITHOUT_DOOR.includes(protocol))
    .map(
      ([name, { protocol }]) =>
        `resource \`${name}\` speaks ${protocol}, for which there is no door: nobody reaches it through this gateway; its policy is only checked, tested and asked`,
    )
  return [...unreached, ...others]
}

/** The resources that the HTTP door serves. The gateway's own is served by its admin listener only. */
export function httpResources(wiring: Wiring): Readonly<Record<string, HttpResource>> {
  return Object.fromEntries(
    Object.entries(wiring.resources).filter(([name, { protocol }]) => protocol === 'http' && name !== GATEWAY_RESOURCE),
  ) as unknown as Readonly<Record<string, HttpResource>>
}

/** The clusters that the door for Kubernetes serves. */
export function clusterResources(wiring: Pick<Wiring, 'resources'>): Readonly<Record<string, KubernetesResource>> {
  return Object.fromEntries(
    Object.entries(wiring.resources).filter(([, { protocol }]) => protocol === 'kubernetes'),
  ) as unknown as Readonly<Record<string, KubernetesResource>>
}
