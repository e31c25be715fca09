import type { Message } from '@bufbuild/protobuf'
import type { Clock, Timer } from '../../core/clock.ts'
import type { Node } from '../messages/envoy/config/core/v3/base_pb.ts'
import type { XdsLimits } from './limits.ts'
import { STEPS, View } from './ordering.ts'
import { shown, StreamRefusal } from './refusal.ts'
import type { Snapshot } from './snapshot.ts'
import type { Rejection } from './status.ts'
import type { Subscription } from './subscription.ts'
import { isWhole, KINDS, kindOf, TYPE_URLS, type Kind } from './types.ts'
import type { Conversation, Draft, Variant } from './variant.ts'

/** Longest text of a rejection that is kept. */
const MAX_ERROR = 4_096

/** Every request of either variant. */
export type DiscoveryMessage = Message & { readonly node?: Node | undefined; readonly typeUrl: string }

/** The way out of a stream, and what it tells whoever keeps account of the node. */
export interface Outlet {
  /** Writes one response; `done` once it was handed on, and only then comes the next. */
  send(bytes: Uint8Array, done: () => void): void
  end(refusal: StreamRefusal): void
  /** Something went wrong that the node is not to blame for; the stream ends as well. */
  fault(error: unknown): void
  /** What this stream has accepted or rejected is another than before. */
  changed(): void
}

/** One stream of one node, whatever carries it: what it has asked for, what it is told and in which order. */
export class NodeStream<Request extends DiscoveryMessage> implements Conversation {
  readonly limits: XdsLimits
  readonly subscriptions = new Map<Kind, Subscription>()
  /** The last rejection of each kind on this stream. */
  readonly rejections = new Map<Kind, Rejection>()
  sentBytes = 0
  snapshot: Snapshot | undefined
  readonly #id: string
  readonly #variant: Variant<Request>
  readonly #clock: Clock
  readonly #outlet: Outlet
  #returned: number | undefined
  #nonces = 0
  #writing = false
  #ended = false
  #timer: Timer | undefined

  /** @param id Part of every nonce, so that none is like another stream's */
  constructor(id: string, variant: Variant<Request>, clock: Clock, limits: XdsLimits, outlet: Outlet) {
    this.#id = id
    this.#variant = variant
    this.#clock = clock
    this.limits = limits
    this.#outlet = outlet
  }

  receive(request: Request): void {
    if (this.#ended) return
    this.#guarded(() => {
      const kind = kindOf(request.typeUrl)
      if (kind === undefined) {
        const served = KINDS.map((one) => TYPE_URLS[one]).join(', ')
        throw new StreamRefusal('INVALID_ARGUMENT', `the type \`${shown(request.typeUrl)}\` is not served; served are ${served}`)
      }
      this.#variant.read(this, kind, request)
      this.#pump()
    })
  }

  publish(snapshot: Snapshot): void {
    this.snapshot = snapshot
    for (const subscription of this.subscriptions.values()) subscription.published(snapshot)
    this.#guarded(() => this.#pump())
  }

  returned(): void {
    this.#returned ??= this.#clock.monotonic()
  }

  answered(kind: Kind, error: string | undefined): void {
    if (error === undefined || this.snapshot === undefined) return
    this.rejections.set(kind, { at: this.#clock.now(), version: this.snapshot.version, message: shown(error, MAX_ERROR) })
  }

  /** Whether the node has accepted all that it asked for of this kind. What it may keep by name for a while longer doesn't count. */
  isSettled(kind: Kind): boolean {
    const { snapshot } = this
    const subscription = this.subscriptions.get(kind)
    if (snapshot === undefined || subscription === undefined) return false
    if (subscription.unanswered.length > 0 || subscription.rejected.size > 0 || subscription.greet) return false
    return subscription.due.values().every((name) => !isWhole(kind) && !snapshot.resources[kind].has(name))
  }

  close(): void {
    this.#ended = true
    this.#timer?.cancel()
  }

  #guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.close()
      const isRefusal = error instanceof StreamRefusal
      this.#outlet.end(isRefusal ? error : new StreamRefusal('INTERNAL', 'a fault of the server'))
      if (!isRefusal) this.#outlet.fault(error)
      return
    }
    this.#outlet.changed()
  }

  /** Sends what may go out now, one response at a time: what comes next is made of the newest snapshot when it's its turn. */
  #pump(): void {
    while (!this.#ended && !this.#writing) {
      const { snapshot } = this
      this.#timer?.cancel()
      if (snapshot === undefined) return
      const view = new View(snapshot, this.subscriptions, this.limits, this.#clock.monotonic(), this.#returned)
      const next = this.#next(view)
      if (next === undefined) {
        if (view.until !== Infinity) this.#timer = this.#clock.after(view.until - view.now, () => this.#guarded(() => this.#pump()))
        return
      }
      this.#send(next.subscription, next.draft, view)
    }
  }

  #next(view: View): { readonly subscription: Subscription; readonly draft: Draft } | undefined {
    for (const [kind, phase] of STEPS) {
      const subscription = this.subscriptions.get(kind)
      if (subscription === undefined || (subscription.due.size === 0 && !subscription.greet)) continue
      if (subscription.unanswered.length >= this.limits.unanswered) {
        this.#outwait(subscription, view)
        continue
      }
      const draft = this.#variant.draft(subscription, view, phase)
      if (draft !== undefined) return { subscription, draft }
    }
    return undefined
  }

  /** A node that reads and never answers gets no more of that kind, and then a new stream, on which it says what it has. */
  #outwait({ kind, unanswered }: Subscription, view: View): void {
    const until = unanswered[0]!.at + this.limits.answerMs
    if (until <= view.now) {
      const problem = `${unanswered.length} responses of type \`${TYPE_URLS[kind]}\` have not been answered within ${this.limits.answerMs} ms`
      throw new StreamRefusal('DEADLINE_EXCEEDED', problem)
    }
    view.until = Math.min(view.until, until)
  }

  #send(subscription: Subscription, draft: Draft, view: View): void {
    const nonce = `${this.#id}-${++this.#nonces}`
    const bytes = this.#variant.encode(subscription, draft, view, nonce)
    subscription.sent({ nonce, at: view.now, snapshot: view.snapshot.version, ...draft })
    this.sentBytes += bytes.length
    this.#writing = true
    let during = true
    this.#outlet.send(bytes, () => {
      this.#writing = false
      if (!during && !this.#ended) this.#guarded(() => this.#pump())
    })
    during = false
  }
}
