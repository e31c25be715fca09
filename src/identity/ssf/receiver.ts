import { hash, timingSafeEqual } from 'node:crypto'
import type { RejectReason } from '../../core/credential.ts'
import { OstiaryError } from '../../core/errors.ts'
import { openSecret, type SecretSource } from '../../secrets/source.ts'
import type { RevocationTarget } from '../../store/revocations.ts'
import type { SessionStore } from '../../store/sessions.ts'
import { Budget } from '../budget.ts'
import { endTarget, sessionsOf, type EndAccess } from '../ended.ts'
import type { Issuer, IssuerDeps } from '../issuer.ts'
import { parseJwt } from '../jose/compact.ts'
import { publishedKeys, type PublishedKeys } from '../keys/published.ts'
import { effectOf } from './effect.ts'
import { eventMetadataUrl, type EventsConfig } from './schema.ts'
import { MAX_AGE, verifySet, type SetResult, type SetVerifier } from './set.ts'
import { readSubject, type EventSubject } from './subject.ts'

/** Signatures of events: the same that are accepted by default in tokens. */
const ALGORITHMS: ReadonlySet<string> = new Set(['RS256', 'PS256', 'ES256', 'EdDSA'])
/** Requests without the transmitter's token, and events that are refused, per source. */
const COLD = { rate: 20, burst: 100, sources: 10_000 }

export interface ReceiverParts {
  readonly issuer: Pick<Issuer, 'name' | 'owns'>
  readonly config: EventsConfig
  readonly store: SessionStore
  readonly end: EndAccess
  readonly deps: IssuerDeps
}

/** Error codes of RFC 8935 §2.4. */
export type SetError = 'invalid_request' | 'invalid_key' | 'invalid_issuer' | 'invalid_audience' | 'authentication_failed'

/** What became of an event. `description` is fit for the transmitter. */
export type EventAnswer =
  | { readonly kind: 'taken' }
  | { readonly kind: 'refused'; readonly err: SetError; readonly description: string }
  /** It could not be judged or carried out now: it has to come again. */
  | { readonly kind: 'unavailable' }

/** The stream of security events of one issuer (OpenID Shared Signals Framework 1.0). What an event ends, ends at once on every door. */
export class EventReceiver {
  readonly #parts: ReceiverParts
  readonly #keys: PublishedKeys
  readonly #verifier: SetVerifier
  readonly #token: SecretSource
  readonly #budget: Budget

