import type { Readable } from 'node:stream'
import type { Clock } from '../../core/clock.ts'
import type { EndCause } from '../../core/passage.ts'
import type { Outcome } from '../../core/record.ts'
import type { Roster, Rostered } from '../../core/roster.ts'
import { RequestBody } from './body.ts'
import type { Answer, Failure, Fields, Forward } from './engine.ts'
import { isAllowedInTrailers } from './names.ts'
import type { UpstreamCall, UpstreamFailure, UpstreamHandler, Upstreams } from './upstream.ts'

/** The caller's side of one exchange, whatever version of HTTP it speaks. */
export interface Downstream {
  /** The request's body, not flowing. */
  readonly body: Readable
  /** Sends the interim response 100. */
  continue(): void
  head(status: number, fields: string[]): void
  /** False where the caller has to catch up; `onDrain` says when it has. */
  write(chunk: Buffer): boolean
  onDrain(listener: () => void): void
  end(trailers: string[]): void
  /** A whole response of the gateway's own. What is still to come of the request is not waited for. */
  answer(answer: Answer): void
  /** Breaks off, so that the caller can't take what it got for the whole. */
  reset(): void
  /** Called once the response has gone out whole (`true`), or the caller is gone. */
  onClose(listener: (finished: boolean) => void): void
}

/** What is under way in an engine. */
export interface Running extends Rostered {
  /** On the monotonic clock, in milliseconds. */
  readonly endsAt: number
  /** True for what has no end of its own, so that a drain doesn't wait for it. */
  readonly stream: boolean
  end(cause: EndCause | 'timed-out'): void
}

export interface ExchangeParts {
  readonly upstreams: Upstreams
  readonly clock: Clock
  readonly running: Roster<Running>
}

/** One request that was let through, from its head to the end of its response. */
export class Exchange implements UpstreamHandler, Running {
  slot = -1
  readonly endsAt: number
  readonly stream = false
  readonly #plan: Forward
  readonly #down: Downstream
  readonly #parts: ExchangeParts
  readonly #started: number
  readonly #body: RequestBody | undefined
  #call: UpstreamCall | undefined
  #status = 0
  #bytesOut = 0
  #headSent = false
  /** Set once nothing more is to be sent; the outcome that will be recorded. */
  #result: Outcome['result'] | undefined
  #completed = false

  constructor(plan: Forward, down: Downstream, parts: ExchangeParts) {
    this.#plan = plan
    this.#down = down
    this.#parts = parts
    this.#started = parts.clock.monotonic()
    this.endsAt = this.#started + plan.maxDuration
    const { body } = plan.request
    this.#body =
      body === 'none' || body === 0
        ? undefined
        : new RequestBody(down.body, plan.bodyLimit, () => this.#instead('body-too-large', 'refused'))
    this.#body?.on('error', () => undefined)
  }

  start(): void {
    const { passage, request, target } = this.#plan
    this.#parts.running.add(this)
    this.#down.onClose((finished) => this.#closed(finished))
    this.#down.onDrain(() => this.#call?.resume())
    passage.whenEnded((cause) => this.end(cause))
    // An upgrade that the parser didn't take for one has no stream to hand over.
    if (this.#plan.upgrade !== undefined) this.#instead('upgrade', 'refused')
    if (this.#result === undefined) this.#call = this.#parts.upstreams.call(target, request, this.#body, this)
    // What ended it may have done so before there was a call to abort.
    if (this.#result !== undefined) this.#call?.abort()
  }

  end(cause: EndCause | 'timed-out'): void {
    this.#instead(cause === 'shut-down' ? 'upstream-busy' : cause === 'timed-out' ? 'upstream-timeout' : 'access-ended', cause)
  }

  continued(): void {
    if (this.#result === undefined) this.#down.continue()
  }

  head(status: number, fields: Fields): void {
    if (this.#result !== undefined) return
    this.#status = status
    this.#headSent = true
    try {
      this.#down.head(status, this.#plan.respond(status, fields))
    } catch {
      // A field that the other version of HTTP can't carry. Nothing was sent yet, or what was is broken off.
      this.#result = 'upstream-failed'
      this.#call?.abort()
      this.#down.reset()
    }
  }

  data(chunk: Buffer): boolean {
    if (this.#result !== undefined) return true
    this.#bytesOut += chunk.length
    return this.#down.write(chunk)
  }

  ended(trailers: Fields): void {
    if (this.#result !== undefined) return
    this.#result = 'completed'
    const kept: string[] = []
    for (let i = 0; i + 1 < trailers.length; i += 2) if (isAllowedInTrailers(trailers[i]!)) kept.push(trailers[i]!, trailers[i + 1]!)
    this.#down.end(kept)
    this.#body?.destroy()
  }

  failed(failure: UpstreamFailure): void {
    this.#instead(failure, failure === 'upstream-timeout' ? 'timed-out' : failure === 'upstream-busy' ? 'refused' : 'upstream-failed')
  }

  /** Ends the exchange for a reason of the gateway's: with an answer if nothing went out yet, or else by breaking off. */
  #instead(failure: Failure, result: Outcome['result']): void {
    if (this.#completed) return
    // A response that is whole but not yet taken by the caller is cut as well.
    const pending = this.#result === undefined
    this.#result = result
    this.#call?.abort()
    if (this.#headSent || !pending) {
      this.#down.reset()
      return
    }
    this.#headSent = true
    const answer = this.#plan.failure(failure)
    this.#status = answer.status
    this.#bytesOut = answer.body.length
    this.#down.answer(answer)
    this.#body?.destroy()
  }

  #closed(finished: boolean): void {
    if (this.#completed) return
    this.#completed = true
    this.#parts.running.delete(this)
    if (this.#result === undefined || (!finished && this.#result === 'completed')) this.#result = 'client-aborted'
    this.#call?.abort()
    this.#body?.destroy()
    this.#plan.passage.completed({
      result: this.#result,
      status: this.#status,
      bytesIn: this.#body?.bytes ?? 0,
      bytesOut: this.#bytesOut,
      duration: this.#parts.clock.monotonic() - this.#started,
    })
  }
}
