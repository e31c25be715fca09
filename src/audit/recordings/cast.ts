/** asciicast v2: a line of JSON that says what is recorded, then a line `[seconds, code, text]` for each event. */

/** What a recording says of itself. Everything but times and sizes may hold text that somebody else chose. */
export interface CastHeader {
  /** Decision that let the session in; the recording's title. */
  readonly id: string
  readonly resource: string
  /** `issuer/subject` */
  readonly principal: string
  /** `exec` or `attach`. */
  readonly operation: string
  /** What it was carried out in, such as `shop/web-1/app`. */
  readonly place: string
  /** Undefined for `attach`. */
  readonly command: readonly string[] | undefined
  readonly terminal: boolean
  /** Whether what came from the caller is in it. */
  readonly input: boolean
}

/**
 * What can be recorded. Asciicast has no code for standard error: it is output (`o`) behind an event `e` of the same time, which
 * players pass over. `x` is the exit code, as in asciicast v3.
 */
export type CastCode = 'o' | 'i' | 'r' | 'm' | 'e' | 'x'

export const DEFAULT_SIZE = { columns: 80, rows: 24 }

/** @param started Milliseconds since the epoch */
export function headerLine(header: CastHeader, size: { readonly columns: number; readonly rows: number }, started: number): string {
  const { id, command, terminal, input, resource, principal, operation, place } = header
  return `${JSON.stringify({
    version: 2,
    width: size.columns,
    height: size.rows,
    timestamp: Math.floor(started / 1000),
    title: id,
    ...(command === undefined ? {} : { command: command.map(quoted).join(' ') }),
    ...(terminal ? { env: { TERM: 'xterm' } } : {}),
    ostiary: { resource, principal, operation, place, terminal, input },
  })}\n`
}

/** @param at Milliseconds since the beginning */
export function eventLine(at: number, code: CastCode, text: string): string {
  return `[${(Math.max(0, at) / 1000).toFixed(6)},"${code}",${JSON.stringify(text.toWellFormed())}]\n`
}

/** A word as a shell would read it again. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
