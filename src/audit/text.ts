import { formatAction } from '../core/action.ts'
import type { AuditRecord, DecisionRecord, OutcomeRecord, Who } from './schema.ts'

/** One line about a record, for people. Safe to print: whatever a caller sent is escaped. */
export function renderRecord(record: AuditRecord, outcome?: OutcomeRecord): string {
  const time = record.time.replace('T', ' ').replace('Z', '')
  return `${time}  ${clean(summary(record, outcome))}`
}

function summary(record: AuditRecord, outcome: OutcomeRecord | undefined): string {
  switch (record.kind) {
    case 'decision': {
      const { observed } = record
      const watched =
        observed === undefined || observed.effect === 'allow' ? '' : ` (would be ${observed.effect}: ${inShort(observed.reasons)})`
      const because = `${record.verdict === 'allowed' ? (record.rule ?? '') : reasonOf(record)}${watched}`
      const came = outcome === undefined ? '' : `  → ${outcomeOf(outcome)}`
      return `${record.verdict.padEnd(15)} ${nameOf(record.principal)}  ${formatAction(record.action)} on ${record.resource}  ${because}  ${record.ip}  ${record.id}${came}`
    }
    case 'outcome':
      return `${'outcome'.padEnd(15)} ${record.id}  ${outcomeOf(record)}`
    case 'event': {
      const who = record.principal === undefined ? '' : `${nameOf(record.principal)}  `
      const details = Object.entries(record.details).map(
        ([name, value]) => `${name}=${Array.isArray(value) ? value.join(',') : String(value)}`,
      )
      return `${'event'.padEnd(15)} ${who}${record.event}  ${details.join(' ')}`
    }
    case 'gap':
      return `${'GAP'.padEnd(15)} since ${record.since}: ${record.refused} refused, ${record.dropped} dropped, ${record.lost} outcomes or events lost (${record.cause})`
    case 'checkpoint':
      return `${'checkpoint'.padEnd(15)} up to ${record.seq - 1}, key ${record.kid}${record.final ? ', closed' : ''}`
    case 'segment':
      return `${'segment'.padEnd(15)} begins at ${record.seq}`
    case 'principal':
      return `${'principal'.padEnd(15)} ${record.principal.issuer}/${record.principal.subject}  ${record.principal.roles.join(', ')}`
  }
}

function outcomeOf({ result, status, bytesIn, bytesOut, duration }: OutcomeRecord): string {
  return `${status ?? '?'}${result === 'completed' ? '' : ` ${result}`}, ${bytesIn ?? '?'} B in, ${bytesOut ?? '?'} B out, ${duration ?? '?'} ms`
}

/** Display name or subject of a party, with who acts for it; `anonymous` without credential. */
export function nameOf(who: Who): string {
  const own = who.kind === 'anonymous' ? 'anonymous' : (who.display ?? who.subject)
  return who.actor === undefined ? own : `${own} via ${nameOf(who.actor)}`
}

/** What a refusal is about, in a few words: `guardrail no-delete`, `role-not-held reader`, `expired`. */
export function reasonOf(record: DecisionRecord): string {
  if (record.verdict === 'rejected') return `${record.reason ?? ''}${record.claim === undefined ? '' : ` (${record.claim})`}`
  if (record.verdict === 'malformed') return record.reason ?? ''
  if (record.verdict === 'unavailable') return record.cause ?? ''
  if (record.verdict === 'limited') return `limit ${record.limit ?? ''}`
  return inShort(record.reasons)
}

function inShort(reasons: DecisionRecord['reasons']): string {
  return (reasons ?? [])
    .filter(({ code }) => code !== 'granted')
    .slice(0, 3)
    .map(({ code, id, role }) => [code, id, role].filter((part) => part !== undefined).join(' '))
    .join(', ')
}

/** Control characters and those that turn the direction of text shown as escapes; longer than a few lines is cut. */
function clean(text: string): string {
  const cut = text.length > 600 ? `${text.slice(0, 600)}…` : text
  return cut
    .toWellFormed()
    .replaceAll(
      /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    )
}
