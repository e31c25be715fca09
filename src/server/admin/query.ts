import type { AuditQuery } from '../../audit/index.ts'
import { verdictKinds } from '../../core/record.ts'
import type { SessionQuery } from '../../identity/index.ts'

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const MAX_LIMIT = 10_000
const MAX_SESSIONS = 1_000

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
      case 'request':
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

/** A page of sessions from the parameters of a URL, as strictly. */
export function sessionQueryFrom(
  parameters: Readonly<Record<string, string>>,
): { readonly query: SessionQuery } | { readonly problem: string } {
  const query: { -readonly [K in keyof SessionQuery]: SessionQuery[K] } = { limit: 100 }
  for (const [name, value] of Object.entries(parameters)) {
    switch (name) {
      case 'issuer':
      case 'subject':
        query[name] = value
        break
      case 'limit': {
        const limit = /^\d{1,4}$/.test(value) ? Number(value) : 0
        if (limit < 1 || limit > MAX_SESSIONS) return { problem: `\`limit\` is a number from 1 to ${MAX_SESSIONS}` }
        query.limit = limit
        break
      }
      case 'after': {
        const place = /^(\d{1,15})\.([A-Za-z0-9_-]{1,64})$/.exec(value)
        if (place === null) return { problem: '`after` is what the page before answered as `next`' }
        query.after = { createdAt: Number(place[1]), id: place[2]! }
        break
      }
      default:
        return { problem: `there is no filter \`${name.slice(0, 32)}\`` }
    }
  }
  return { query }
}

/** Where the next page starts, as `after` takes it. */
export function writePlace({ createdAt, id }: NonNullable<SessionQuery['after']>): string {
  return `${createdAt}.${id}`
}

/** A time (RFC 3339, a part of it) or an age before `now`, in milliseconds; undefined for anything else. */
export function timeFrom(text: string, now: number): number | undefined {
  const age = /^(\d{1,6})([smhd])$/.exec(text)
  if (age !== null) return now - Number(age[1]) * UNITS[age[2] as keyof typeof UNITS]
  if (!/^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text)) return undefined
  const time = Date.parse(text)
  return Number.isNaN(time) ? undefined : time
}
