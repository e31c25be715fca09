import { paint } from '../output.ts'
import { version } from '../version.ts'

export interface Place {
  readonly what: string
  readonly where: readonly string[]
}

export interface Trial {
  readonly say: string
  readonly command: string
  /** What it will print, line by line. */
  readonly prints: readonly string[]
}

/** The one screen that `up` prints once everything runs. */
export function screen(title: string, places: readonly Place[], trials: readonly Trial[], end: string): string {
  const width = Math.max(...places.map(({ what }) => what.length)) + 2
  const lines = ['', `${paint('bold', `Ostiary ${version()}`)}  ${title}`, '']
  for (const { what, where } of places)
    for (const [i, text] of where.entries()) lines.push(`  ${(i === 0 ? what : '').padEnd(width)}${text}`)
  if (trials.length > 0) lines.push('', 'In another terminal:')
  for (const [i, { say, command, prints }] of trials.entries()) {
    lines.push('', `  ${i + 1}. ${say}`, `     ${paint('cyan', command)}`)
    for (const text of prints) lines.push(`     ${paint('dim', text)}`)
  }
  lines.push('', end, '')
  return lines.join('\n')
}
