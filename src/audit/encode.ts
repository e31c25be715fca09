/**
 * Records as JSON text, by hand: a record is written for every request, and this costs half of what `JSON.stringify`
 * does. Texts start at `"time"`; the journal puts seq in front and the hash behind.
 */
import type { Action } from '../core/action.ts'
import type { Decision, Reason } from '../core/decision.ts'
import type { Claims, ClaimValue, Principal } from '../core/principal.ts'
import type { DecisionEvent, GatewayEvent, Outcome, RecordMode } from '../core/record.ts'

/** Longer texts are cut, with a marker, in UTF-16 code units. */
export const FIELD_LIMIT = 4096
/** Items of a list beyond this are left out. */
export const LIST_LIMIT = 1024
/** Claims of one party beyond this many characters are left out. */
export const CLAIMS_LIMIT = 64 * 1024
/** Parties of a chain beyond this are left out; the policy refuses longer chains anyway. */
export const PARTY_LIMIT = 8

/** Beyond what JSON escapes: what changes the look of a terminal or of a page, so that a record is safe to print. */
const UNSAFE = /[\u0000-\u001f"\\\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]/
const PRINTED = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

/** Notes whether anything had to be cut while one record was written. */
export interface Cuts {
  cut: boolean
}

/** A JSON string. Never fails: lone surrogates are escaped, what is too long is cut with a marker. */
export function quote(text: string, cuts: Cuts): string {
  let rest = text
  if (text.length > FIELD_LIMIT) {
    cuts.cut = true
    rest = `${text.slice(0, FIELD_LIMIT)}…[${text.length - FIELD_LIMIT} more]`
  }
  return UNSAFE.test(rest) ? escape(rest) : `"${rest}"`
}

function escape(text: string): string {
  return JSON.stringify(text).replaceAll(PRINTED, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

function list(items: Iterable<string>, cuts: Cuts): string {
  let text = ''
  let count = 0
  for (const item of items) {
    if (count++ >= LIST_LIMIT) {
      cuts.cut = true
      break
    }
    text += (text === '' ? '' : ',') + quote(item, cuts)
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

function claimValue(value: ClaimValue, cuts: Cuts): string {
  switch (typeof value) {
    case 'string':
      return quote(value, cuts)
    case 'number':
      return number(value)
    case 'boolean':
      return String(value)
    default:
      return list(value, cuts)
  }
}

function claimsText(claims: Claims, cuts: Cuts): string {
  let text = ''
  for (const [name, value] of Object.entries(claims)) {
    const one = `${quote(name, cuts)}:${claimValue(value, cuts)}`
    if (text.length + one.length > CLAIMS_LIMIT) {
      cuts.cut = true
      continue
    }
    text += (text === '' ? '' : ',') + one
  }
  return `{${text}}`
}

function optional(name: string, value: string | undefined, cuts: Cuts): string {
  return value === undefined ? '' : `,"${name}":${quote(value, cuts)}`
}

function optionalNumber(name: string, value: number | undefined): string {
  return value === undefined ? '' : `,"${name}":${number(value)}`
}

/** Who, in short, with the chain of those who act: in every record. */
function who(principal: Principal, cuts: Cuts, party = 1): string {
  const { identity } = principal
  let text = `{"issuer":${quote(principal.issuer, cuts)},"subject":${quote(principal.subject, cuts)},"kind":"${principal.kind}"`
  text += optional('display', identity?.display, cuts) + optional('client', identity?.evidence.client, cuts)
  text += `,"roles":${list(principal.roles, cuts)}`
  if (principal.unknownRoles.length > 0) text += `,"unknownRoles":${list(principal.unknownRoles, cuts)}`
  if (principal.actor !== undefined) {
    if (party < PARTY_LIMIT) text += `,"actor":${who(principal.actor, cuts, party + 1)}`
    else cuts.cut = true
  }
  return `${text}}`
}

/** Who, in full: proof, claims, and where each role comes from. */
function whoInFull(principal: Principal, cuts: Cuts, party = 1): string {
  const { identity } = principal
  let text = `{"issuer":${quote(principal.issuer, cuts)},"subject":${quote(principal.subject, cuts)},"kind":"${principal.kind}"`
  text += optional('display', identity?.display, cuts)
  text += `,"roles":${list(principal.roles, cuts)},"unknownRoles":${list(principal.unknownRoles, cuts)}`
  const provenance = principal.provenance.slice(0, LIST_LIMIT)
  if (provenance.length < principal.provenance.length) cuts.cut = true
  text += `,"provenance":[${provenance
    .map(
      ({ role, state, claim, value }) =>
        `{"role":${quote(role, cuts)},"state":"${state}"${optional('claim', claim, cuts)}${optional('value', value, cuts)}}`,
    )
    .join(',')}]`
  text += `,"claims":${claimsText(identity?.claims ?? principal.claims, cuts)}`
  if (identity !== undefined) {
    const { evidence } = identity
    text += `,"unknownClaims":${list(identity.unknownClaims, cuts)}`
    if (identity.scopes !== undefined) text += `,"scopes":${list(identity.scopes, cuts)}`
    text += `,"appOnly":${identity.appOnly},"listedClient":${identity.listedClient}`
    text += `,"evidence":{"credential":${quote(evidence.credential, cuts)},"issuerUrl":${quote(evidence.issuerUrl, cuts)}`
    text += `,"audience":${quote(evidence.audience, cuts)}${optional('client', evidence.client, cuts)}${optional('tokenId', evidence.tokenId, cuts)}`
    text += optional('keyId', evidence.keyId, cuts) + optional('algorithm', evidence.algorithm, cuts)
    text += `${optionalNumber('issuedAt', evidence.issuedAt)}${optionalNumber('expiresAt', evidence.expiresAt)}${optional('sessionId', evidence.sessionId, cuts)}}`
  }
  if (principal.actor !== undefined) {
    if (party < PARTY_LIMIT) text += `,"actor":${whoInFull(principal.actor, cuts, party + 1)}`
    else cuts.cut = true
  }
  return `${text}}`
}

/** What is written about one principal: in short into each of its records, in full once per segment. */
export interface PrincipalText {
  readonly short: string
  /** Without time and kind. */
  readonly full: string
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
      const shortCuts: Cuts = { cut: false }
      const cuts: Cuts = { cut: false }
      const short = flat(`"principal":${who(principal, shortCuts)}`)
      const full = flat(`"principal":${whoInFull(principal, cuts)}${cuts.cut ? ',"truncated":true' : ''}`)
      texts = { short, full, truncated: shortCuts.cut, epoch: -1, seq: 0 }
      known.set(principal, texts)
    }
    return texts
  }
}

/** A concatenation is a tree until it is read; what is reused should be one string. */
function flat(text: string): string {
  return [text].join('')
}

function actionText(action: Action, cuts: Cuts): string {
  return `{"protocol":"${action.protocol}","method":${quote(action.method, cuts)},"path":${quote(action.path, cuts)}}`
}

function reasonsText(reasons: readonly Reason[], cuts: Cuts): string {
  let text = ''
  let count = 0
  for (const { code, id, role } of reasons) {
    if (count++ >= LIST_LIMIT) {
      cuts.cut = true
      break
    }
    text += `${text === '' ? '' : ','}{"code":"${code}"${optional('id', id, cuts)}${optional('role', role, cuts)}}`
  }
  return `[${text}]`
}

function decisionFields({ effect, rule, rules, reasons, obligations }: Decision, cuts: Cuts): string {
  let text = `,"effect":"${effect}"${optional('rule', rule, cuts)}`
  if (rules.length > 1) text += `,"rules":${list(rules, cuts)}`
  if (reasons.length > 0) text += `,"reasons":${reasonsText(reasons, cuts)}`
  if (obligations.length > 0) text += `,"obligations":${JSON.stringify(obligations)}`
  return text
}

function verdictFields(event: DecisionEvent, cuts: Cuts): string {
  const { verdict } = event
  switch (verdict.kind) {
    case 'allowed':
    case 'denied':
    case 'unauthenticated':
      return decisionFields(verdict.decision, cuts)
    case 'rejected':
      return `,"reason":"${verdict.reason}"${optional('claim', verdict.claim, cuts)}`
    case 'unavailable':
      return `,"cause":"${verdict.cause}"`
  }
}

/** The decision record of an exchange. */
export function decisionText(event: DecisionEvent, mode: RecordMode, principal: PrincipalText): string {
  const cuts: Cuts = { cut: principal.truncated }
  let text = `"time":"${iso(event.time)}","kind":"decision","id":${quote(event.id, cuts)},"mode":"${mode}","door":${quote(event.door, cuts)}`
  text += `,"resource":${quote(event.resource, cuts)},"action":${actionText(event.action, cuts)},"verdict":"${event.verdict.kind}"`
  text += `${verdictFields(event, cuts)},"policy":${quote(event.policyVersion, cuts)},"ip":${quote(event.ip, cuts)}${optional('trace', event.trace, cuts)}`
  return `${text},${principal.short}${cuts.cut ? ',"truncated":true' : ''}`
}

/** The record of what came of an exchange. */
export function outcomeText(id: string, time: number, outcome: Outcome): string {
  const { result, status, bytesIn, bytesOut, duration } = outcome
  const cuts: Cuts = { cut: false }
  return `"time":"${iso(time)}","kind":"outcome","id":${quote(id, cuts)},"result":"${result}","status":${number(status)},"bytesIn":${number(bytesIn)},"bytesOut":${number(bytesOut)},"duration":${number(Math.round(duration * 1000) / 1000)}`
}

/** The record of something that happened to the gateway itself. */
export function eventText({ kind, time, details }: GatewayEvent, principal: PrincipalText | undefined): string {
  const cuts: Cuts = { cut: principal?.truncated === true }
  let text = ''
  for (const [name, value] of Object.entries(details)) {
    const one = `${quote(name, cuts)}:${claimValue(value, cuts)}`
    if (text.length + one.length > CLAIMS_LIMIT) cuts.cut = true
    else text += (text === '' ? '' : ',') + one
  }
  const head = `"time":"${iso(time)}","kind":"event","event":${quote(kind, cuts)},"details":{${text}}`
  return `${head}${principal === undefined ? '' : `,${principal.short}`}${cuts.cut ? ',"truncated":true' : ''}`
}
