import { takeApart } from './chain.ts'
import { matches, prefilter, SHOWN, type AuditQuery } from './query.ts'
import { parseRecord, type AuditRecord, type DecisionRecord, type OutcomeRecord, type PrincipalRecord } from './schema.ts'
import { listSegments, readLines, readLinesBackward, whileThere, type Segment } from './segments.ts'

/** A record that was looked for, with what came of it if it is a decision and that is known. */
export interface FoundRecord {
  readonly record: AuditRecord
  readonly outcome: OutcomeRecord | undefined
}

/** A decision with all that belongs to it. */
export interface FoundDecision {
  readonly record: DecisionRecord
  readonly outcome: OutcomeRecord | undefined
  /** Who in full. */
  readonly principal: PrincipalRecord | undefined
}

const DEFAULT_LIMIT = 100
/** Outcomes remembered, or decisions held back for theirs, while joining. */
const JOIN_WINDOW = 20_000
/** Decisions held back until their outcome is met, when reading forward. */
const HOLD = 1000
/** A record is written this long after its id was made at most; else it is still found, by reading everything. */
const ID_SLACK = 120_000

/**
 * Records that match, newest first unless asked otherwise. Reads the files as they are, also while they are being
 * written; lines that are no records are passed over, since finding them is what `verify` is for.
 * @throws OstiaryError `audit/unreadable`
 */
export async function* search(dir: string, query: AuditQuery = {}): AsyncGenerator<FoundRecord> {
  let left = query.limit ?? DEFAULT_LIMIT
  if (left <= 0) return
  for await (const found of (query.order ?? 'newest') === 'newest' ? backward(dir, query) : forward(dir, query)) {
    yield found
    if (--left <= 0) return
  }
}

async function* backward(dir: string, query: AuditQuery): AsyncGenerator<FoundRecord> {
  const wanted = wantedLines(query)
  const outcomes = new Map<string, OutcomeRecord>()
  for (const segment of await within(dir, query)) {
    for await (const lines of whileThere(readLinesBackward(segment.path))) {
      for (const line of lines) {
        const kind = takeApart(line)?.kind
        if (kind === 'outcome') {
          const record = parseRecord(line)
          if (record?.kind !== 'outcome') continue
          outcomes.set(record.id, record)
          if (outcomes.size > JOIN_WINDOW) outcomes.delete(outcomes.keys().next().value!)
        }
        if (kind === undefined || !wanted(kind, line)) continue
        const record = parseRecord(line)
        if (record === undefined || !matches(query, record)) continue
        yield { record, outcome: record.kind === 'decision' ? outcomes.get(record.id) : undefined }
      }
    }
  }
}

async function* forward(dir: string, query: AuditQuery): AsyncGenerator<FoundRecord> {
  const wanted = wantedLines(query)
  // In order: a decision waits for its outcome, and what comes after it waits as well.
  const held: { record: AuditRecord; outcome: OutcomeRecord | undefined; ready: boolean }[] = []
  const waiting = new Map<string, (typeof held)[number]>()
  for (const segment of (await within(dir, query)).toReversed()) {
    for await (const lines of whileThere(readLines(segment.path))) {
      for (const line of lines) {
        if (!line.complete || line.oversized) continue
        const kind = takeApart(line.bytes)?.kind
        if (kind === 'outcome' && waiting.size > 0) {
          const record = parseRecord(line.bytes)
          const entry = record?.kind === 'outcome' ? waiting.get(record.id) : undefined
          if (entry !== undefined && record?.kind === 'outcome') {
            entry.outcome = record
            entry.ready = true
            waiting.delete(record.id)
          }
        }
        if (kind === undefined || !wanted(kind, line.bytes)) continue
        const record = parseRecord(line.bytes)
        if (record === undefined || !matches(query, record)) continue
        const entry = { record, outcome: undefined, ready: record.kind !== 'decision' || record.verdict !== 'allowed' }
        held.push(entry)
        if (record.kind === 'decision' && !entry.ready) waiting.set(record.id, entry)
      }
      while (held.length > 0 && (held[0]!.ready || held.length > HOLD)) {
        const { record, outcome } = held.shift()!
        if (record.kind === 'decision') waiting.delete(record.id)
        yield { record, outcome }
      }
    }
  }
  for (const { record, outcome } of held) yield { record, outcome }
}

function wantedLines(query: AuditQuery): (kind: string, line: Buffer) => boolean {
  const kinds = new Set<string>(query.kinds ?? SHOWN)
  const mayMatch = prefilter(query)
  return (kind, line) => kinds.has(kind) && mayMatch(line)
}

