/**
 * The one path. Everything that enters any door takes these steps, in this order:
 *
 *     credential ──► principal ──► peer ──► decision ──► limits ──► record ──► enforcement (the door) ──► record completed
 *
 * A step answers at once where it can and with a promise where it must, so that a request whose token is known and
 * whose record may be queued passes without waiting for anything.
 */
import { CLOCK_SKEW_MS } from './clock.ts'
import type { Authenticator, UnavailableCause, Verified } from './credential.ts'
import type { Decision, Reason } from './decision.ts'
import type { Exceeded, Limit } from './limiter.ts'
import { OpenExchanges } from './open.ts'
import { bind, Passage, type Exchange, type PipelineParts } from './passage.ts'
import type { Verdict } from './record.ts'

type Step = (passage: Passage) => void | Promise<void>

/** A step that sets `verdict` ends the path towards the resource; the record is written all the same. */
const steps: readonly (readonly [name: string, step: Step])[] = [
  ['credential', credential],
  ['principal', principal],
  ['peer', peer],
  ['decision', decision],
  ['limits', limits],
  ['record', record],
]

function credential(passage: Passage): void | Promise<void> {
  const { exchange, parts } = passage
  if (exchange.malformed !== undefined) {
    passage.verdict = { kind: 'malformed', code: exchange.malformed }
    return
  }
  if (exchange.credential === undefined) return
  if (exchange.credential.kind === 'unusable') {
    passage.verdict = { kind: 'rejected', reason: exchange.credential.reason }
    return
  }
  const answer = parts.authenticator.authenticate(exchange.credential, {
    source: exchange.ip,
    time: passage.time,
    resource: exchange.resource,
    certificate: exchange.certificate,
  })
  return answer instanceof Promise ? answer.then((result) => take(passage, result)) : take(passage, answer)
}

function take(passage: Passage, result: Awaited<ReturnType<Authenticator['authenticate']>>): void {
  switch (result.outcome) {
    case 'verified': {
      const { verified } = result
      if (verified.revoked) passage.verdict = { kind: 'rejected', reason: 'revoked' }
      else if (verified.expiresAt <= passage.time) passage.verdict = { kind: 'rejected', reason: 'expired' }
      else if (livesTooLong(passage, verified)) passage.verdict = { kind: 'rejected', reason: 'lifetime' }
      else passage.verified = verified
      return
    }
    case 'absent':
      // Something was presented and nobody is responsible for it: that is a bad credential, not a missing one.
      passage.verdict = { kind: 'rejected', reason: 'issuer' }
      return
    case 'rejected':
      passage.verdict = {
        kind: 'rejected',
        reason: result.reason,
        claim: result.claim,
        ...(result.nonce === undefined ? {} : { nonce: result.nonce }),
      }
      return
    case 'unavailable':
      passage.verdict = { kind: 'unavailable', cause: result.cause }
      return
  }
}

/** A token that lives longer than the resource accepts. One that doesn't say when it was issued is counted from now. */
function livesTooLong({ exchange, time }: Passage, { identity: { evidence } }: Verified): boolean {
  const { maxTokenLifetime } = exchange
  if (maxTokenLifetime === undefined || evidence.credential === 'session' || evidence.credential === 'certificate') return false
  // A token's end has the skew in it.
  return evidence.expiresAt - CLOCK_SKEW_MS - (evidence.issuedAt ?? time) > maxTokenLifetime
}

function principal(passage: Passage): void {
  // The credential may have taken a while to verify: decide by the policy that is in force now.
  passage.policy = passage.parts.policies.current
  passage.principal = passage.principalBy(passage.policy, passage.time)
}

/** Whose connection it is that the caller's credential came on. Where that can't be proven, there is no peer. */
function peer(passage: Passage): void | Promise<void> {
  const { exchange, parts } = passage
  if (passage.verdict !== undefined || exchange.peer === undefined || exchange.peer.kind === 'unusable') return
  const answer = parts.authenticator.authenticate(exchange.peer, {
    source: exchange.ip,
    time: passage.time,
    resource: exchange.resource,
    certificate: exchange.certificate,
  })
  const known = (result: Awaited<typeof answer>): void => {
    if (result.outcome === 'verified' && !result.verified.revoked && result.verified.expiresAt > passage.time)
      passage.peer = result.verified
  }
  return answer instanceof Promise ? answer.then(known) : known(answer)
}

function decision(passage: Passage): void {
  const { exchange, policy, principal: who } = passage
  if (passage.verdict !== undefined) return
  const whole = policy.decide(who, exchange.action, exchange.resource, passage.context(policy, passage.time))
  const decided = exchange.inPart === true ? inPart(whole, passage) : whole
  passage.decision = decided
  if (decided.effect === 'allow') passage.verdict = { kind: 'allowed', decision: decided }
  else if (passage.verified === undefined) passage.verdict = { kind: 'unauthenticated', reason: 'no-credential', decision: decided }
  else passage.verdict = { kind: 'denied', decision: decided }
}

