/** A set of words out of endlessly many: some, or every one but some. Verbs, resources, statement classes. */
export interface Words {
  readonly every: boolean
  /** The words, or with `every` those that are not in it. */
  readonly values: ReadonlySet<string>
}

export function some(values: Iterable<string>): Words {
  return { every: false, values: new Set(values) }
}

export function everyBut(values: Iterable<string> = []): Words {
  return { every: true, values: new Set(values) }
}

export function hasWord({ every, values }: Words, word: string): boolean {
  return values.has(word) !== every
}

/** Whether all words of `b` are in `a`. */
export function wordsCover(a: Words, b: Words): boolean {
  if (!b.every) return [...b.values].every((word) => hasWord(a, word))
  return a.every && [...a.values].every((word) => !hasWord(b, word))
}

export function wordsOverlap(a: Words, b: Words): boolean {
  if (a.every && b.every) return true
  const [finite, other] = a.every ? [b, a] : [a, b]
  return [...finite.values].some((word) => hasWord(other, word))
}

export function isEveryWord({ every, values }: Words): boolean {
  return every && values.size === 0
}

/** Key under which equal sets are found. */
export function wordsKey({ every, values }: Words): string {
  return JSON.stringify([every, ...[...values].toSorted()])
}
