import type { Message } from '@bufbuild/protobuf'
import type { XdsLimits } from './limits.ts'
import type { Phase, View } from './ordering.ts'
import type { Snapshot } from './snapshot.ts'
import type { Subscription } from './subscription.ts'
import type { Kind, Resource } from './types.ts'

/** What the next response says. In the state of the world `resources` may be all of them; `removed` are then those that are no longer among them. */
export interface Draft {
  readonly resources: readonly Resource[]
  readonly removed: readonly string[]
  /** Those of which the last word isn't said by it. */
  readonly waiting?: ReadonlySet<string>
}

/** What a variant of the protocol works on. */
export interface Conversation {
  readonly limits: XdsLimits
  readonly snapshot: Snapshot | undefined
  readonly subscriptions: Map<Kind, Subscription>
  /** The node had something before this stream began. */
  returned(): void
  /** The node accepted a response, or rejected it with these words. */
  answered(kind: Kind, error: string | undefined): void
}

/** One of the two variants of the protocol: what a request means, and what a response looks like. */
export interface Variant<Request extends Message> {
  /** @throws StreamRefusal */
  read(conversation: Conversation, kind: Kind, request: Request): void
  /** What to send next of one kind, if anything. */
  draft(subscription: Subscription, view: View, phase: Phase): Draft | undefined
  encode(subscription: Subscription, draft: Draft, view: View, nonce: string): Uint8Array
}
