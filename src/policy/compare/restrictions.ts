/** What stands in the way of a request, or comes along with it. */
import type { MaskedField } from '../../core/decision.ts'
import { describeMask, stricter } from '../obligations.ts'
import type { Bdd, Node } from './bdd.ts'

/** Steps that a decision takes one after the other: what an earlier one holds up, a later one isn't asked about. */
export const LAYERS = ['deny', 'challenge', 'approval', 'obligation'] as const

/** Something that stands in the way, or that comes along. Fewer of them is wider access. */
export interface Restriction {
  readonly layer: (typeof LAYERS)[number]
  /** The same in both versions for the same demand. */
  readonly key: string
  /** Of those that go before one another, such as masks of one field: only the first that holds is told. */
  readonly of: string | undefined
  /** For people. */
  readonly said: string
  /** What a decision that has it shows. */
  readonly shows: string
  readonly node: Node
}

/** Gathers what stands in the way, each with all that makes it. */
export class Restrictions {
  readonly #bdd: Bdd
  readonly #found = new Map<string, { readonly about: Omit<Restriction, 'node'>; node: Node }>()
  readonly #masks = new Map<string, { readonly field: MaskedField; node: Node }>()

  constructor(bdd: Bdd) {
    this.#bdd = bdd
  }

  add(about: Omit<Restriction, 'node'>, node: Node): void {
    const id = `${about.layer} ${about.key}`
    const before = this.#found.get(id)
    if (before === undefined) this.#found.set(id, { about, node })
    else before.node = this.#bdd.or(before.node, node)
  }

  mask(field: MaskedField, node: Node): void {
    const id = JSON.stringify(field)
    const before = this.#masks.get(id)
    if (before === undefined) this.#masks.set(id, { field, node })
    else before.node = this.#bdd.or(before.node, node)
  }

  /** @param fields Every mask that either version can ask for here */
  all(fields: readonly MaskedField[]): readonly Restriction[] {
    return [...this.#found.values()].map(({ about, node }): Restriction => ({ ...about, node })).concat(this.#strictest(fields))
  }

  /** Of one field the strictest mask counts: with it, those that are less strict are there as well. */
  #strictest(fields: readonly MaskedField[]): readonly Restriction[] {
    const masks = [...this.#masks.values()]
    const distinct = new Map(fields.map((field) => [maskKey(field), field]))
    return [...distinct].map(([key, field]) => {
      const atLeast = masks.filter((one) => one.field.path === field.path && isAtLeast(one.field, field)).map((one) => one.node)
      return { layer: 'obligation', key, of: field.path, said: describeMask(field), shows: key, node: this.#bdd.any(atLeast) }
    })
  }
}

export function maskKey(field: MaskedField): string {
  return `mask ${field.path} ${JSON.stringify(Object.entries(field.mask).toSorted(([a], [b]) => (a < b ? -1 : 1)))}`
}

function isAtLeast(a: MaskedField, b: MaskedField): boolean {
  return maskKey({ path: a.path, mask: stricter(a.mask, b.mask) }) === maskKey(a)
}
