import { jsonOf, request } from '../../secrets/request.ts'
import type { Timer } from '../../core/clock.ts'
import { OstiaryError } from '../../core/errors.ts'
import type { IssuerDeps } from '../issuer.ts'
import type { EventReceiver, SetError } from './receiver.ts'
import type { EventsConfig } from './schema.ts'

export interface PollParts {
  /** Configured name of the issuer. */
  readonly issuer: string
  readonly poll: Extract<EventsConfig['delivery'], { poll: unknown }>['poll']
  readonly receiver: Pick<EventReceiver, 'take' | 'token'>
  readonly deps: Pick<IssuerDeps, 'clock' | 'fetch' | 'log'>
}

/** Events of one answer at most, and its size. */
const MAX_EVENTS = 100
const MAX_ANSWER = 4 * 1024 * 1024
/** Between two questions to a transmitter that answers at once; and after a failure, doubled up to the second. In milliseconds. */
const AGAIN_MS = 500
const FIRST_RETRY_MS = 1_000
const LAST_RETRY_MS = 60_000
/** How much longer than the transmitter was asked to wait its answer may take. */
const GRACE_MS = 10_000

interface Report {
  /** Events that were taken, and those that were refused, by `jti` as the transmitter has it. */
  readonly ack: readonly string[]
  readonly setErrs: Readonly<Record<string, { readonly err: SetError; readonly description: string }>>
}

const NOTHING: Report = { ack: [], setErrs: {} }

/** Fetches events from a transmitter, over and over (RFC 8936). What was taken or refused is told with the next question. */
export class Poll {
  readonly #parts: PollParts
  readonly #closed = new AbortController()
  #report: Report = NOTHING
  #failures = 0
  #timer: Timer | undefined
  #running: Promise<void> = Promise.resolve()

  constructor(parts: PollParts) {
    this.#parts = parts
    this.#after(0)
  }

  async close(): Promise<void> {
    this.#closed.abort()
    this.#timer?.cancel()
    await this.#running
  }

  #after(ms: number): void {
    if (this.#closed.signal.aborted) return
    this.#timer = this.#parts.deps.clock.after(ms, () => {
      this.#running = this.#round().then((wait) => this.#after(wait))
    })
  }

  /** One question and its answer. Resolves to how long to wait for the next one. */
  async #round(): Promise<number> {
    const { issuer, deps } = this.#parts
    try {
      const more = await this.#ask()
      if (this.#failures > 0) deps.log(`issuer ${issuer}: its event stream answers again`)
      this.#failures = 0
      return more ? 0 : AGAIN_MS
    } catch (error) {
      if (this.#closed.signal.aborted) return 0
      const cause = error instanceof OstiaryError || error instanceof PollFailed ? error.message : 'a fault'
      if (this.#failures === 0)
        deps.log(`issuer ${issuer}: its event stream can not be read (${cause}); what it tells meanwhile is not known`)
      this.#failures++
      return Math.min(FIRST_RETRY_MS * 2 ** Math.min(this.#failures - 1, 10), LAST_RETRY_MS)
    }
  }

  async #ask(): Promise<boolean> {
    const { poll, receiver, deps } = this.#parts
    const authorization = `Bearer ${(await receiver.token.read()).reveal()}`
    const reported = this.#report
    const body = JSON.stringify({ returnImmediately: poll.wait === 0, maxEvents: MAX_EVENTS, ...reported })
    const headers = { authorization, accept: 'application/json', 'content-type': 'application/json' }
    const { signal } = this.#closed
    const fetchUntilClosed: typeof fetch = (input, init) =>
      deps.fetch(input, { ...init, signal: AbortSignal.any([signal, ...(init?.signal == null ? [] : [init.signal])]) })
    const limits = { timeout: poll.wait + GRACE_MS, maxBytes: MAX_ANSWER }
    const answer = await request({ fetch: fetchUntilClosed, clock: deps.clock }, poll.endpoint, { method: 'POST', headers, body }, limits)
    if (answer.outcome === 'failed') throw new PollFailed(answer.detail)
    if (answer.status !== 200) throw new PollFailed(`it answered ${answer.status}`)
    const told = jsonOf(answer.body)
    const sets = told?.['sets'] ?? {}
    if (told === undefined || typeof sets !== 'object' || sets === null || Array.isArray(sets))
      throw new PollFailed('its answer is no list of events')
    this.#report = NOTHING // it has what was reported
    await this.#take(Object.entries(sets).slice(0, MAX_EVENTS))
    return told['moreAvailable'] === true || this.#report.ack.length > 0
  }

  async #take(sets: readonly (readonly [string, unknown])[]): Promise<void> {
    const ack: string[] = []
    const setErrs: Record<string, { err: SetError; description: string }> = Object.create(null) as typeof setErrs
    for (const [id, set] of sets) {
      if (this.#closed.signal.aborted) return
      const answer =
        typeof set === 'string'
          ? await this.#parts.receiver.take(set)
          : ({ kind: 'refused', err: 'invalid_request', description: 'no token' } as const)
      // What could not be carried out is not acknowledged: it comes again.
      if (answer.kind === 'taken') ack.push(id)
      else if (answer.kind === 'refused') setErrs[id] = { err: answer.err, description: answer.description }
      this.#report = { ack, setErrs }
    }
  }
}

/** The text is for the operator. */
class PollFailed extends Error {}
