/** Documents of a control plane, in the form of universal mode and in that of Kubernetes. */
import type { TargetDocument } from '../target.ts'
import type { KumaTarget } from './schema.ts'

/** Kinds that are written, with the segment of their REST path. */
export const KINDS = {
  MeshTLS: 'meshtlses',
  MeshProxyPatch: 'meshproxypatches',
  MeshTrafficPermission: 'meshtrafficpermissions',
  MeshAccessLog: 'meshaccesslogs',
} as const

export type Kind = keyof typeof KINDS

/** Labels by which what was applied is found again. */
export const LABELS = {
  gateway: 'ostiary.dev/gateway',
  target: 'ostiary.dev/target',
  workload: 'ostiary.dev/workload',
  revision: 'ostiary.dev/revision',
} as const

/** By this label a control plane enforces nothing of a document, and says what it would make of it to whoever asks (`shadow=true`). */
export const EFFECT = { label: 'kuma.io/effect', shadow: 'shadow' } as const

export function isShadow({ labels }: { readonly [name: string]: unknown }): boolean {
  return (labels as Readonly<Record<string, unknown>> | undefined)?.[EFFECT.label] === EFFECT.shadow
}

export interface Described {
  readonly kind: Kind
  /** Of the dataplanes; documents for one of their inbounds add its port. */
  readonly workload: string
  readonly suffix?: string
  readonly spec: TargetDocument
}

export interface DocumentOrigin {
  readonly config: Pick<KumaTarget, 'mesh' | 'mode' | 'namespace'>
  /** Names of the gateway and of the target in its wiring. */
  readonly gateway: string
  readonly target: string
  readonly revision: string
}

/** As long as a label may be, with room: the beginning of a digest names a revision well enough. */
const REVISION_LENGTH = 40

export function documentOf({ kind, workload, suffix, spec }: Described, origin: DocumentOrigin): TargetDocument {
  const { config, gateway, target, revision } = origin
  const name = ['ostiary', target, workload, ...(suffix === undefined ? [] : [suffix])].join('-')
  const labels = {
    [LABELS.gateway]: gateway,
    [LABELS.target]: target,
    [LABELS.workload]: workload,
    [LABELS.revision]: revision.slice(0, REVISION_LENGTH),
  }
  if (config.mode === 'universal') return { type: kind, mesh: config.mesh, name, labels, spec }
  return {
    apiVersion: 'kuma.io/v1alpha1',
    kind,
    metadata: { name, namespace: config.namespace, labels: { 'kuma.io/mesh': config.mesh, ...labels } },
    spec,
  }
}
