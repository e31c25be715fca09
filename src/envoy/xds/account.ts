import type { Clock } from '../../core/clock.ts'
import type { StreamRefusal } from './refusal.ts'
import type { Snapshot } from './snapshot.ts'
import type { NodeStatus, Rejection } from './status.ts'
import type { DiscoveryMessage, NodeStream } from './stream.ts'
import { eachKind, KINDS, type Kind } from './types.ts'

type Stream = NodeStream<DiscoveryMessage>

/** What is known of one node: what it should have, its streams, and what came of it. */
export class NodeAccount {
  readonly node: string
  snapshot: Snapshot | undefined
  /** Calls that take a place, each until it is gone for good. */
  calls = 0
  readonly streams = new Map<Stream, (refusal: StreamRefusal) => void>()
  readonly #clock: Clock
  readonly #acknowledged = new Map<Kind, string>()
  readonly #rejections = new Map<Kind, Rejection>()
  #whole: string | undefined
  #connectedSince: number | undefined
  #disconnectedAt: number | undefined
  #sentBefore = 0

  constructor(node: string, clock: Clock) {
    this.node = node
    this.#clock = clock
  }

  publish(snapshot: Snapshot): void {
    this.snapshot = snapshot
    for (const stream of this.streams.keys()) stream.publish(snapshot)
  }

  opened(stream: Stream, end: (refusal: StreamRefusal) => void): void {
    this.#connectedSince ??= this.#clock.now()
    this.streams.set(stream, end)
    if (this.snapshot !== undefined) stream.publish(this.snapshot)
  }

  closed(stream: Stream): void {
    if (!this.streams.delete(stream)) return
    stream.close()
    this.#sentBefore += stream.sentBytes
    if (this.streams.size > 0) return
    this.#connectedSince = undefined
    this.#disconnectedAt = this.#clock.now()
  }

  endAll(refusal: StreamRefusal): void {
    for (const end of this.streams.values()) end(refusal)
  }

  /** Looks at what the streams have accepted and rejected. */
  update(): void {
    const { snapshot } = this
    if (snapshot === undefined) return
    let isWhole = this.streams.size > 0
    for (const kind of KINDS) {
      const asking = [...this.streams.keys()].filter((stream) => stream.subscriptions.has(kind))
      if (asking.length > 0 && asking.every((stream) => stream.isSettled(kind))) {
        this.#acknowledged.set(kind, snapshot.versions[kind])
        this.#rejections.delete(kind)
        for (const stream of asking) stream.rejections.delete(kind)
      } else if (asking.length > 0) isWhole = false
      for (const stream of asking) {
        const rejection = stream.rejections.get(kind)
        if (rejection !== undefined && rejection.at >= (this.#rejections.get(kind)?.at ?? 0)) this.#rejections.set(kind, rejection)
      }
    }
    // Every Envoy asks for its listeners; before it has, it can't have all of it.
    if (isWhole && [...this.streams.keys()].every(({ subscriptions }) => subscriptions.has('listener'))) this.#whole = snapshot.version
  }

  status(): NodeStatus {
    const streams = [...this.streams.keys()]
    return {
      node: this.node,
      desired: this.snapshot?.version,
      acknowledged: this.#whole,
      connectedSince: this.#connectedSince,
      disconnectedAt: this.#disconnectedAt,
      streams: streams.length,
      sentBytes: streams.reduce((sum, { sentBytes }) => sum + sentBytes, this.#sentBefore),
      kinds: eachKind((kind) => {
        const subscriptions = streams.flatMap((stream) => stream.subscriptions.get(kind) ?? [])
        return {
          desired: this.snapshot?.versions[kind],
          acknowledged: this.#acknowledged.get(kind),
          subscribed: subscriptions.some(({ wildcard }) => wildcard)
            ? 'all'
            : subscriptions.length === 0
              ? undefined
              : Math.max(...subscriptions.map(({ names }) => names.size)),
          rejection: this.#rejections.get(kind),
        }
      }),
    }
  }
}
