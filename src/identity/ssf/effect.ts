import type { JsonObject } from '../jose/json.ts'

/** What an event asks for. */
export type Effect =
  /** What was issued until `before` (milliseconds since the epoch) ends. `name` is that of the event, for the record. */
  | { readonly kind: 'end'; readonly name: string; readonly before: number }
  /** Nothing has to end. */
  | { readonly kind: 'none'; readonly name: string }
  /** It is about the stream itself. */
  | { readonly kind: 'stream'; readonly name: string }
  | { readonly kind: 'unknown' }

const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/'
const RISC = 'https://schemas.openid.net/secevent/risc/event-type/'
const SSF = 'https://schemas.openid.net/secevent/ssf/event-type/'

/** Later than this is no time in seconds; drafts of CAEP had milliseconds. */
const SECONDS = 1e11

/** What an event means for those it is about (CAEP 1.0 §3, RISC 1.0 §2). @param now Milliseconds since the epoch. */
export function effectOf(type: string, event: JsonObject, issuedAt: number, now: number): Effect {
  const happened = Math.min(timeOf(event['event_timestamp']) ?? issuedAt, now)
  const end = (name: string, before = happened): Effect => ({ kind: 'end', name, before })
  switch (type) {
    case `${CAEP}session-revoked`:
    case `${CAEP}token-claims-change`:
      return end(type.slice(CAEP.length))
    case `${CAEP}credential-change`:
      // One more credential takes nothing away. Whatever else is said, or isn't, ends.
      return event['change_type'] === 'create' ? { kind: 'none', name: 'credential-change' } : end('credential-change')
    case `${CAEP}assurance-level-change`:
      return event['change_direction'] === 'increase' ? { kind: 'none', name: 'assurance-level-change' } : end('assurance-level-change')
    case `${CAEP}device-compliance-change`:
      return event['current_status'] === 'compliant' ? { kind: 'none', name: 'device-compliance-change' } : end('device-compliance-change')
    case `${RISC}account-disabled`:
    case `${RISC}account-purged`:
    case `${RISC}sessions-revoked`:
    case `${RISC}account-credential-change-required`:
      // Nothing that was issued since should have been.
      return end(type.slice(RISC.length), now)
    case `${RISC}account-enabled`:
      return { kind: 'none', name: 'account-enabled' }
    case `${SSF}verification`:
    case `${SSF}stream-updated`:
      return { kind: 'stream', name: type.slice(SSF.length) }
    default:
      return { kind: 'unknown' }
  }
}

function timeOf(value: JsonObject[string] | undefined): number | undefined {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) return undefined
  return value < SECONDS ? value * 1000 : value
}
