/** What a mutant changes: one operator of a text of source code into another. */

export interface Mutant {
  readonly file: string
  readonly line: number
  /** As `=== → !==`. */
  readonly change: string
  /** The whole text with the change. */
  readonly text: string
}

/** Operators stand between spaces in formatted code, so that neither arrows nor type parameters are taken for them. */
const OPERATORS: readonly (readonly [string, string])[] = [
  [' === ', ' !== '],
  [' !== ', ' === '],
  [' && ', ' || '],
  [' || ', ' && '],
  [' ?? ', ' && '],
  [' < ', ' <= '],
  [' <= ', ' < '],
  [' > ', ' >= '],
  [' >= ', ' > '],
  ['.some(', '.every('],
  ['.every(', '.some('],
  ['true', 'false'],
  ['(!', '('],
  ["'deny'", "'allow'"],
  ["'held'", "'not-held'"],
  ["'unknown'", "'not-held'"],
  ['Math.max(', 'Math.min('],
  ['Math.min(', 'Math.max('],
]

/** A line that only says types, imports or comments can't be wrong at run time. */
const PASSIVE =
  /^\s*(?:\/\/|\/?\*|import |export (?:interface|type) |readonly |type |interface )|: (?:string|number|boolean)\b.*\| undefined$/

/** All mutants of a file, in the order of its lines. */
export function mutantsOf(file: string, text: string): readonly Mutant[] {
  const lines = text.split('\n')
  return lines.flatMap((line, i) => {
    if (PASSIVE.test(line)) return []
    return OPERATORS.flatMap(([from, to]) => {
      const mutants: Mutant[] = []
      for (let at = line.indexOf(from); at !== -1; at = line.indexOf(from, at + 1)) {
        const changed = `${line.slice(0, at)}${to}${line.slice(at + from.length)}`
        mutants.push({ file, line: i + 1, change: `${from.trim()} → ${to.trim()}`, text: lines.with(i, changed).join('\n') })
      }
      return mutants
    })
  })
}
