/** What is lost on the way from Istio's policies to ours. */

/**
 * `narrower`: we deny what Istio let in. `wider`: would let in more than Istio does, and is left out unless asked for.
 * `not-carried`: Istio does it and what is written here doesn't.
 */
export type LossKind = 'narrower' | 'wider' | 'not-carried'

export interface Loss {
  readonly kind: LossKind
  /** `AuthorizationPolicy shop/orders`. */
  readonly document: string
  /** `spec.rules[0].to[0].operation.paths`; empty for the whole of it. */
  readonly field: string
  readonly what: string
}

export class Losses {
  readonly #all = new Map<string, Loss>()

  add(kind: LossKind, document: string, field: string, what: string): void {
    this.#all.set(JSON.stringify([kind, document, field, what]), { kind, document, field, what })
  }

  /** By document and field. */
  list(): readonly Loss[] {
    return [...this.#all.values()].toSorted(
      (a, b) => compare(a.document, b.document) || compare(a.field, b.field) || compare(a.kind, b.kind) || compare(a.what, b.what),
    )
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
