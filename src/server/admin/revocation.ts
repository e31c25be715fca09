import { z } from 'zod'
import { duration } from '../../config/fields.ts'
import { CLOCK_SKEW_MS } from '../../core/clock.ts'
import { readJsonText } from '../../core/json.ts'
import type { RevocationTarget } from '../../store/revocations.ts'
import type { RevocationRequest } from '../ending.ts'
import { line, reason } from './body.ts'
import { timeFrom } from './query.ts'
import type { RevocationAnswer } from './shapes.ts'

/** Longest name, in characters. */
const MAX_NAME = 256
const MAX_FOR_MS = 3_650 * 86_400_000

/** What is said of an issuer: revocations of one that isn't configured, or of a subject that can't exist, would end nothing. */
export type KindOfIssuer = (name: string) => string | undefined

const name = line(MAX_NAME)
const lasts = duration()
  .refine((ms) => ms > 0 && ms <= MAX_FOR_MS, 'write at most 3650d')
  .optional()
  .describe('How long they are shut out; default: until that is lifted')
const when = z.string().max(64)

/** The body of `POST /api/revocations`. */
export const revocationSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('session'), session: name, reason }),
  z.strictObject({ kind: z.literal('subject'), issuer: name, subject: name, for: lasts, reason }),
  z.strictObject({ kind: z.literal('token'), issuer: name, token: name, reason }),
  z.strictObject({ kind: z.literal('client'), issuer: name, client: name, for: lasts, reason }),
  z.strictObject({ kind: z.literal('issued-before'), issuer: name, subject: name.optional(), before: when, reason }),
])

const ENTRA_SUBJECT = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Reads what somebody wants revoked. Total: what isn't understood to the letter is a problem, told in one line. `now` is in milliseconds. */
export function readRevocation(
  text: string,
  now: number,
  kindOf: KindOfIssuer,
): { readonly request: RevocationRequest } | { readonly problem: string } {
  const value = readJsonText(text)
  if (value === undefined) return { problem: 'the body is not JSON, or has a name twice' }
  const parsed = revocationSchema.safeParse(value)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const at = issue?.path.join('.') ?? ''
    return { problem: at === '' ? 'the body is none of the revocations of docs/admin-api.md' : `\`${at}\` is not as it must be` }
  }
  const { reason: why, ...said } = parsed.data
  if ('issuer' in said && kindOf(said.issuer) === undefined) return { problem: 'there is no issuer of that name' }
  if ('subject' in said && said.subject !== undefined && kindOf(said.issuer) === 'entra' && !ENTRA_SUBJECT.test(said.subject))
    return { problem: '`subject` of an Entra issuer is `tenant id/object id`, as the record shows it' }
  switch (said.kind) {
    case 'session':
    case 'token':
      return { request: { target: said, reason: why } }
    case 'subject':
    case 'client': {
      const { for: lasting, ...target } = said
      return { request: { target, reason: why, ...(lasting === undefined ? {} : { until: now + lasting }) } }
    }
    case 'issued-before': {
      const before = said.before === 'now' ? now : timeFrom(said.before, now)
      if (before === undefined)
        return { problem: '`before` is `now`, a time such as 2026-01-31T12:00:00Z, or an age such as 15m, 24h or 30d' }
      if (before > now + CLOCK_SKEW_MS) return { problem: '`before` is in the future; to keep somebody out, revoke the subject' }
      return { request: { target: { ...said, before }, reason: why } }
    }
  }
}

/** A revocation's target as it is answered. */
export function shownTarget(target: RevocationTarget): RevocationAnswer['target'] {
  if (target.kind !== 'issued-before') return target
  const { subject, before, ...rest } = target
  return { ...rest, ...(subject === undefined ? {} : { subject }), before: new Date(before).toISOString() }
}
