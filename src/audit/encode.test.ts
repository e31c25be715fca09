import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { Claims, Identity } from '../core/principal.ts'
import type { DecisionEvent } from '../core/record.ts'
import { character } from '../testing/text.ts'
import { decisionText, eventText, FIELD_LIMIT, outcomeText, principalTexts, quote, RECORD_LIMIT, room } from './encode.ts'
import { decisionInputs } from './inputs.ts'
import { parseRecord, recordJsonSchema, type DecisionRecord, type PrincipalRecord } from './schema.ts'
import { decisionOf, done, identityOf, principalOf } from './testdata/record.ts'

const hash = '0'.repeat(64)

/** The record as a reader gets it. */
function read(text: string, seq = 2) {
  const line = Buffer.from(`{"seq":${seq},${text},"hash":"${hash}"}`)
  assert.ok(!line.includes(10), 'one line')
  return parseRecord(line)
}

function readDecision(event: DecisionEvent): { decision: DecisionRecord; principal: PrincipalRecord } {
  const texts = principalTexts()(event.principal)
  const decision = read(`${decisionText(event, 'spool', texts)},"principalRecord":1`)
  const principal = read(`"time":"2026-01-01T00:00:00.000Z"${texts.full.toString()}`, 1)
  assert.ok(decision?.kind === 'decision' && principal?.kind === 'principal')
  return { decision, principal }
}

/** Any text at all: quotes, newlines, lone surrogates, terminal escapes, direction marks. */
const text = fc.oneof(
  fc.string({ unit: character, maxLength: 40 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 }).map((units) => String.fromCharCode(...units)),
  fc.constantFrom('"', '\\', '\n', '\u0000', '\u001b[2J', '\u202e', '\ud800', '\udc00\ud800', '","hash":"', '__proto__', 'constructor', ''),
)

test('any text is one line of JSON that reads as the same text and prints nothing that acts', () =>
  fc.assert(
    fc.property(text, (value) => {
      const quoted = quote(value, room())
      assert.equal(JSON.parse(quoted), value)
      assert.doesNotMatch(quoted, /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ud800-\udbff](?![\udc00-\udfff])/)
    }),
    { numRuns: 500 },
  ))

test('any decision is read as it was made, and can be made again from what was recorded', () =>
  fc.assert(
    fc.property(
      text,
      text,
      text,
      // Names come from configuration. None ends in a backslash: after one, the JSON.parse of V8 in Node 24 takes other
      // names for it (`JSON.parse('{"a":1,"\\\\":2}'); JSON.parse('{"a":1,"\\n":2}')`).
      fc.dictionary(
        fc.string({ unit: 'grapheme', maxLength: 20 }).map((name) => name.replaceAll(/["\\]/g, '')),
        fc.oneof(text, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.array(text, { maxLength: 4 })),
        { maxKeys: 5, noNullPrototype: false },
      ),
      fc.option(fc.array(text, { maxLength: 3 }), { nil: undefined }),
      fc.boolean(),
      (subject, path, display, given, scopes, withActor) => {
        // A claim of this name can't be declared, and no JSON reader agrees with another about it.
        const claims: Claims = Object.fromEntries(
          Object.entries(given)
            .filter(([name]) => name !== '__proto__')
            .map(([name, value]) => [name, Object.is(value, -0) ? 0 : value]),
        )
        const identity: Identity = identityOf({
          subject,
          display,
          claims,
          scopes,
          unknownClaims: new Set([subject]),
          unknownBecause: { groups: subject },
          ...(display === '' ? {} : { valueNames: new Map([['Orders.Read', display]]) }),
          actor: withActor ? identityOf({ kind: 'agent', subject: path }) : undefined,
          evidence: {
            ...identityOf().evidence,
            sessionId: display,
            ...(withActor ? { confirmation: { method: 'dpop', thumbprint: path } } : {}),
          },
        })
        const active = withActor ? [{ issuer: identity.issuer, subject, role: display, from: 5, until: 7 }] : []
        const event = decisionOf('id', {
          principal: { ...principalOf(identity), ...(withActor ? { activated: active } : {}) },
          action: { protocol: 'http', method: display, path },
          ip: subject,
          trace: path,
        })
        const { decision, principal } = readDecision(event)
        assert.deepEqual(decision.action, event.action)
        assert.equal(decision.principal.subject, subject)
        assert.equal(decision.principal.actor?.subject, withActor ? path : undefined)
        const inputs = decisionInputs(decision, principal)
        assert.ok(inputs.exact)
        assert.deepEqual(
          { ...inputs.identity, claims: { ...inputs.identity!.claims } },
          { ...identity, claims, actor: inputs.identity!.actor },
        )
        assert.equal(inputs.identity!.actor?.subject, withActor ? path : undefined)
        assert.deepEqual(inputs.context, { time: event.time, ip: subject, grants: active })
        assert.equal(inputs.policyVersion, 'sha256:1')
      },
    ),
    { numRuns: 300 },
  ))

test('what is too long is cut with a marker, never dropped, and the record says so', () => {
  const long = 'x'.repeat(1_000_000)
  const claims: Claims = { a: long, groups: Array.from({ length: 5000 }, (_, i) => `group-${i}`), small: 'kept' }
  const event = decisionOf(long, {
    principal: principalOf(identityOf({ claims })),
    action: { protocol: 'http', method: 'GET', path: `/${long}` },
    ip: long,
    verdict: { kind: 'rejected', reason: 'claim', claim: long },
  })
  const { decision, principal } = readDecision(event)
  assert.equal(decision.truncated, true)
  assert.equal(principal.truncated, true)
  assert.equal(decision.action.path, `/${'x'.repeat(FIELD_LIMIT - 1)}…[${1_000_001 - FIELD_LIMIT} more]`)
  assert.ok(decision.ip.endsWith(`…[${1_000_000 - FIELD_LIMIT} more]`))
  assert.equal(principal.principal.claims['small'], 'kept')
  assert.equal((principal.principal.claims['groups'] as string[]).length, 1024)
  assert.equal(decisionInputs(decision, principal).exact, false)
  assert.ok(decisionText(event, 'spool', principalTexts()(event.principal)).length < 40_000)
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`claim${i}`, 'y'.repeat(4000)]))
  const full = principalTexts()(principalOf(identityOf({ claims: many }))).full
  assert.ok(full.length > RECORD_LIMIT / 2 && full.length < RECORD_LIMIT + 10_000)
})

