import { formatAction } from '../core/action.ts'
import type { AuditRecord, DecisionRecord, Who } from './schema.ts'

/** What to look for. All that is given must match; filters on a decision's own fields leave everything else out. */
export interface AuditQuery {
  /** Subject, `issuer/subject`, display name or client of any party; letters of either case. */
  readonly principal?: string
  /** Role held by any party. */
  readonly role?: string
  readonly resource?: string
  /** Beginning of the action, such as `GET /orders`. */
  readonly action?: string
  readonly verdict?: DecisionRecord['verdict']
  /** Rule, guardrail or other id that the reasons name. */
  readonly rule?: string
  readonly ip?: string
  readonly trace?: string
  /** Decision id. */
  readonly id?: string
  /** Name of an event of the gateway. */
  readonly event?: string
  /** Id that another enforcement point gave the request that an event tells of. */
  readonly request?: string
  /** Milliseconds since the epoch, inclusive. */
  readonly since?: number
  /** Milliseconds since the epoch, exclusive. */
  readonly until?: number
  /** Kinds of records; default: decisions, events and gaps. */
  readonly kinds?: readonly AuditRecord['kind'][]
  /** Default: `newest`. */
  readonly order?: 'newest' | 'oldest'
  /** At most so many. Default: 100. */
  readonly limit?: number
}

/** Kinds shown unless a query says otherwise: the others belong to these, or to the chain. */
export const SHOWN: readonly AuditRecord['kind'][] = ['decision', 'event', 'gap']

/** True if the record is what the query asks for. */
export function matches(query: AuditQuery, record: AuditRecord): boolean {
  if (!(query.kinds ?? SHOWN).includes(record.kind)) return false
  const at = Date.parse(record.time)
  if (query.since !== undefined && at < query.since) return false
  if (query.until !== undefined && at >= query.until) return false
  if (query.event !== undefined && !(record.kind === 'event' && record.event === query.event)) return false
  if (query.request !== undefined && !(record.kind === 'event' && record.details['request'] === query.request)) return false
  if (query.id !== undefined && !((record.kind === 'decision' || record.kind === 'outcome') && record.id === query.id)) return false
  const { principal, role } = query
  if (principal !== undefined && !parties(record).some((party) => isNamed(party, principal))) return false
  if (role !== undefined && !parties(record).some(({ roles }) => roles.includes(role))) return false
  return record.kind === 'decision' ? matchesDecision(query, record) : !asksForDecision(query)
}

function matchesDecision(query: AuditQuery, record: DecisionRecord): boolean {
  const { resource, action, verdict, rule, ip, trace } = query
  return (
    (resource === undefined || record.resource === resource) &&
    (action === undefined || formatAction(record.action).startsWith(action)) &&
    (verdict === undefined || record.verdict === verdict) &&
    (ip === undefined || record.ip === ip) &&
    (trace === undefined || record.trace === trace) &&
    (rule === undefined ||
      record.rule === rule ||
      record.rules?.includes(rule) === true ||
      record.reasons?.some((reason) => reason.id === rule) === true)
  )
}

function asksForDecision({ resource, action, verdict, rule, ip, trace }: AuditQuery): boolean {
  return [resource, action, verdict, rule, ip, trace].some((filter) => filter !== undefined)
}

function parties(record: AuditRecord): readonly Who[] {
  const found: Who[] = []
  let party = record.kind === 'decision' || record.kind === 'event' ? record.principal : undefined
  for (; party !== undefined; party = party.actor) found.push(party)
  return found
}

function isNamed({ issuer, subject, display, client }: Who, name: string): boolean {
  const wanted = name.toLowerCase()
  return [subject, `${issuer}/${subject}`, display, client].some((text) => text?.toLowerCase() === wanted)
}

/**
 * A quick look at a line before it is parsed: false only for lines that can't match. Texts that JSON escapes aren't
 * looked for, since they stand differently in the line.
 */
export function prefilter(query: AuditQuery): (line: Buffer) => boolean {
  const needles = [query.id, query.resource, query.role, query.rule, query.ip, query.trace, query.event, query.request]
    .filter((text) => text !== undefined)
    .filter((text) => /^[\w./: -]{1,256}$/.test(text))
    .map((text) => Buffer.from(`"${text}"`))
  if (query.verdict !== undefined) needles.push(Buffer.from(`"verdict":"${query.verdict}"`))
  return (line) => needles.every((needle) => line.includes(needle))
}
