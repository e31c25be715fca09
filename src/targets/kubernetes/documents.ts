/**
 * Roles and bindings as documents. Their names are made of what they say: a role that says something else is another one, so that
 * whoever is bound to the one that there was never gets, for a moment, what somebody else is to get.
 */
import { createHash } from 'node:crypto'
import type { TargetDocument } from '../target.ts'
import type { PolicyRule } from './permissions.ts'

export const API_GROUP = 'rbac.authorization.k8s.io'
const API_VERSION = `${API_GROUP}/v1`
/** Labels by which what is applied is found again, and what says which rule of the policy it is. */
export const LABELS = { target: 'ostiary.dev/target', resource: 'ostiary.dev/resource', revision: 'ostiary.dev/revision' } as const
export const RULES = 'ostiary.dev/rules'
/** How long a label may be. */
const LABEL_LENGTH = 40
/** How large one role gets: far from what a cluster stores. */
const MAX_BYTES = 400 * 1024

export interface Subject {
  readonly kind: 'Group'
  readonly apiGroup: typeof API_GROUP
  readonly name: string
}

export function groupSubject(name: string): Subject {
  return { kind: 'Group', apiGroup: API_GROUP, name }
}

export class Documents {
  readonly #target: string
  readonly #resource: string
  readonly #revision: string

  constructor(target: string, resource: string, revision: string) {
    this.#target = target
    this.#resource = resource
    this.#revision = revision
  }

  /** A role for each part of the permissions, and what binds it. @param namespace Undefined for the whole cluster */
  granting(
    id: string,
    namespace: string | undefined,
    rules: readonly PolicyRule[],
    subjects: readonly Subject[],
  ): readonly TargetDocument[] {
    const kind = namespace === undefined ? 'ClusterRole' : 'Role'
    return parted(rules).flatMap((part) => {
      const role = this.#nameOf(id, [kind, namespace, part])
      const roleRef = { apiGroup: API_GROUP, kind, name: role }
      return [
        this.#document(kind, role, id, namespace, { rules: part }),
        this.#document(`${kind}Binding`, this.#nameOf(id, [role, subjects]), id, namespace, { roleRef, subjects }),
      ]
    })
  }

  /** Gives nobody anything: it tells which version of the policy the cluster has, where that gives nobody anything too. */
  version(): TargetDocument {
    return this.#document('ClusterRole', this.#nameOf('version', []), undefined, undefined, { rules: [] })
  }

  #nameOf(id: string, content: unknown): string {
    const unique = createHash('sha256')
      .update(JSON.stringify([this.#target, this.#resource, id, content]))
      .digest('hex')
      .slice(0, 16)
    const readable = `ostiary-${id}`
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]+/g, '-')
      .slice(0, 44)
      .replace(/-+$/, '')
    return `${readable}-${unique}`
  }

  #document(kind: string, name: string, id: string | undefined, namespace: string | undefined, content: TargetDocument): TargetDocument {
    return {
      apiVersion: API_VERSION,
      kind,
      metadata: {
        name,
        ...(namespace === undefined ? {} : { namespace }),
        labels: {
          [LABELS.target]: this.#target,
          [LABELS.resource]: this.#resource,
          [LABELS.revision]: this.#revision.slice(0, LABEL_LENGTH),
        },
        ...(id === undefined ? {} : { annotations: { [RULES]: id } }),
      },
      ...content,
    }
  }
}

function parted(rules: readonly PolicyRule[]): readonly (readonly PolicyRule[])[] {
  const parts: PolicyRule[][] = []
  let size = 0
  for (const rule of rules) {
    const bytes = Buffer.byteLength(JSON.stringify(rule))
    const last = parts.at(-1)
    if (last === undefined || size + bytes > MAX_BYTES) {
      parts.push([rule])
      size = bytes
    } else {
      last.push(rule)
      size += bytes
    }
  }
  return parts
}
