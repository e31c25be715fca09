import type { AuditQuery } from '../../audit/index.ts'
import { verdictKinds } from '../../core/record.ts'

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const MAX_LIMIT = 10_000

/** A query of the record from the parameters of a URL. Parameters that aren't known are refused: a filter that is ignored shows too much. */
export function queryFrom(
  parameters: Readonly<Record<string, string>>,
  now: number,
): { readonly query: AuditQuery } | { readonly problem: string } {
  const query: { -readonly [K in keyof AuditQuery]: AuditQuery[K] } = {}
  for (const [name, value] of Object.entries(parameters)) {
    switch (name) {
      case 'principal':
      case 'role':
      case 'resource':
      case 'action':
      case 'rule':
      case 'ip':
      case 'trace':
        query[name] = value
        break
      case 'verdict': {
        const verdict = verdictKinds.find((known) => known === value)
        if (verdict === undefined) return { problem: `\`verdict\` is one of ${verdictKinds.join(', ')}` }
        query.verdict = verdict
        break
      }
      case 'since':
      case 'until': {
        const time = timeFrom(value, now)
        if (time === undefined) return { problem: `\`${name}\` is a time such as 2026-01-31T12:00:00Z, or an age such as 15m, 24h or 30d` }
        query[name] = time
        break
      }
      case 'limit': {
        const limit = /^\d{1,6}$/.test(value) ? Number(value) : 0
        if (limit < 1 || limit > MAX_LIMIT) return { problem: `\`limit\` is a number from 1 to ${MAX_LIMIT}` }
        query.limit = limit
        break
      }
      case 'follow':
        break
      default:
        return { problem: `there is no filter \`${name.slice(0, 32)}\`` }
    }
  }
  return { query }
}

function timeFrom(text: string, now: number): number | undefined {
  const age = /^(\d{1,6})([smhd])$/.exec(text)
  if (age !== null) return now - Number(age[1]) * UNITS[age[2] as keyof typeof UNITS]
  if (!/^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text)) return undefined
  const time = Date.parse(text)
  return Number.isNaN(time) ? undefined : time
}
