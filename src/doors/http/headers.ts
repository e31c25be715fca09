import type { Admitted } from '../../core/pipeline.ts'
import type { Principal } from '../../core/principal.ts'
import { assertionFor, REFRESH_MS, type AssertionParts } from './assertion.ts'
import type { CanonicalRequest } from '../../http/canonical.ts'
import { corsFields } from './cors.ts'
import { setCookieName } from '../../http/cookies.ts'
import type { Fields } from '../../http/engine.ts'
import type { Caller } from '../../http/forwarded.ts'
import { isDroppedFromResponse } from '../../http/names.ts'
import type { ServedResource, Settings } from './resources.ts'
import type { Trace } from '../../http/trace.ts'

/**
 * Any text as a field value: visible ASCII and inner spaces stand for themselves, everything else and `%` is
 * percent-encoded UTF-8, so that `decodeURIComponent` gives the text back and no byte of it can end the line.
 */
export function encodeValue(text: string): string {
  return text.toWellFormed().replaceAll(/[^\x21-\x24\x26-\x7e]/gu, (character) => encodeURIComponent(character))
}

/** A list as JSON in ASCII: names are never joined with a character that a name could hold. */
export function encodeList(names: readonly string[]): string {
  return JSON.stringify(names).replaceAll(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

interface Block {
  readonly fields: Fields
  readonly kid: string
  readonly until: number
}

/** What was rendered for a principal, by resource. A principal is one object per credential and policy version. */
const rendered = new WeakMap<Principal, Map<string, Block>>()

const ANONYMOUS: Fields = ['Ostiary-Kind', 'anonymous']

/** The identity fields for the upstream. At once where the assertion is cached or its signer answers at once. */
export function identityFields(
  { principal, verified }: Admitted,
  request: CanonicalRequest,
  resource: ServedResource,
  settings: Settings,
  caller: Caller,
  parts: AssertionParts,
): Fields | Promise<Fields> {
  if (verified === undefined) return ANONYMOUS
  const { audience } = resource
  if (audience !== undefined && settings.bindAssertion) {
    const uri = `${caller.secure ? 'https' : 'http'}://${request.host}${request.path}`
    const bound = assertionFor(principal, audience, verified.expiresAt, { method: request.method, uri }, parts)
    return bound instanceof Promise ? bound.then((text) => block(principal, text)) : block(principal, bound)
  }
  const now = parts.clock.now()
  const key = `${resource.name} ${audience ?? ''}`
  const known = rendered.get(principal)?.get(key)
  if (known !== undefined && known.until > now && known.kid === parts.signer.kid) return known.fields
  const keep = (assertion: string | undefined): Fields => {
    const fields = block(principal, assertion)
    const byResource = rendered.get(principal) ?? new Map<string, Block>()
    byResource.set(key, {
      fields,
      kid: parts.signer.kid,
      until: Math.min(now + REFRESH_MS, principal.rolesUntil ?? Number.POSITIVE_INFINITY),
    })
    rendered.set(principal, byResource)
    return fields
  }
  if (audience === undefined) return keep(undefined)
  const fresh = assertionFor(principal, audience, verified.expiresAt, undefined, parts)
  return fresh instanceof Promise ? fresh.then(keep) : keep(fresh)
}

function block(principal: Principal, assertion: string | undefined): Fields {
  const fields = [
    'Ostiary-Subject',
    encodeValue(principal.subject),
    'Ostiary-Issuer',
    encodeValue(principal.issuer),
    'Ostiary-Kind',
    principal.kind,
    'Ostiary-Roles',
    encodeList(principal.roles),
  ]
  if (assertion !== undefined) fields.push('Ostiary-Assertion', assertion)
  return fields
}

/** The fields of the upstream request: the caller's end-to-end ones, then the gateway's own, which no caller can have sent. */
export function upstreamFields(
  request: CanonicalRequest,
  cookie: string | undefined,
  settings: Settings,
  identity: Fields,
  decision: string,
  caller: Caller,
  trace: Trace,
): string[] {
  const fields = [...request.fields]
  if (cookie !== undefined) fields.push('Cookie', cookie)
  if (settings.forwardAuthorization && request.authorization.length === 1) fields.push('Authorization', request.authorization[0]!)
  fields.push(...identity, 'Ostiary-Decision', decision)
  fields.push(
    'X-Forwarded-For',
    caller.forwardedFor,
    'X-Forwarded-Proto',
    caller.secure ? 'https' : 'http',
    'X-Forwarded-Host',
    request.host,
  )
  fields.push('traceparent', trace.traceparent)
  if (trace.tracestate !== undefined) fields.push('tracestate', trace.tracestate)
  fields.push('Via', '1.1 ostiary')
  return fields
}

/** The fields of a response to the caller: the upstream's end-to-end ones without those that are the gateway's to set. */
export function responseFields(
  fields: Fields,
  resource: ServedResource,
  request: CanonicalRequest,
  decision: string,
  ownsCookie: (name: string) => boolean,
  more: Fields,
): string[] {
  const listed = new Set<string>()
  for (let i = 0; i < fields.length; i += 2)
    if (fields[i]!.toLowerCase() === 'connection') for (const token of fields[i + 1]!.split(',')) listed.add(token.trim().toLowerCase())
  const { cors } = resource.config
  const kept: string[] = []
  for (let i = 0; i < fields.length; i += 2) {
    const lower = fields[i]!.toLowerCase()
    if (isDroppedFromResponse(lower) || (listed.has(lower) && lower !== 'content-length')) continue
    if (cors !== undefined && lower.startsWith('access-control-')) continue
    if (lower === 'set-cookie' && ownsCookie(setCookieName(fields[i + 1]!))) continue
    kept.push(fields[i]!, fields[i + 1]!)
  }
  if (cors !== undefined) kept.push(...corsFields(cors, request.read.origin))
  kept.push('Ostiary-Decision', decision, ...more)
  return kept
}