test('a chain longer than any policy allows ends, marked', () => {
  let identity = identityOf()
  for (let i = 0; i < 30; i++) identity = identityOf({ actor: identity })
  const { decision } = readDecision(decisionOf('id', { principal: principalOf(identity) }))
  assert.equal(decision.truncated, true)
})

test('every verdict is read as it was given', () => {
  const verdicts: DecisionEvent['verdict'][] = [
    decisionOf('').verdict,
    {
      kind: 'denied',
      decision: {
        effect: 'deny',
        rule: undefined,
        rules: [],
        reasons: [{ code: 'role-not-held', id: 'r', role: 'publisher' }],
        obligations: [],
        policyVersion: 'v',
      },
    },
    {
      kind: 'unauthenticated',
      reason: 'no-credential',
      decision: { effect: 'deny', rule: undefined, rules: [], reasons: [{ code: 'no-rule' }], obligations: [], policyVersion: 'v' },
    },
    { kind: 'rejected', reason: 'expired' },
    { kind: 'unavailable', cause: 'keys' },
  ]
  for (const verdict of verdicts) {
    const { decision } = readDecision(decisionOf('id', { verdict, principal: principalOf() }))
    assert.equal(decision.verdict, verdict.kind)
    if (verdict.kind === 'denied') assert.deepEqual(decision.reasons, [{ code: 'role-not-held', id: 'r', role: 'publisher' }])
    if (verdict.kind === 'rejected') assert.equal(decision.reason, 'expired')
    if (verdict.kind === 'unavailable') assert.equal(decision.cause, 'keys')
  }
})

test('outcomes and events are read as they were', () => {
  const outcome = read(outcomeText('id', 0, { ...done, duration: 1.23456 }))
  assert.ok(outcome?.kind === 'outcome')
  assert.deepEqual([outcome.id, outcome.status, outcome.duration, outcome.time], ['id', 200, 1.235, '1970-01-01T00:00:00.000Z'])
  const event = read(
    eventText({ kind: 'sign-in', time: Number.NaN, details: { list: ['a', '"'], n: Number.POSITIVE_INFINITY, ok: true } }, undefined),
  )
  assert.ok(event?.kind === 'event')
  assert.deepEqual({ ...event.details }, { list: ['a', '"'], n: null, ok: true })
})

test('reading hostile lines never throws and takes in nothing that is no record', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        fc.json().map((json) => Buffer.from(json)),
      ),
      (bytes) => {
        assert.equal(parseRecord(bytes), undefined)
      },
    ),
    { numRuns: 300 },
  )
  assert.equal(parseRecord(Buffer.from('['.repeat(100_000))), undefined)
  assert.equal(
    parseRecord(
      Buffer.from(
        `{"seq":1,"time":"2026-01-01T00:00:00.000Z","kind":"outcome","id":${'{"a":'.repeat(5000)}1${'}'.repeat(5000)},"hash":"${hash}"}`,
      ),
    ),
    undefined,
  )
})

test('the schema is one that others can use', () => {
  const schema = JSON.stringify(recordJsonSchema())
  for (const kind of ['segment', 'principal', 'decision', 'outcome', 'event', 'gap', 'checkpoint'])
    assert.ok(schema.includes(`"const":"${kind}"`), kind)
})
