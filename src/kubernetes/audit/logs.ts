/** The forms in which events come: a webhook's list, lines of an audit log, diagnostic logs of AKS. */
import { eventOf, type ServerEvent } from './events.ts'

/** Events that one document may hold. A webhook sends 400. */
const LIST_LIMIT = 100_000
/** How deep documents stand in one another: records, a record, its log, a list. */
const DEPTH_LIMIT = 4

/** What was read of a document. */
export interface EventsRead {
  readonly events: readonly ServerEvent[]
  /** Things in it that are no events, such as logs of another category. */
  readonly others: number
}

/** Categories of AKS that hold events. */
const CATEGORIES: ReadonlySet<string> = new Set(['kube-audit', 'kube-audit-admin'])

/**
 * The events of a document that is parsed already: an `EventList`, one `Event`, an array of either, a record of a diagnostic log, whose
 * `properties.log` holds an event as text, or `records` of them. Total.
 */
export function eventsIn(value: unknown): EventsRead {
  const events: ServerEvent[] = []
  let others = 0
  const take = (one: unknown, depth: number): void => {
    if (events.length >= LIST_LIMIT || depth > DEPTH_LIMIT) {
      others++
      return
    }
    if (Array.isArray(one)) {
      for (const inner of one as readonly unknown[]) take(inner, depth + 1)
      return
    }
    const list = member(one, 'items') ?? member(one, 'records')
    if (Array.isArray(list)) return take(list, depth)
    const log = logOf(one)
    const event = eventOf(log === undefined ? one : parsed(log))
    if (event === undefined) others++
    else events.push(event)
  }
  take(value, 0)
  return { events, others }
}

/** The events of a line of a log; none in what is no JSON. */
export function eventsInLine(line: string): EventsRead {
  const value = parsed(line)
  return value === undefined ? { events: [], others: 1 } : eventsIn(value)
}

/** The event in a record of AKS, in its resource-specific form (`Category`, `log`) too. */
function logOf(record: unknown): string | undefined {
  const category = member(record, 'category') ?? member(record, 'Category')
  if (typeof category !== 'string' || !CATEGORIES.has(category)) return undefined
  const properties = member(record, 'properties')
  const log =
    member(typeof properties === 'string' ? parsed(properties) : properties, 'log') ?? member(record, 'log_s') ?? member(record, 'Log')
  return typeof log === 'string' ? log : undefined
}

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined
}
