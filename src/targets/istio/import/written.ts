/** What was imported, as files that read as if somebody had written them. */
import { stringify } from 'yaml'

export interface WrittenFile {
  readonly path: string
  readonly text: string
}

const WIDTH = 140
const OPTIONS = { lineWidth: 0, aliasDuplicateObjects: false } as const

/** An entry of a file: comments, and what stands under them. */
export interface Entry {
  readonly comment?: string | undefined
  readonly value: unknown
}

/** `name:` with entries by key below. Nothing for none. */
export function section(name: string, entries: ReadonlyMap<string, Entry>): readonly string[] {
  if (entries.size === 0) return []
  return [`${name}:`, ...[...entries].flatMap(([key, { comment, value }]) => [...commented(comment, '  '), ...keyed(key, value, '  ')]), '']
}

/** `name:` with a list below. Nothing for none. */
export function listing(name: string, entries: readonly Entry[]): readonly string[] {
  if (entries.length === 0) return []
  return [
    `${name}:`,
    ...entries.flatMap(({ comment, value }) => {
      const line = `  - ${padded(value)}`
      if (line.length <= WIDTH) return [...commented(comment, '  '), line]
      const [first, ...rest] = Object.entries(value as object).flatMap(([key, each]) => keyed(key, each, ''))
      return [...commented(comment, '  '), `  - ${first!}`, ...rest.map((one) => `    ${one}`)]
    }),
    '',
  ]
}

function keyed(key: string, value: unknown, indent: string): readonly string[] {
  const line = `${indent}${flow(key)}: ${padded(value)}`
  if (line.length <= WIDTH || typeof value !== 'object' || value === null) return [line]
  if (Array.isArray(value)) return [`${indent}${flow(key)}:`, ...value.map((one) => `${indent}  - ${padded(one)}`)]
  return [`${indent}${flow(key)}:`, ...Object.entries(value).flatMap(([name, each]) => keyed(name, each, `${indent}  `))]
}

export function commented(comment: string | undefined, indent: string): readonly string[] {
  return comment === undefined ? [] : comment.split('\n').map((one) => `${indent}# ${one.replaceAll(/[\p{Cc}\u2028\u2029]/gu, '?')}`)
}

/** In one line, maps with a space inside their braces. */
function padded(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(padded).join(', ')}]`
  if (typeof value !== 'object' || value === null) return flow(value)
  const entries = Object.entries(value).filter(([, each]) => each !== undefined)
  return entries.length === 0 ? '{}' : `{ ${entries.map(([key, each]) => `${flow(key)}: ${padded(each)}`).join(', ')} }`
}

/** A scalar that may stand in a list of one line. */
function flow(value: unknown): string {
  const text = stringify([value], { ...OPTIONS, collectionStyle: 'flow', flowCollectionPadding: false, singleQuote: true }).trim()
  return text.slice(1, -1)
}
