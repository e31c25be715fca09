/** How patterns of one protocol are told apart and found. */
export interface Bucketing<P, A> {
  /** Patterns with the same key meet the same. */
  readonly key: (pattern: P) => string
  /** Buckets that the pattern lies in; undefined for one that can meet an action of any bucket. */
  readonly buckets: (pattern: P) => readonly string[] | undefined
  /** Buckets whose patterns can meet the action, none of which a pattern shares with another; undefined where it can be any. */
  readonly bucketsOf: (action: A) => readonly string[] | undefined
  readonly isCanonical: (action: A) => boolean
  /** Of an action that is canonical. */
  readonly meets: (pattern: P, action: A) => boolean
}

interface Place<P, T> {
  readonly pattern: P
  readonly value: T
}

/** The patterns of one resource by what most tells them apart, so that few are looked at for an action. */
export class BucketIndex<P, A, T> {
  readonly #how: Bucketing<P, A>
  readonly #buckets: ReadonlyMap<string, readonly Place<P, T>[]>
  /** Those that lie in no bucket. */
  readonly #others: readonly Place<P, T>[]
  readonly #all: readonly Place<P, T>[]

  private constructor(how: Bucketing<P, A>, all: readonly Place<P, T>[]) {
    this.#how = how
    this.#all = all
    const buckets = new Map<string, Place<P, T>[]>()
    const others: Place<P, T>[] = []
    for (const place of all) {
      const names = how.buckets(place.pattern)
      if (names === undefined) others.push(place)
      for (const name of new Set(names ?? [])) {
        const bucket = buckets.get(name)
        if (bucket === undefined) buckets.set(name, [place])
        else bucket.push(place)
      }
    }
    this.#buckets = buckets
    this.#others = others
  }

  /** `combine` makes one value of everything that equal patterns bring. */
  static build<P, A, V, T>(
    how: Bucketing<P, A>,
    entries: Iterable<readonly [P, V]>,
    combine: (values: readonly V[]) => T,
  ): BucketIndex<P, A, T> {
    const groups = new Map<string, { readonly pattern: P; readonly values: V[] }>()
    for (const [pattern, value] of entries) {
      const key = how.key(pattern)
      const group = groups.get(key)
      if (group === undefined) groups.set(key, { pattern, values: [value] })
      else group.values.push(value)
    }
    return new BucketIndex(
      how,
      [...groups.values()].map(({ pattern, values }) => ({ pattern, value: combine(values) })),
    )
  }

  /** Everything that meets the action. */
  find(action: A): readonly T[] {
    const found: T[] = []
    if (!this.#how.isCanonical(action)) return found
    const look = (places: readonly Place<P, T>[]): void => {
      for (const { pattern, value } of places) if (this.#how.meets(pattern, action)) found.push(value)
    }
    const names = this.#how.bucketsOf(action)
    if (names === undefined) look(this.#all)
    else {
      for (const name of names) look(this.#buckets.get(name) ?? [])
      look(this.#others)
    }
    return found
  }
}
