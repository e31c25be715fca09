import { takeApart } from './chain.ts'
import { parseRecord, type DecisionRecord, type PrincipalRecord } from './schema.ts'
import { listSegments, readLines, whileThere } from './segments.ts'

/** A decision with who it was about in full, or how many could not be recorded. */
export type ReplayLine =
  | {
      readonly kind: 'decision'
      readonly decision: DecisionRecord
      /** Undefined where the record doesn't have it. */ readonly principal: PrincipalRecord | undefined
    }
  | { readonly kind: 'missing'; readonly count: number }

/**
 * Decisions of a stretch of time in the order in which they were recorded, each with its principal, in memory that grows with
 * the principals of one segment only. Lines that are no records are passed over, since finding them is what `verify` is for.
 * @param since Milliseconds since the epoch, inclusive
 * @param until Milliseconds since the epoch, exclusive
 * @throws OstiaryError `audit/unreadable`
 */
export async function* readDecisions(dir: string, since: number, until: number): AsyncGenerator<ReplayLine> {
  for (const segment of await listSegments(dir)) {
    // A principal is written anew in each segment, before what refers to it.
    const principals = new Map<number, PrincipalRecord>()
    for await (const lines of whileThere(readLines(segment.path)))
      for (const line of lines) {
        if (!line.complete || line.oversized) continue
        const parts = takeApart(line.bytes)
        if (parts === undefined || !WANTED.has(parts.kind)) continue
        const at = Date.parse(parts.time)
        // Who it was may stand long before what it did.
        if (parts.kind !== 'principal' && (at < since || at >= until)) continue
        const record = parseRecord(line.bytes)
        if (record?.kind === 'principal') principals.set(record.seq, record)
        else if (record?.kind === 'gap') {
          const count = record.dropped + record.refused
          if (count > 0) yield { kind: 'missing', count }
        } else if (record?.kind === 'decision')
          yield {
            kind: 'decision',
            decision: record,
            principal: record.principalRecord === undefined ? undefined : principals.get(record.principalRecord),
          }
      }
  }
}

const WANTED = new Set(['principal', 'decision', 'gap'])
