import type { Span } from '../../core/span.ts'
import { vocabularyOf, type ActionPattern, type Side } from '../actions/index.ts'
import { Numbered, pageAt, pagesOf, type Pages } from './pages.ts'

/** What many statements share, each once: names of roles and resources and paths of files, lists of names, and patterns. */
export interface Tables {
  readonly names: Pages
  /** Lists of numbers of names. */
  readonly lists: Pages
  readonly patterns: Pages
}

/** Line, column, end of line and of column, and the file, where it is another than that of what it belongs to. */
export type PackedSpan = readonly [line: number, column: number, endLine: number, endColumn: number, file?: number]

/** As it was written, to be read again; or what an operation id stands for, since only the wiring knows that. */
type PackedPattern = readonly [protocol: string, side: Side, text: string] | { readonly operation: ActionPattern }

/** Fills the tables. */
export class TablesWriter {
  readonly #names = new Numbered()
  readonly #lists = new Numbered()
  readonly #patterns = new Numbered()

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

  span({ file, line, column, endLine, endColumn }: Span, base?: Span): PackedSpan {
    const place = [line, column, endLine, endColumn] as const
    return file === base?.file ? place : [...place, this.name(file)]
  }

  finish(): Tables {
    return { names: pagesOf(this.#names.texts), lists: pagesOf(this.#lists.texts), patterns: pagesOf(this.#patterns.texts) }
  }
}

/** Reads the tables. What was read once stays, since it is shared. */
export class TablesReader {
  readonly #tables: Tables
  readonly #names: string[] = []
  readonly #lists: (readonly string[])[] = []
  readonly #patterns: ActionPattern[] = []

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
