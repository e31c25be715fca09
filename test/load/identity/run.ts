/** `npm run load -- identity`: what it costs to know who is there. */
import { median } from '../pairs.ts'
import { holds, measure, type Measured, type Plan, type Subject } from './measure.ts'
import { openSubjects } from './subjects.ts'

interface Options extends Plan {
  readonly say: (line: string) => void
}

/** Measures everything. */
export async function measureIdentity({ say, ...plan }: Options): Promise<readonly Measured[]> {
  const subjects = await openSubjects()
  try {
    return subjects.all.map((subject) => {
      const measured = measure(subject, plan)
      const { micros, ratios } = measured
      say(
        `${subject.name}: ${micros.map((one) => one.toFixed(2)).join(' ')}${ratios.length > 0 ? `; × ${ratios.map((one) => one.toFixed(2)).join(' ')}` : ''}`,
      )
      return measured
    })
  } finally {
    await subjects.close()
  }
}

/** The table, and whether every bar holds. */
export function identityTable(all: readonly Measured[], head: string): { readonly text: string; readonly good: boolean } {
  const lines = all.map((one) => {
    const { subject, micros, references, ratios } = one
    const alone = references.length === 0 ? '' : median(references).toFixed(1)
    const ratio =
      ratios.length === 0 ? '' : `**${median(ratios).toFixed(2)}** (${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)})`
    const bar = barOf(subject)
    return `| ${subject.name} | ${median(micros).toFixed(2)} | ${alone} | ${ratio} | ${bar}${holds(one) ? '' : ': **missed**'} |`
  })
  const text = [head, '', '| credential | CPU, µs | its signature alone, µs | × (range) | bar |', '|---|---|---|---|---|', ...lines].join(
    '\n',
  )
  return { text, good: all.every(holds) }
}

function barOf({ within, under }: Subject): string {
  if (within !== undefined) return `within ${within} ×`
  return under === undefined ? '' : `under ${under} µs`
}
