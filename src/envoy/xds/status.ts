import type { Kind } from './types.ts'

/** A response that a node rejected. */
export interface Rejection {
  /** Milliseconds since the Unix epoch. */
  readonly at: number
  /** Version of the snapshot that was on its way. */
  readonly version: string
  /** The node's own words. */
  readonly message: string
}

/** How one node stands with one kind of resource. */
export interface KindStatus {
  /** Version of what it should have; undefined before there is a snapshot. */
  readonly desired: string | undefined
  /** Version of what it has accepted last, all of it. */
  readonly acknowledged: string | undefined
  /** Names, or whether it asked for all; undefined if it has not asked. */
  readonly subscribed: number | 'all' | undefined
  /** The last rejection; gone once the node has accepted what is desired. */
  readonly rejection: Rejection | undefined
}

/** How one node stands. */
export interface NodeStatus {
  readonly node: string
  /** Version of the snapshot that it should have. */
  readonly desired: string | undefined
  /** Version of the last snapshot of which every stream of it has accepted all that it asked for. */
  readonly acknowledged: string | undefined
  /** Since when it has been connected without a break, milliseconds since the Unix epoch; undefined if it isn't. */
  readonly connectedSince: number | undefined
  /** When its last stream ended. */
  readonly disconnectedAt: number | undefined
  readonly streams: number
  /** Bytes of responses sent to it since this server started. */
  readonly sentBytes: number
  readonly kinds: Readonly<Record<Kind, KindStatus>>
}
