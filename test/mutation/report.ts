/** What became of mutants, as a table of operators by part of the policy, and of files. */
import type { Mutant } from './syntax.ts'

export interface Tried extends Mutant {
  readonly part: string
  /** What noticed it. */
  readonly by: string | undefined
}

function lines(title: string, tried: readonly Tried[], by: (one: Tried) => string): readonly string[] {
  const groups = [...Map.groupBy(tried, by)].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const width = Math.max(title.length, ...groups.map(([name]) => name.length))
  return [
    `${title.padEnd(width)}  tried  killed  survived`,
    ...groups.map(([name, some]) => {
      const killed = some.filter((one) => one.by !== undefined).length
      return `${name.padEnd(width)}  ${cell(some.length, 5)}  ${cell(killed, 6)}  ${cell(some.length - killed, 8)}`
    }),
    '',
  ]
}

function cell(count: number, width: number): string {
  return String(count).padStart(width)
}

export function table(tried: readonly Tried[]): string {
  const killed = tried.filter(({ by }) => by !== undefined).length
  return [
    '',
    ...lines('operator', tried, ({ part, kind }) => `${part} ${kind}`),
    ...lines('file', tried, ({ file }) => file),
    `${tried.length} tried, ${killed} killed, ${tried.length - killed} survived`,
  ].join('\n')
}
