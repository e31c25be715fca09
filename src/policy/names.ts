import { didYouMean } from '../config/didyoumean.ts'
import { spanOf, type Located } from '../config/document.ts'
import { diagnostic, type Code, type Details, type Diagnostic } from '../core/errors.ts'
import type { Span } from '../core/span.ts'

/** Known names, as whatever they are the keys of: looked up for each rule, so never copied. */
type Names = ReadonlyMap<string, unknown> | ReadonlySet<string> | Readonly<Record<string, unknown>>

/** Collects what is wrong while names are resolved, each with its place in one tree. */
export class Findings {
  readonly diagnostics: Diagnostic[]
  readonly #root: Located

  constructor(root: Located, diagnostics: Diagnostic[]) {
    this.#root = root
    this.diagnostics = diagnostics
  }

  span(path: readonly PropertyKey[], want: 'value' | 'key' = 'value'): Span {
    return spanOf(this.#root, path, want)
  }

  add(code: Code, details: Details, at: Span | readonly PropertyKey[], help?: string): void {
    this.diagnostics.push(diagnostic(code, details, Array.isArray(at) ? this.span(at) : (at as Span), { help }))
  }

  /** Whether `name` is one of `known`; if not, says so, with the nearest that is. */
  known(
    code: 'policy/unknown-role' | 'policy/unknown-resource' | 'policy/unknown-issuer' | 'policy/unknown-claim',
    name: string,
    known: Names,
    where: string,
    at: Span | readonly PropertyKey[],
  ): boolean {
    if (isKeyed(known) ? known.has(name) : Object.hasOwn(known, name)) return true
    this.add(code, { name, where }, at, didYouMean(name, isKeyed(known) ? known.keys() : Object.keys(known)))
    return false
  }
}

/** Not every one is a `Map`: roles that are made when they are asked for are in a map of their own. */
function isKeyed(known: Names): known is Exclude<Names, Readonly<Record<string, unknown>>> {
  return Symbol.iterator in known
}

/** Names are unique only once they are compared; each list is also sorted, so that nothing depends on the order written. */
export function sortedUnique(names: Iterable<string>): readonly string[] {
  const all = [...names]
  return all.length < 2 ? all : [...new Set(all)].toSorted()
}

/** The path of one of several names that may also stand alone. */
export function pathOfName(path: readonly PropertyKey[], value: unknown, index: number): readonly PropertyKey[] {
  return Array.isArray(value) ? [...path, index] : path
}

/** An RFC 3339 instant in milliseconds since the epoch; undefined for anything else. */
export function instantOf(text: string): number | undefined {
  const form = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/.exec(text)
  if (form === null) return undefined
  const [, year, month, day, hour, minute, second] = form
  // Date.parse takes the 31st of February for the 3rd of March.
  const days = new Date(Date.UTC(Number(year), Number(month), 0)).getUTCDate()
  if (Number(month) < 1 || Number(month) > 12 || Number(day) < 1 || Number(day) > days) return undefined
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined
  const instant = Date.parse(text)
  return Number.isNaN(instant) ? undefined : instant
}
