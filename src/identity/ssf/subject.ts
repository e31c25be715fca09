import { isObject, type JsonObject, type JsonValue } from '../jose/json.ts'
import { MAX_SUBJECT } from '../signed.ts'

/** Whom an event is about, as far as this issuer's own names go. */
export interface EventSubject {
  /** `sub` at the issuer. */
  readonly subject: string | undefined
  /** Name of the provider's session. */
  readonly sid: string | undefined
  /** `jti` of a token. */
  readonly token: string | undefined
}

/** Subject identifiers of one event at most, and how deep they may nest. */
const MAX_ALIASES = 16

const NOBODY: EventSubject = { subject: undefined, sid: undefined, token: undefined }

/**
 * Reads a subject identifier (RFC 9493; complex ones of the Shared Signals Framework §3.2). Undefined where it can't be told who is meant:
 * an address or a number may belong to somebody else by now, so it is nobody's name here.
 * @param owns Whether an `iss` is of this issuer
 */
export function readSubject(id: JsonObject | undefined, owns: (iss: string) => boolean): EventSubject | undefined {
  if (id === undefined) return undefined
  switch (formatOf(id)) {
    case 'iss_sub': {
      const [iss, sub] = [text(id['iss']), text(id['sub'])]
      return iss !== undefined && sub !== undefined && owns(iss) ? { ...NOBODY, subject: sub } : undefined
    }
    case 'opaque': {
      const sub = text(id['id'])
      return sub === undefined ? undefined : { ...NOBODY, subject: sub }
    }
    case 'jwt_id': {
      const [iss, jti] = [text(id['iss']), text(id['jti'])]
      return iss !== undefined && jti !== undefined && owns(iss) ? { ...NOBODY, token: jti } : undefined
    }
    case 'aliases': {
      const all = Array.isArray(id['identifiers']) ? (id['identifiers'] as readonly JsonValue[]) : []
      if (all.length > MAX_ALIASES) return undefined
      for (const one of all) {
        const read = isObject(one) && formatOf(one) !== 'aliases' && formatOf(one) !== 'complex' ? readSubject(one, owns) : undefined
        if (read !== undefined) return read
      }
      return undefined
    }
    case 'complex': {
      const { user, session } = id
      const person = isObject(user) && formatOf(user) !== 'complex' ? readSubject(user, owns) : undefined
      const sid = isObject(session) && formatOf(session) === 'opaque' ? text(session['id']) : undefined
      // A device or a tenant narrows down what isn't known here: all of the person is meant then, never nobody.
      return person?.subject === undefined && sid === undefined ? undefined : { ...NOBODY, subject: person?.subject, sid }
    }
    default:
      return undefined
  }
}

/** `format` of RFC 9493, or `subject_type` of its drafts. A complex subject may leave it out. */
function formatOf(id: JsonObject): string | undefined {
  const format = id['format'] ?? id['subject_type']
  if (typeof format === 'string') return format.replaceAll('-', '_')
  return format === undefined && (isObject(id['user']) || isObject(id['session'])) ? 'complex' : undefined
}

function text(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= MAX_SUBJECT ? value : undefined
}
