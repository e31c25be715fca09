import { catalogue as entries, type Code } from './catalogue/index.ts'
import type { Span } from './span.ts'

export type { Code } from './catalogue/index.ts'

/** One entry of the error catalogue. `{name}` in the texts is filled from the error's details. */
export interface CatalogueEntry {
  /** What is wrong: lower case, one line, no full stop. */
  readonly message: string
  /** What to write or do instead. */
  readonly help: string
  /** HTTP status where the error reaches an HTTP caller. */
  readonly status?: number
  /** Exit code of the command line where it ends a command (sysexits.h where one fits; 1 is a finding, 2 is usage). */
  readonly exit?: number
}

const catalogue: Readonly<Record<string, CatalogueEntry | undefined>> = entries

function entryOf(code: Code): CatalogueEntry {
  return catalogue[code] ?? { message: code, help: '' }
}

/** What a caller may know of an error. Never a token, a secret or an unverified claim. */
export type Details = Readonly<Record<string, string | number>>

function fill(template: string, details: Details): string {
  return template.replaceAll(/\{(\w+)\}/g, (whole, name: string) => (Object.hasOwn(details, name) ? String(details[name]) : whole))
}

/** An error of the catalogue: branch on `code`, never on the text. */
export class OstiaryError extends Error {
  readonly code: Code
  readonly details: Details
  readonly span: Span | undefined
  /** A more fitting help than the catalogue's, if there is one. */
  readonly #help: string | undefined

  constructor(
    code: Code,
    details: Details = {},
    more: { readonly span?: Span | undefined; readonly help?: string | undefined; readonly cause?: unknown } = {},
  ) {
    super(fill(entryOf(code).message, details), more.cause === undefined ? undefined : { cause: more.cause })
    this.name = 'OstiaryError'
    this.code = code
    this.details = details
    this.span = more.span
    this.#help = more.help
  }

  get help(): string {
    return this.#help ?? fill(this.#entry.help, this.details)
  }

  get status(): number {
    return this.#entry.status ?? 500
  }

  get exit(): number {
    return this.#entry.exit ?? 70
  }

  get #entry(): CatalogueEntry {
    return entryOf(this.code)
  }
}

/** A finding about something the user wrote: an error of the catalogue with a place and a severity. */
export interface Diagnostic {
  readonly code: Code
  readonly severity: 'error' | 'warning'
  readonly message: string
  readonly help: string
  readonly span: Span | undefined
}

/** Makes a diagnostic from the catalogue's texts. `help` replaces the catalogue's where a better one is known. */
export function diagnostic(
  code: Code,
  details: Details,
  span: Span | undefined,
  more: { readonly severity?: Diagnostic['severity']; readonly help?: string | undefined } = {},
): Diagnostic {
  const entry = entryOf(code)
  return {
    code,
    severity: more.severity ?? 'error',
    message: fill(entry.message, details),
    help: more.help ?? fill(entry.help, details),
    span,
  }
}

/** Several findings at once: a configuration or policy that was refused whole. */
export class DiagnosticsError extends Error {
  readonly diagnostics: readonly Diagnostic[]

  constructor(diagnostics: readonly Diagnostic[]) {
    super(diagnostics[0]?.message ?? 'refused')
    this.name = 'DiagnosticsError'
    this.diagnostics = diagnostics
  }
}