  constructor(parts: ReceiverParts) {
    const { issuer, config, deps } = parts
    const { issuer: transmitter, audience, jwksUri, delivery } = config
    this.#parts = parts
    this.#budget = new Budget(deps.clock, COLD)
    this.#token = openSecret('push' in delivery ? delivery.push.token : delivery.poll.token, deps)
    this.#keys = publishedKeys(
      {
        issuer: issuer.name,
        file: `${issuer.name}-events`,
        discoveryUrl: jwksUri ?? eventMetadataUrl(transmitter),
        metadata: jwksUri === undefined ? undefined : { issuer: transmitter, jwks_uri: jwksUri },
        accepts: (discovered) => discovered === transmitter,
      },
      deps,
    )
    this.#verifier = { issuer: transmitter, audience, algorithms: ALGORITHMS, keys: this.#keys.source, now: () => deps.clock.now() }
  }

  get token(): SecretSource {
    return this.#token
  }

  /** Takes an event that the transmitter posts (RFC 8935). @param bearer What it presents. @param set The body. */
  async push(bearer: string | undefined, set: string, source: string): Promise<EventAnswer> {
    if (!('push' in this.#parts.config.delivery)) return refuse('invalid_request', 'events of this stream are not posted')
    if (!this.#budget.take(source)) return { kind: 'unavailable' }
    let wanted: string
    try {
      wanted = (await this.#token.read()).reveal()
    } catch (error) {
      if (!(error instanceof OstiaryError)) throw error
      this.#log(error.message)
      return { kind: 'unavailable' }
    }
    if (bearer === undefined || !isSame(bearer, wanted)) {
      this.#count('unauthenticated')
      return refuse('authentication_failed', 'present the token that was agreed on')
    }
    const answer = await this.take(set)
    if (answer.kind === 'taken') this.#budget.giveBack(source)
    return answer
  }

  /** Judges one event and carries it out. A second time it is taken without effect. */
  async take(set: string): Promise<EventAnswer> {
    const jwt = parseJwt(set)
    const result: SetResult = 'outcome' in jwt ? jwt : await verifySet(this.#verifier, jwt)
    switch (result.outcome) {
      case 'unavailable':
        this.#count('unavailable')
        return { kind: 'unavailable' }
      case 'rejected':
        this.#log(`an event was refused: ${result.reason}${result.claim === undefined ? '' : ` ${result.claim}`}`)
        this.#count('refused')
        return refuse(errorOf(result.reason), 'the security event token is not valid')
      case 'event':
        try {
          return await this.#carryOut(result)
        } catch (error) {
          this.#log(`an event was not carried out: ${error instanceof OstiaryError ? error.message : 'the store failed'}`)
          this.#count('unavailable')
          return { kind: 'unavailable' }
        }
    }
  }

  close(): void {
    this.#keys.close()
  }

  async #carryOut({ id, issuedAt, type, event, subject: given }: Extract<SetResult, { outcome: 'event' }>): Promise<EventAnswer> {
    const { issuer, store, end, deps } = this.#parts
    const now = deps.clock.now()
    const mark = `event ${issuer.name} ${id}`
    if (await store.isSpent(mark, now)) return { kind: 'taken' }
    const effect = effectOf(type, event, issuedAt, now)
    if (effect.kind === 'end') {
      const subject = readSubject(given, issuer.owns)
      if (subject === undefined) {
        this.#log(`a ${effect.name} was refused: it does not name its subject by \`iss_sub\`, \`opaque\` or \`jwt_id\` of this issuer`)
        this.#count('refused')
        return refuse('invalid_request', 'the subject must be named by `iss_sub`, `opaque` or `jwt_id` of the issuer')
      }
      for (const target of await this.#targets(subject, effect.before))
        await endTarget(end, { issuer: issuer.name, event: effect.name, target })
    }
    if (effect.kind === 'stream') this.#log(`the event stream says ${effect.name}`)
    // Afterwards: what could not be carried out has to count when it comes again.
    await store.spend(mark, issuedAt + MAX_AGE, now)
    this.#count(effect.kind === 'end' ? effect.name : effect.kind)
    return { kind: 'taken' }
  }

  async #targets({ subject, sid, token }: EventSubject, before: number): Promise<readonly RevocationTarget[]> {
    const { issuer, store } = this.#parts
    if (token !== undefined) return [{ kind: 'token', issuer: issuer.name, token }]
    const sessions = sid === undefined ? [] : await sessionsOf(store, issuer.name, sid)
    if (sessions.length > 0) return sessions
    // A session that nothing here began with by that name: then all of the person, if it is named.
    return subject === undefined ? [] : [{ kind: 'issued-before', issuer: issuer.name, subject, before }]
  }

  #log(line: string): void {
    this.#parts.deps.log(`issuer ${this.#parts.issuer.name}: ${line}`)
  }

  #count(outcome: string): void {
    this.#parts.deps.meter.count('identity_security_events', { outcome })
  }
}

function refuse(err: SetError, description: string): EventAnswer {
  return { kind: 'refused', err, description }
}

function errorOf(reason: RejectReason): SetError {
  switch (reason) {
    case 'issuer':
    case 'key-issuer':
      return 'invalid_issuer'
    case 'audience':
      return 'invalid_audience'
    case 'unknown-key':
    case 'signature':
    case 'algorithm':
    case 'unsigned':
      return 'invalid_key'
    default:
      return 'invalid_request'
  }
}

function isSame(one: string, other: string): boolean {
  const digest = (text: string): Buffer => hash('sha256', text, 'buffer')
  return timingSafeEqual(digest(one), digest(other))
}
