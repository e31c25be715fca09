import type { Readable } from 'node:stream'
import type { Clock } from '../core/clock.ts'
import type { EndCause } from '../core/passage.ts'
import type { Outcome } from '../core/record.ts'
import type { Roster, Rostered } from '../core/roster.ts'
import { RequestBody } from './body.ts'
import type { Answer, Failure, Fields, Forward, ResponseFilter } from './engine.ts'
import { isMaskable, maskedFields } from './mask.ts'
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

/** For last words to be taken. */
const LAST_WORDS_MS = 400

interface Held {
  readonly fields: Fields
  readonly chunks: Buffer[]
  length: number
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
  /** The response as far as it has come, where it is masked. */
  #held: Held | undefined
  /** What changes the response as it passes. */
  #filter: ResponseFilter | undefined
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
    if (this.#headSent && this.#result === undefined && this.#filter !== undefined && this.#spoken(cause)) return
    this.#instead(cause === 'shut-down' ? 'upstream-busy' : cause === 'timed-out' ? 'upstream-timeout' : 'access-ended', cause)
  }

  /** Ends a response that knows how to say why. */
  #spoken(cause: EndCause | 'timed-out'): boolean {
    let last: Buffer | undefined
    try {
      last = this.#filter!.lastWords(cause)
    } catch {
      return false
    }
    if (last === undefined) return false
    this.#result = cause
    this.#call?.abort()
    this.#bytesOut += last.length
    if (last.length > 0) this.#down.write(last)
    this.#down.end([])
    this.#body?.destroy()
    // Whoever doesn't read them keeps what came before them, and the connection, no longer than others do.
    this.#parts.clock.after(LAST_WORDS_MS, () => {
      if (!this.#completed) this.#down.reset()
    })
    return true
  }

  continued(): void {
    if (this.#result === undefined) this.#down.continue()
  }

  head(status: number, fields: Fields): void {
    if (this.#result !== undefined) return
    this.#status = status
    if (this.#plan.refuses?.(status) === true) {
      this.#instead('upstream-refused', 'upstream-failed')
      return
    }
    if (this.#plan.mask !== undefined) {
      this.#held = { fields, chunks: [], length: 0 }
      return
    }
    try {
      this.#filter = this.#plan.filter?.(status, fields)
    } catch {
      this.#instead('unmaskable', 'refused')
      return
    }
    this.#sendHead(status, this.#filter?.fields ?? fields)
  }

  #sendHead(status: number, fields: Fields): void {
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
    // Before its head nobody knows what is to be done with it.
    if (this.#held === undefined && !this.#headSent) {
      this.#instead('upstream-failed', 'upstream-failed')
      return true
    }
    if (this.#held !== undefined) {
      this.#held.chunks.push(chunk)
      this.#held.length += chunk.length
      if (this.#held.length > this.#plan.mask!.limit) this.#unmaskable(this.#held.fields)
      return true
    }
    const out = this.#filter === undefined ? chunk : this.#filtered((filter) => filter.data(chunk))
    if (out === undefined || out.length === 0) return true
    this.#bytesOut += out.length
    return this.#down.write(out)
  }

  ended(trailers: Fields): void {
    if (this.#result !== undefined) return
    if (this.#held !== undefined) {
      this.#masked(this.#held)
      return
    }
    if (this.#filter !== undefined) {
      const rest = this.#filtered((filter) => filter.end())
      if (rest === undefined) return
      this.#bytesOut += rest.length
      if (rest.length > 0) this.#down.write(rest)
    }
    this.#result = 'completed'
    const kept: string[] = []
    for (let i = 0; i + 1 < trailers.length; i += 2) if (isAllowedInTrailers(trailers[i]!)) kept.push(trailers[i]!, trailers[i + 1]!)
    this.#down.end(kept)
    this.#body?.destroy()
  }

  /** Undefined where the filter gave up: then what came so far is broken off. */
  #filtered(work: (filter: ResponseFilter) => Buffer): Buffer | undefined {
    try {
      return work(this.#filter!)
    } catch {
      this.#instead('unmaskable', 'refused')
      return undefined
    }
  }

  /** The whole response is there: out it goes, masked. Trailers speak of the body as it was. */
  #masked({ fields, chunks, length }: Held): void {
    let body: Buffer | undefined
    if (length > 0) {
      body = isMaskable(this.#status, fields) ? this.#plan.mask!.masker.apply(Buffer.concat(chunks, length)) : undefined
      if (body === undefined) {
        this.#unmaskable(fields)
        return
      }
    }
    this.#whole(fields, body)
  }

  /** An error of the upstream stays one, without its text. Anything else is not let out at all. */
  #unmaskable(fields: Fields): void {
    this.#held = undefined
    if (this.#status < 400) {
      this.#instead('unmaskable', 'refused')
      return
    }
    this.#call?.abort()
    this.#whole(fields, undefined)
  }

  #whole(fields: Fields, body: Buffer | undefined): void {
    this.#held = undefined
    const kept = maskedFields(fields, body === undefined)
    if (body !== undefined) kept.push('Content-Length', String(body.length))
    else if (this.#status >= 200 && this.#status !== 204 && this.#status !== 304 && this.#plan.request.method !== 'HEAD')
      kept.push('Content-Length', '0')
    this.#sendHead(this.#status, kept)
    if (this.#result !== undefined) return
    this.#result = 'completed'
    if (body !== undefined) {
      this.#bytesOut += body.length
      this.#down.write(body)
    }
    this.#down.end([])
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
