import type { Span } from '../../core/span.ts'
import type { ClaimType } from '../../config/schema.ts'
import { vocabularyOf, type ActionPattern, type Side } from '../actions/index.ts'
import { Condition } from '../when/condition.ts'
import { Numbered, pageAt, pagesOf, type Pages } from './pages.ts'

/** What many statements share, each once: names of roles and resources and paths of files, lists of names, and patterns. */
export interface Tables {
  readonly names: Pages
  /** Lists of numbers of names. */
  readonly lists: Pages
  readonly patterns: Pages
  readonly conditions: Pages
}

/** Line, column, end of line and of column, and the file, where it is another than that of what it belongs to. */
export type PackedSpan = readonly [line: number, column: number, endLine: number, endColumn: number, file?: number]

/** As it was written, to be read again; or what an operation id stands for, since only the wiring knows that. */
type PackedPattern = readonly [protocol: string, side: Side, text: string] | { readonly operation: ActionPattern }

type PackedCondition = readonly [text: string, claims: readonly (readonly [string, ClaimType])[], usesParameters: boolean]

/** Fills the tables. */
export class TablesWriter {
  readonly #names = new Numbered()
  readonly #lists = new Numbered()
  readonly #patterns = new Numbered()
  readonly #conditions = new Numbered()

  name(name: string): number {
    return this.#names.of(JSON.stringify(name))
  }

  list(names: readonly string[]): number {
    return this.#lists.of(JSON.stringify(names.map((name) => this.name(name))))
  }

  pattern(pattern: ActionPattern, side: Side): number {
    const { protocol, text } = pattern
    const packed: PackedPattern = protocol === 'http' && !text.includes(' ') ? { operation: pattern } : [protocol, side, text]
    return this.#patterns.of(JSON.stringify(packed))
  }

  condition({ text, claims, usesParameters }: Condition): number {
    const packed: PackedCondition = [text, [...claims], usesParameters]
    return this.#conditions.of(JSON.stringify(packed))
  }

  span({ file, line, column, endLine, endColumn }: Span, base?: Span): PackedSpan {
    const place = [line, column, endLine, endColumn] as const
    return file === base?.file ? place : [...place, this.name(file)]
  }

  finish(): Tables {
    const [names, lists, patterns, conditions] = [this.#names, this.#lists, this.#patterns, this.#conditions].map(({ texts }) =>
      pagesOf(texts),
    )
    return { names: names!, lists: lists!, patterns: patterns!, conditions: conditions! }
  }
}

/** Reads the tables. What was read once stays, since it is shared. */
export class TablesReader {
  readonly #tables: Tables
  readonly #names: string[] = []
  readonly #lists: (readonly string[])[] = []
  readonly #patterns: ActionPattern[] = []
  readonly #conditions: Condition[] = []

  constructor(tables: Tables) {
    this.#tables = tables
  }

  name(number: number): string {
    return (this.#names[number] ??= pageAt<string>(this.#tables.names, number))
  }

  list(number: number): readonly string[] {
    return (this.#lists[number] ??= pageAt<readonly number[]>(this.#tables.lists, number).map((name) => this.name(name)))
  }

  pattern(number: number): ActionPattern {
    return (this.#patterns[number] ??= patternOf(pageAt<PackedPattern>(this.#tables.patterns, number)))
  }

  /** It was checked before, and is parsed when it is first needed. */
  condition(number: number): Condition {
    const known = this.#conditions[number]
    if (known !== undefined) return known
    const [text, claims, usesParameters] = pageAt<PackedCondition>(this.#tables.conditions, number)
    return (this.#conditions[number] = new Condition(text, undefined, new Map(claims), usesParameters))
  }

  span([line, column, endLine, endColumn, file]: PackedSpan, base?: Span): Span {
    return { file: file === undefined ? base!.file : this.name(file), line, column, endLine, endColumn }
  }
}

function patternOf(packed: PackedPattern): ActionPattern {
  if ('operation' in packed) return packed.operation
  const [protocol, side, text] = packed
  const pattern = vocabularyOf(protocol)?.parse(text, side).pattern
  // It was read from the same text before.
  if (pattern === undefined) throw new Error(`\`${text}\` is no action of ${protocol}`)
  return pattern
}
