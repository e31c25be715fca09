/** What is left out of what is kept of a session, and of command lines in the record. */
import { RE2JS } from 're2js'
import { FORMS, type Form } from './forms.ts'
import { Patterns } from './patterns.ts'
import type { Piece, Stage } from './pieces.ts'
import { Scanner } from './scanner.ts'

export interface RedactionConfig {
  /** RE2 patterns of what else is a secret. */
  readonly patterns: readonly string[]
  /** Forms that are kept as they are. */
  readonly keep: readonly Form[]
}

/** A stage that counts what it has left out. */
export interface Redactor extends Stage {
  readonly markers: number
}

export interface Redaction {
  readonly forms: ReadonlySet<Form>
  /** For a text that comes in pieces. */
  redactor(): Redactor
  /** A whole text. */
  text(text: string): string
  /** Words of a command, as many as there were. */
  command(words: readonly string[]): readonly string[]
}

/** @throws Error for a pattern that is none, which the configuration has refused */
export function redactionOf({ patterns, keep }: RedactionConfig): Redaction {
  const forms = new Set(FORMS.filter((form) => !keep.includes(form)))
  const compiled = patterns.map((pattern) => RE2JS.compile(pattern))
  const redactor = (words = false): Redactor => {
    const scanner = new Scanner(forms, words)
    return compiled.length === 0 ? scanner : new Both(new Patterns(compiled), scanner)
  }
  const whole = (text: string, words: boolean): string => {
    const one = redactor(words)
    return [...one.pass({ at: 0, text }), ...one.end()].map((piece) => piece.text).join('')
  }
  return {
    forms,
    redactor: () => redactor(),
    text: (text) => whole(text, false),
    // No word has a U+0000 in it: none would arrive.
    command: (words) =>
      words.length === 0
        ? words
        : whole(words.map((word) => `${word.replaceAll('\0', ' ')}\0`).join(''), true)
            .split('\0')
            .slice(0, -1),
  }
}

class Both implements Redactor {
  readonly #first: Redactor
  readonly #second: Redactor

  constructor(first: Redactor, second: Redactor) {
    this.#first = first
    this.#second = second
  }

  get markers(): number {
    return this.#first.markers + this.#second.markers
  }

  pass(piece: Piece): readonly Piece[] {
    return this.#first.pass(piece).flatMap((one) => this.#second.pass(one))
  }

  end(): readonly Piece[] {
    return [...this.#first.end().flatMap((one) => this.#second.pass(one)), ...this.#second.end()]
  }
}

/** All forms, and no patterns. */
export const DEFAULT_REDACTION = redactionOf({ patterns: [], keep: [] })