/** Segments that can hold what a query asks for, newest first. */
async function within(dir: string, { since, until }: AuditQuery): Promise<readonly Segment[]> {
  const segments = (await listSegments(dir)).toReversed()
  if (since === undefined && until === undefined) return segments
  const found: Segment[] = []
  let nextBegins = Number.POSITIVE_INFINITY
  for (const segment of segments) {
    const begins = (await beginOf(segment)) ?? 0
    // Decisions are recorded a little after their time, outcomes a long time: the edges are read with slack.
    if ((until === undefined || begins < until + ID_SLACK) && (since === undefined || nextBegins >= since)) found.push(segment)
    nextBegins = begins
  }
  return found
}

async function beginOf(segment: Segment): Promise<number | undefined> {
  for await (const [line] of whileThere(readLines(segment.path))) {
    const parts = line === undefined ? undefined : takeApart(line.bytes)
    return parts === undefined ? undefined : Date.parse(parts.time)
  }
  return undefined
}

/**
 * The decision with this id, with its outcome and who it was. The time within the id says in which segments to look
 * first.
 * @throws OstiaryError `audit/unreadable`
 */
export async function findDecision(dir: string, id: string): Promise<FoundDecision | undefined> {
  const segments = await listSegments(dir)
  for (const index of await likely(segments, id)) {
    const found = await findIn(segments[index]!, id)
    if (found === undefined) continue
    const outcome = found.outcome ?? (found.record.verdict === 'allowed' ? await outcomeAfter(segments.slice(index + 1), id) : undefined)
    return { ...found, outcome }
  }
  return undefined
}

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

/** Milliseconds since the epoch in an id; undefined if it isn't one of ours. */
export function timeOfId(id: string): number | undefined {
  if (!/^[0-9a-hjkmnp-tv-z]{22}$/.test(id)) return undefined
  let time = 0
  for (const character of id.slice(0, 10)) time = time * 32 + ALPHABET.indexOf(character)
  return time
}

/** Numbers of segments in the order in which to look: where the id's time falls, then the rest from the newest on. */
async function likely(segments: readonly Segment[], id: string): Promise<readonly number[]> {
  const all = segments.map((_, index) => index).toReversed()
  const time = timeOfId(id)
  if (time === undefined) return all
  const begins = await Promise.all(segments.map(beginOf))
  const near = all
    .filter((index) => (begins[index] ?? 0) <= time + ID_SLACK && (begins[index + 1] ?? Number.POSITIVE_INFINITY) >= time)
    .toReversed()
  return [...new Set([...near, ...all])]
}

async function findIn(segment: Segment, id: string): Promise<FoundDecision | undefined> {
  const needle = Buffer.from(JSON.stringify(id))
  let record: DecisionRecord | undefined
  let outcome: OutcomeRecord | undefined
  for await (const lines of whileThere(readLines(segment.path))) {
    for (const line of lines) {
      if (!line.complete || !line.bytes.includes(needle)) continue
      const parsed = parseRecord(line.bytes)
      if (parsed?.kind === 'decision' && parsed.id === id) record ??= parsed
      else if (parsed?.kind === 'outcome' && parsed.id === id && record !== undefined) outcome ??= parsed
    }
    if (outcome !== undefined || (record !== undefined && record.verdict !== 'allowed')) break
  }
  if (record === undefined) return undefined
  return { record, outcome, principal: await principalOf(segment, record.principalRecord) }
}

async function outcomeAfter(segments: readonly Segment[], id: string): Promise<OutcomeRecord | undefined> {
  const needle = Buffer.from(JSON.stringify(id))
  for (const segment of segments) {
    for await (const lines of whileThere(readLines(segment.path))) {
      for (const line of lines) {
        if (!line.complete || !line.bytes.includes(needle)) continue
        const parsed = parseRecord(line.bytes)
        if (parsed?.kind === 'outcome' && parsed.id === id) return parsed
      }
    }
  }
  return undefined
}

async function principalOf(segment: Segment, seq: number | undefined): Promise<PrincipalRecord | undefined> {
  if (seq === undefined) return undefined
  const start = Buffer.from(`{"seq":${seq},`)
  for await (const lines of whileThere(readLines(segment.path))) {
    for (const line of lines) {
      if (!line.bytes.subarray(0, start.length).equals(start)) continue
      const parsed = parseRecord(line.bytes)
      return parsed?.kind === 'principal' ? parsed : undefined
    }
  }
  return undefined
}
