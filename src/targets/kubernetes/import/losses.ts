/** What there is to know about what was read: what is lost on the way, and what should not have been there. */

/**
 * `narrower`: the cluster gives it, and what is written here doesn't. `over-broad`: it gives more than it seems to, or everything.
 * `per-user`: it is for one person or one service account, and no policy is.
 */
export type FindingKind = 'narrower' | 'over-broad' | 'per-user'

export interface Finding {
  readonly kind: FindingKind
  /** `RoleBinding shop/deployers`. */
  readonly document: string
  /** `rules[0].verbs`; empty for the whole of it. */
  readonly field: string
  readonly what: string
}

export class Findings {
  readonly #all = new Map<string, Finding>()

  add(kind: FindingKind, document: string, field: string, what: string): void {
    this.#all.set(JSON.stringify([kind, document, field, what]), { kind, document, field, what })
  }

  /** By document and field. */
  list(): readonly Finding[] {
    const key = ({ kind, document, field, what }: Finding): string => [document, field, kind, what].join('\0')
    return [...this.#all.values()].toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
  }
}
