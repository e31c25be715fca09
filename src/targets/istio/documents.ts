/** Resources of Istio as documents: names, labels and where they are attached, the same for the same policy. */
import { createHash } from 'node:crypto'
import type { TargetDocument } from '../target.ts'
import type { IstioRule } from './rules.ts'
import type { IstioWorkload } from './schema.ts'

/** Most rules that Istio takes in one policy, and how large one gets here: far from what a cluster stores. */
const MAX_RULES = 512
const MAX_BYTES = 400 * 1024
/** Most policies that one statement is split into. */
export const MAX_POLICIES = 32

/** What policies are attached to, in which namespace. */
export interface Attachment {
  readonly namespace: string
  readonly spec: TargetDocument
  /** The same for the same workload. */
  readonly key: string
}

const GROUPS = { Gateway: 'gateway.networking.k8s.io', Service: '', ServiceEntry: 'networking.istio.io' } as const

/** Where what decides about requests is attached. */
export function attachmentOf({ mode, namespace, selector, targetRef }: IstioWorkload): Attachment {
  if (targetRef === undefined || mode === 'ztunnel') return podsOf({ namespace, selector })
  const { kind, name } = targetRef
  const spec = { targetRefs: [{ group: GROUPS[kind], kind, name }] }
  return { namespace, spec, key: JSON.stringify([namespace, spec]) }
}

/** Its pods, as a sidecar or a ztunnel sees them. */
export function podsOf({ namespace, selector }: Pick<IstioWorkload, 'namespace' | 'selector'>): Attachment {
  const labels = Object.fromEntries(Object.entries(selector ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  const spec = { selector: { matchLabels: labels } }
  return { namespace, spec, key: JSON.stringify([namespace, spec]) }
}

/** Labels by which what is applied is found again. */
export const LABELS = { target: 'ostiary.dev/target', resource: 'ostiary.dev/resource', revision: 'ostiary.dev/revision' } as const
export const RULES = 'ostiary.dev/rules'
/** By which Istio says what a policy would do, and does nothing. */
export const DRY_RUN = 'istio.io/dry-run'

export class Documents {
  readonly #target: string
  readonly #revision: string

  constructor(target: string, revision: string) {
    this.#target = target
    this.#revision = revision
  }

  authorization(what: Named, attachment: Attachment, spec: TargetDocument): TargetDocument {
    return this.#document('security.istio.io/v1', 'AuthorizationPolicy', what, attachment, { ...attachment.spec, ...spec })
  }

  /** As many policies as the rules take; undefined where they would be more than `MAX_POLICIES`. */
  authorizations(
    what: Named,
    attachment: Attachment,
    action: 'ALLOW' | 'DENY',
    rules: readonly IstioRule[],
  ): readonly TargetDocument[] | undefined {
    const parts = split(rules)
    if (parts.length > MAX_POLICIES) return undefined
    return parts.map((part, index) =>
      this.authorization({ ...what, part: index }, attachment, {
        action,
        rules: part.map(({ to, when }) => ({ to, ...(when.length === 0 ? {} : { when }) })),
      }),
    )
  }

  requestAuthentication(what: Named, attachment: Attachment, jwtRules: readonly TargetDocument[]): TargetDocument {
    return this.#document('security.istio.io/v1', 'RequestAuthentication', what, attachment, { ...attachment.spec, jwtRules })
  }

  telemetry(what: Named, attachment: Attachment, spec: TargetDocument): TargetDocument {
    return this.#document('telemetry.istio.io/v1', 'Telemetry', what, attachment, { ...attachment.spec, ...spec })
  }

  serviceEntry(what: Named, namespace: string, spec: TargetDocument): TargetDocument {
    return this.#document('networking.istio.io/v1', 'ServiceEntry', what, { namespace, key: namespace }, spec)
  }

  #document(
    apiVersion: string,
    kind: string,
    { what, resource, id, part = 0, dryRun = false }: Named,
    { namespace, key }: Pick<Attachment, 'namespace' | 'key'>,
    spec: TargetDocument,
  ): TargetDocument {
    const unique = createHash('sha256')
      .update(JSON.stringify([this.#target, what, resource ?? '', id ?? '', key, part]))
      .digest('hex')
      .slice(0, 10)
    return {
      apiVersion,
      kind,
      metadata: {
        // A label of DNS, of 63 characters: nobody has to cut it off.
        name: `${readable(what, id)}-${unique}`,
        namespace,
        labels: {
          [LABELS.target]: this.#target,
          ...(resource === undefined ? {} : { [LABELS.resource]: resource }),
          [LABELS.revision]: this.#revision.slice(0, 40),
        },
        ...(id === undefined && !dryRun
          ? {}
          : { annotations: { ...(id === undefined ? {} : { [RULES]: id }), ...(dryRun ? { [DRY_RUN]: 'true' } : {}) } }),
      },
      spec,
    }
  }
}

export interface Named {
  readonly what: string
  readonly resource?: string
  /** Of the rule or guardrail that it stands for. */
  readonly id?: string
  readonly part?: number
  /** Whether it is only tried. */
  readonly dryRun?: boolean
}

/** The part of a name that people read. */
function readable(what: string, id: string | undefined): string {
  const text = ['ostiary', what, ...(id === undefined ? [] : [id])]
    .join('-')
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
  return text.slice(0, 52).replace(/-+$/, '')
}

/**
 * The guardrail that a denial stands for, by what Envoy calls the policy: `ns[…]-policy[…]-rule[…]`. The policy's own name where it is of
 * none of them, or could be of several.
 */
export function guardrailOf(policy: string, ids: readonly string[]): string {
  const [, name = policy] = /-policy\[([^\]]*)\]/.exec(policy) ?? []
  const found = ids.filter((id) => name.replace(/-[0-9a-f]{10}$/, '') === readable('deny', id))
  return found.length === 1 ? found[0]! : name
}

function split(rules: readonly IstioRule[]): readonly (readonly IstioRule[])[] {
  const parts: IstioRule[][] = []
  let size = 0
  for (const rule of rules) {
    const bytes = Buffer.byteLength(JSON.stringify(rule))
    const last = parts.at(-1)
    if (last === undefined || last.length === MAX_RULES || size + bytes > MAX_BYTES) {
      parts.push([rule])
      size = bytes
    } else {
      last.push(rule)
      size += bytes
    }
  }
  return parts
}
