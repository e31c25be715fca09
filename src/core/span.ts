/** A place in a file: 1-based line and column of its first character, and of the character after its last. */
export interface Span {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly endLine: number
  readonly endColumn: number
}

/** `policy/orders.yaml:12:5`, the form editors and terminals turn into a link. */
export function formatSpan(span: Span): string {
  return `${span.file}:${span.line}:${span.column}`
}