/** A list of which only some is allowed, where the door shows no more than that. What the whole would oblige to is looked at thing by thing. */
function inPart(whole: Decision, { exchange, policy, principal: who, verified }: Passage): Decision {
  if (whole.effect !== 'deny' || verified === undefined) return whole
  if (whole.reasons.some(({ code }) => NEVER_IN_PART.has(code))) return whole
  if (policy.mayInPart?.(who, exchange.action, exchange.resource) !== true) return whole
  return { ...whole, effect: 'allow', inPart: true, reasons: [{ code: 'in-part' }, ...whole.reasons] }
}

/** What stands against everything that the caller does there. */
const NEVER_IN_PART: ReadonlySet<Reason['code']> = new Set(['issuer', 'scope', 'party', 'unknown-resource'])

/** Charges what is allowed to the counters that the policy limits it by. No counter, no effect. */
function limits(passage: Passage): void | Promise<void> {
  const { verdict, parts } = passage
  if (verdict?.kind !== 'allowed' || verdict.decision.obligations.length === 0) return
  const { decision: decided } = verdict
  const charged = decided.obligations.filter((one) => one.kind === 'limit')
  if (charged.length === 0) return
  if (parts.limiter === undefined) throw new Error('nothing counts')
  const take = (exceeded: Exceeded | undefined): void => {
    if (exceeded === undefined) return
    const used = exceeded.limits.find(({ observed }) => observed !== true)
    if (used !== undefined) passage.verdict = { kind: 'limited', decision: decided, limit: used.id, retryAfter: exceeded.retryAfter }
    else passage.verdict = { kind: 'allowed', decision: withObserved(decided, exceeded.limits) }
  }
  const exceeded = parts.limiter.charge(charged, passage.time)
  return exceeded instanceof Promise ? exceeded.then(take) : take(exceeded)
}

/** The decision, with the limits that would have stopped it if they were enforced. */
function withObserved(decided: Decision, used: readonly Limit[]): Decision {
  const reasons = used.map(({ id }): Reason => ({ code: 'limit', id }))
  return { ...decided, observed: { effect: 'deny', reasons: [...(decided.observed?.reasons ?? []), ...reasons] } }
}

function record(passage: Passage): void | Promise<void> {
  const { exchange, parts, verdict } = passage
  if (verdict === undefined) return
  // What is obliged to a record of some of it is obliged to one of all.
  if (verdict.kind === 'allowed' && verdict.decision.inPart === true) passage.recordMode = 'strict'
  if (verdict.kind === 'allowed' && verdict.decision.obligations.some(({ kind }) => kind === 'record')) passage.recordMode = 'strict'
  const event = {
    id: passage.id,
    time: passage.time,
    door: exchange.door,
    resource: exchange.resource,
    action: exchange.action,
    principal: passage.principal,
    ip: exchange.ip,
    trace: exchange.trace,
    justification: exchange.justification,
    peer: passage.peer === undefined ? undefined : bind(passage.policy, passage.peer),
    policyVersion: passage.policy.version,
    verdict,
  }
  try {
    const waiting = parts.recorder.decided(event, passage.recordMode)
    if (waiting instanceof Promise) return waiting.catch(() => unrecorded(passage))
  } catch {
    unrecorded(passage)
  }
}

/** No record, no effect. A refusal stays the refusal that it was: it has no effect to withhold. */
function unrecorded(passage: Passage): void {
  if (passage.verdict?.kind === 'allowed') passage.verdict = { kind: 'unavailable', cause: 'record' }
}

/** A passage that has been through every step. */
export type Admitted = Passage & { readonly verdict: Verdict }

/** Takes exchanges down the path, and ends open ones whose ground has gone. */
export class Pipeline {
  readonly open: OpenExchanges
  readonly #parts: PipelineParts

  constructor(parts: PipelineParts) {
    this.#parts = parts
    this.open = new OpenExchanges(parts.clock, parts.policies)
  }

  /** Never rejects and never throws: a fault in a step is `unavailable`, which doors answer with 503. */
  admit(exchange: Exchange): Admitted | Promise<Admitted> {
    return this.#from(new Passage(exchange, this.#parts, (passage) => this.open.remove(passage)), 0)
  }

  #from(passage: Passage, start: number): Admitted | Promise<Admitted> {
    for (let i = start; i < steps.length; i++) {
      try {
        const waiting = steps[i]![1](passage)
        if (waiting instanceof Promise) {
          return waiting.then(
            () => this.#from(passage, i + 1),
            () => this.#from(fault(passage, 'provider'), i + 1),
          )
        }
      } catch {
        fault(passage, 'provider')
      }
    }
    if (passage.verdict === undefined) fault(passage, 'provider')
    if (passage.verdict?.kind === 'allowed') this.open.add(passage)
    return passage as Admitted
  }
}

function fault(passage: Passage, cause: UnavailableCause): Passage {
  passage.verdict = { kind: 'unavailable', cause }
  return passage
}
