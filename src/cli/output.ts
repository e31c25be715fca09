import { readFileSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { styleText } from 'node:util'
import { DiagnosticsError, OstiaryError, type Diagnostic } from '../core/errors.ts'
import { formatSpan } from '../core/span.ts'

/** How a command speaks: for people by default, JSON with `--json`. */
export interface Output {
  readonly json: boolean
  /** Ends the command's answer: `human` for people, `value` for scripts. */
  answer(human: string, value: unknown): void
  /** One line of a stream of answers. */
  line(human: string, value: unknown): void
}

type Style = Parameters<typeof styleText>[0]

/** Colours where a person looks on; nothing where a file or pipe does, or NO_COLOR is set. */
export function paint(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return styleText(style, text, { stream, validateStream: true })
}

export function makeOutput(json: boolean): Output {
  return {
    json,
    answer: (human, value) =>
      void process.stdout.write(
        json ? `${JSON.stringify(value, undefined, 2)}\n` : human.endsWith('\n') || human === '' ? human : `${human}\n`,
      ),
    line: (human, value) => void process.stdout.write(json ? `${JSON.stringify(value)}\n` : `${human}\n`),
  }
}

/** What somebody else said goes to a terminal: nothing in it may steer that. */
export function clean(text: string): string {
  return text.replaceAll(/\p{C}/gu, '?')
}

/** A diagnostic as compilers print it: place, message, the line itself with the place marked, help. */
export function renderDiagnostic(diagnostic: Diagnostic, folder = '.'): string {
  const mark = diagnostic.severity === 'error' ? paint('red', 'error', process.stderr) : paint('yellow', 'warning', process.stderr)
  const head = `${mark}[${diagnostic.code}]: ${diagnostic.message}`
  const lines = [head]
  if (diagnostic.span !== undefined) {
    lines.push(`  --> ${formatSpan({ ...diagnostic.span, file: shown(folder, diagnostic.span.file) })}`)
    const text = sourceLine(folder, diagnostic.span.file, diagnostic.span.line)
    if (text !== undefined) {
      const number = String(diagnostic.span.line)
      const width = diagnostic.span.endLine === diagnostic.span.line ? Math.max(1, diagnostic.span.endColumn - diagnostic.span.column) : 1
      lines.push(
        `   ${number} | ${text}`,
        `   ${' '.repeat(number.length)} | ${' '.repeat(Math.max(0, diagnostic.span.column - 1))}${paint('red', '^'.repeat(Math.min(width, 80)), process.stderr)}`,
      )
    }
  }
  if (diagnostic.help !== '') lines.push(`  help: ${diagnostic.help}`)
  return lines.join('\n')
}

function shown(folder: string, file: string): string {
  return folder === '.' || isAbsolute(file) ? file : join(folder, file)
}

function sourceLine(folder: string, file: string, line: number): string | undefined {
  try {
    const text = readFileSync(isAbsolute(file) ? file : join(folder, file), 'utf8').split(/\r?\n/)[line - 1]
    return text !== undefined && text.length <= 200 ? text.replaceAll('\t', ' ') : undefined
  } catch {
    return undefined
  }
}

/** Prints an error on standard error and answers the exit code. A stack is shown only for faults of the program itself. */
export function report(error: unknown, json: boolean, folder?: string): number {
  if (error instanceof DiagnosticsError) {
    if (json) process.stdout.write(`${JSON.stringify({ diagnostics: error.diagnostics }, undefined, 2)}\n`)
    else for (const one of error.diagnostics) process.stderr.write(`${renderDiagnostic(one, folder)}\n\n`)
    return 65
  }
  if (error instanceof OstiaryError) {
    if (json)
      process.stdout.write(`${JSON.stringify({ error: { code: error.code, message: error.message, help: error.help } }, undefined, 2)}\n`)
    else process.stderr.write(`${paint('red', 'ostiary', process.stderr)}: ${error.message}\n  help: ${error.help}\n`)
    return error.exit
  }
  process.stderr.write(`ostiary: internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  return 70
}

/** `1 error`, `2 errors`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** Columns as wide as what is in them, two blanks between. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]!.length)))
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** UTC to the second, as the record shows it. */
export const shownTime = (time: string): string => time.slice(0, 19).replace('T', ' ')
