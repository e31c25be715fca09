/**
 * The one path. Everything that enters any door takes these steps, in this order:
 *
 *     credential ──► principal ──► decision ──► record ──► enforcement (the door) ──► record completed
 *
 * A step answers at once where it can and with a promise where it must, so that a request whose token is known and
 * whose record may be queued passes without waiting for anything.
 */
import { CLOCK_SKEW_MS } from './clock.ts'
import type { Authenticator, UnavailableCause, Verified } from './credential.ts'
import { OpenExchanges } from './open.ts'
import { bind, Passage, type Exchange, type PipelineParts } from './passage.ts'
import type { Verdict } from './record.ts'

type Step = (passage: Passage) => void | Promise<void>

/** A step that sets `verdict` ends the path towards the resource; the record is written all the same. */
const steps: readonly (readonly [name: string, step: Step])[] = [
  ['credential', credential],
  ['principal', principal],
  ['decision', decision],
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
  passage.principal = passage.verified === undefined ? passage.policy.anonymous : bind(passage.policy, passage.verified)
}

function decision(passage: Passage): void {
  const { exchange, policy } = passage
  if (passage.verdict !== undefined) return
  const decided = policy.decide(passage.principal, exchange.action, exchange.resource, { time: passage.time, ip: exchange.ip })
  passage.decision = decided
  if (decided.effect === 'allow') passage.verdict = { kind: 'allowed', decision: decided }
  else if (passage.verified === undefined) passage.verdict = { kind: 'unauthenticated', reason: 'no-credential', decision: decided }
  else passage.verdict = { kind: 'denied', decision: decided }
}

function record(passage: Passage): void | Promise<void> {
  const { exchange, parts, verdict } = passage
  if (verdict === undefined) return
  const event = {
    id: passage.id,
    time: passage.time,
    door: exchange.door,
    resource: exchange.resource,
    action: exchange.action,
    principal: passage.principal,
    ip: exchange.ip,
    trace: exchange.trace,
    policyVersion: passage.policy.version,
    verdict,
  }
  try {
    const waiting = parts.recorder.decided(event, exchange.recordMode)
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
