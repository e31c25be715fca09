/**
 * Records as JSON text, by hand: a record is written for every request, and this costs half of what `JSON.stringify`
 * does. Texts start at `"time"`; the journal puts seq in front and the hash behind.
 */
import type { Action } from '../core/action.ts'
import type { Decision, Grant, Obligation, Reason } from '../core/decision.ts'
import type { ClaimValue, Identity, Principal } from '../core/principal.ts'
import type { DecisionEvent, GatewayEvent, Outcome, RecordMode } from '../core/record.ts'

/** Longer texts are cut, with a marker, in UTF-16 code units. */
export const FIELD_LIMIT = 4096
/** Items of a list beyond this are left out. */
export const LIST_LIMIT = 1024
/** Text of all fields of a record beyond this many characters is cut, or left out where it is one item of several. */
export const RECORD_LIMIT = 256 * 1024
/** Parties of a chain beyond this are left out; the policy refuses longer chains anyway. */
export const PARTY_LIMIT = 8

/** Beyond what JSON escapes: what changes the look of a terminal or of a page, so that a record is safe to print. */
const UNSAFE = /[\u0000-\u001f"\\\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]/
const PRINTED = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

/** Room for the texts of one record, and whether anything had to be cut for want of it. */
export interface Room {
  left: number
  cut: boolean
}

export function room(): Room {
  return { left: RECORD_LIMIT, cut: false }
}

/** A JSON string. Never fails: lone surrogates are escaped, what is too long is cut with a marker. */
export function quote(text: string, space: Room): string {
  const fits = space.left < FIELD_LIMIT ? Math.max(0, space.left) : FIELD_LIMIT
  space.left -= text.length < fits ? text.length : fits
  if (text.length > fits) {
    space.cut = true
    const cut = `${text.slice(0, fits)}…[${text.length - fits} more]`
    return UNSAFE.test(cut) ? escape(cut) : `"${cut}"`
  }
  return UNSAFE.test(text) ? escape(text) : `"${text}"`
}

function escape(text: string): string {
  return JSON.stringify(text).replaceAll(PRINTED, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function list(items: Iterable<string>, space: Room): string {
  let text = ''
  let count = 0
  for (const item of items) {
    if (count++ >= LIST_LIMIT || space.left <= 0) {
      space.cut = true
      break
    }
    text += (text === '' ? '' : ',') + quote(item, space)
  }
  return `[${text}]`
}

let isoAt = Number.NaN
let isoText = ''

/** RFC 3339 in UTC with milliseconds. Times that no calendar holds become the epoch. */
export function iso(time: number): string {
  if (time !== isoAt) {
    isoText = new Date(Math.abs(time) <= 253_402_300_799_999 && time >= 0 ? time : 0).toISOString()
    isoAt = time
  }
  return isoText
}

function number(value: number): string {
  return Number.isFinite(value) ? String(value) : 'null'
}

function claimValue(value: ClaimValue, space: Room): string {
  switch (typeof value) {
    case 'string':
      return quote(value, space)
    case 'number':
      return number(value)
    case 'boolean':
      return String(value)
    default:
      return list(value, space)
  }
}

function claimsText(claims: Readonly<Record<string, ClaimValue>>, space: Room): string {
  let text = ''
  let count = 0
  for (const [name, value] of Object.entries(claims)) {
    if (count++ >= LIST_LIMIT || space.left <= 0) {
      space.cut = true
      break
    }
    text += `${text === '' ? '' : ','}${quote(name, space)}:${claimValue(value, space)}`
  }
  return `{${text}}`
}

function optional(name: string, value: string | undefined, space: Room): string {
  return value === undefined ? '' : `,"${name}":${quote(value, space)}`
}

function optionalNumber(name: string, value: number | undefined): string {
  return value === undefined ? '' : `,"${name}":${number(value)}`
}

/** Who, in short, with the chain of those who act: in every record. */
function who(principal: Principal, space: Room, party = 1): string {
  const { identity } = principal
  let text = `{"issuer":${quote(principal.issuer, space)},"subject":${quote(principal.subject, space)},"kind":"${principal.kind}"`
  text += optional('display', identity?.display, space) + optional('client', identity?.evidence.client, space)
  text += `,"roles":${list(principal.roles, space)}`
  if (principal.unknownRoles.length > 0) text += `,"unknownRoles":${list(principal.unknownRoles, space)}`
  if (principal.actor !== undefined) {
    if (party < PARTY_LIMIT) text += `,"actor":${who(principal.actor, space, party + 1)}`
    else space.cut = true
  }
  return `${text}}`
}

/** Who, in full: proof, claims, and where each role comes from. */
function whoInFull(principal: Principal, space: Room, party = 1): string {
  const { identity } = principal
  let text = `{"issuer":${quote(principal.issuer, space)},"subject":${quote(principal.subject, space)},"kind":"${principal.kind}"`
  text += optional('display', identity?.display, space)
  text += `,"roles":${list(principal.roles, space)},"unknownRoles":${list(principal.unknownRoles, space)}`
  const provenance = principal.provenance.slice(0, LIST_LIMIT)
  if (provenance.length < principal.provenance.length) space.cut = true
  text += `,"provenance":[${provenance
    .map(
      ({ role, state, claim, value, until }) =>
        `{"role":${quote(role, space)},"state":"${state}"${optional('claim', claim, space)}${optional('value', value, space)}${optional('name', nameOf(identity, value), space)}${optionalNumber('until', until)}}`,
    )
    .join(',')}]`
  if (principal.activated !== undefined) text += `,"activated":[${principal.activated.map((one) => activation(one, space)).join(',')}]`
  text += `,"claims":${claimsText(identity?.claims ?? principal.claims, space)}`
  if (identity !== undefined) {
    const { evidence } = identity
    text += `,"unknownClaims":${list(identity.unknownClaims, space)}`
    if (identity.unknownBecause !== undefined) text += `,"unknownBecause":${claimsText(identity.unknownBecause, space)}`
    if (identity.scopes !== undefined) text += `,"scopes":${list(identity.scopes, space)}`
    text += `,"appOnly":${identity.appOnly},"listedClient":${identity.listedClient}`
    text += `,"evidence":{"credential":${quote(evidence.credential, space)},"issuerUrl":${quote(evidence.issuerUrl, space)}`
    text += `,"audience":${quote(evidence.audience, space)}${optional('client', evidence.client, space)}${optional('tokenId', evidence.tokenId, space)}`
    text += optional('keyId', evidence.keyId, space) + optional('algorithm', evidence.algorithm, space)
    text += `${optionalNumber('issuedAt', evidence.issuedAt)}${optionalNumber('expiresAt', evidence.expiresAt)}${optional('sessionId', evidence.sessionId, space)}`
    const { confirmation } = evidence
    if (confirmation !== undefined)
      text += `,"confirmation":{"method":"${confirmation.method}","thumbprint":${quote(confirmation.thumbprint, space)}}`
    text += '}'
  }
  if (principal.actor !== undefined) {
    if (party < PARTY_LIMIT) text += `,"actor":${whoInFull(principal.actor, space, party + 1)}`
    else space.cut = true
  }
  return `${text}}`
}

function activation({ role, from, until }: Grant, space: Room): string {
  return `{"role":${quote(role, space)},"from":${number(from)},"until":${number(until)}}`
}

function nameOf(identity: Identity | undefined, value: string | undefined): string | undefined {
  const name = value === undefined ? undefined : identity?.valueNames?.get(value)
  return name === '' ? undefined : name
}

/** What is written about one principal: in short into each of its records, in full once per segment. */
export interface PrincipalText {
  readonly short: string
  /** A record of its own, from behind its time on. */
  readonly full: Buffer
  readonly truncated: boolean
  /** Where the full text stands: the journal's epoch, and the seq within it. */
  epoch: number
  seq: number
}

/** Makes the texts of principals, each once: one principal serves many requests. */
export function principalTexts(): (principal: Principal) => PrincipalText {
  const known = new WeakMap<Principal, PrincipalText>()
  return (principal) => {
    let texts = known.get(principal)
    if (texts === undefined) {
      const shortRoom = room()
      const space = room()
      const short = flat(`"principal":${who(principal, shortRoom)}`)
      const inFull = whoInFull(principal, space)
      const full = Buffer.from(`,"kind":"principal","principal":${inFull}${space.cut ? ',"truncated":true' : ''}`)
      texts = { short, full, truncated: shortRoom.cut, epoch: -1, seq: 0 }
      known.set(principal, texts)
    }
    return texts
  }
}

/** A concatenation is a tree until it is read; what is reused should be one string. */
function flat(text: string): string {
  return [text].join('')
}

function actionText(action: Action, space: Room): string {
  if (action.protocol === 'http') return `{"protocol":"http","method":${quote(action.method, space)},"path":${quote(action.path, space)}}`
  let text = `{"protocol":"${action.protocol}"`
  for (const [name, value] of Object.entries(action)) {
    if (name === 'protocol' || value === undefined || (typeof value === 'number' && !Number.isFinite(value))) continue
    if (name === 'arguments') text += `,"argumentsJson":${quote(jsonText(value), space)}`
    else if (Array.isArray(value)) text += `,"${name}":${list(value.map(String), space)}`
    else text += `,"${name}":${typeof value === 'number' ? number(value) : quote(String(value), space)}`
  }
  return `${text}}`
}

/** Never fails: what has no JSON was not parsed from any. */
function jsonText(value: unknown): string {
  try {
    return JSON.stringify(value) ?? 'null'
  } catch {
    return 'null'
  }
}

function reasonsText(reasons: readonly Reason[], space: Room): string {
  let text = ''
  let count = 0
  for (const { code, id, role } of reasons) {
    if (count++ >= LIST_LIMIT) {
      space.cut = true
      break
    }
    text += `${text === '' ? '' : ','}{"code":"${code}"${optional('id', id, space)}${optional('role', role, space)}}`
  }
  return `[${text}]`
}

function obligationsText(obligations: readonly Obligation[], space: Room): string {
  return `[${obligations
    .slice(0, LIST_LIMIT)
    .map((one) => {
      if (one.kind === 'limit') return `{"kind":"limit","id":${quote(one.id, space)}${one.observed === true ? ',"observed":true' : ''}}`
      const fields =
        one.kind === 'mask'
          ? `,"fields":${list(
              one.fields.map(({ path, mask }) => `${mask.as} ${path}`),
              space,
            )}`
          : ''
      return `{"kind":"${one.kind}","ids":${list(one.ids, space)}${fields}}`
    })
    .join(',')}]`
}

function decisionFields({ effect, rule, rules, reasons, obligations, observed }: Decision, space: Room): string {
  let text = `,"effect":"${effect}"${optional('rule', rule, space)}`
  if (rules.length > 1) text += `,"rules":${list(rules, space)}`
  if (reasons.length > 0) text += `,"reasons":${reasonsText(reasons, space)}`
  if (obligations.length > 0) text += `,"obligations":${obligationsText(obligations, space)}`
  if (observed !== undefined) text += `,"observed":{"effect":"${observed.effect}","reasons":${reasonsText(observed.reasons, space)}}`
  return text
}

function verdictFields(event: DecisionEvent, space: Room): string {
  const { verdict } = event
  switch (verdict.kind) {
    case 'allowed':
    case 'denied':
    case 'unauthenticated':
      return decisionFields(verdict.decision, space)
    case 'limited':
      return `${decisionFields(verdict.decision, space)},"limit":${quote(verdict.limit, space)}`
    case 'rejected':
      return `,"reason":"${verdict.reason}"${optional('claim', verdict.claim, space)}`
    case 'unavailable':
      return `,"cause":"${verdict.cause}"`
    case 'malformed':
      return `,"reason":"${verdict.code}"`
  }
}

/** The decision record of an exchange. */
export function decisionText(event: DecisionEvent, mode: RecordMode, principal: PrincipalText): string {
  const space: Room = { left: RECORD_LIMIT, cut: principal.truncated }
  let text = `"time":"${iso(event.time)}","kind":"decision","id":${quote(event.id, space)},"mode":"${mode}","door":${quote(event.door, space)}`
  text += `,"resource":${quote(event.resource, space)},"action":${actionText(event.action, space)},"verdict":"${event.verdict.kind}"`
  text += `${verdictFields(event, space)},"policy":${quote(event.policyVersion, space)},"ip":${quote(event.ip, space)}${optional('trace', event.trace, space)}`
  text += optional('justification', event.justification, space)
  if (event.peer !== undefined) text += `,"peer":${who(event.peer, space)}`
  return `${text},${principal.short}${space.cut ? ',"truncated":true' : ''}`
}

/** The record of what came of an exchange. */
export function outcomeText(id: string, time: number, outcome: Outcome): string {
  const { result, status, bytesIn, bytesOut, duration } = outcome
  const space = room()
  return `"time":"${iso(time)}","kind":"outcome","id":${quote(id, space)},"result":"${result}","status":${number(status)},"bytesIn":${number(bytesIn)},"bytesOut":${number(bytesOut)},"duration":${number(Math.round(duration * 1000) / 1000)}`
}

/** The record of something that happened to the gateway itself. */
export function eventText({ kind, time, details }: GatewayEvent, principal: PrincipalText | undefined): string {
  const space: Room = { left: RECORD_LIMIT, cut: principal?.truncated === true }
  const head = `"time":"${iso(time)}","kind":"event","event":${quote(kind, space)},"details":${claimsText(details, space)}`
  return `${head}${principal === undefined ? '' : `,${principal.short}`}${space.cut ? ',"truncated":true' : ''}`
}
