/** Bounds of the management server. Each has a name, a default, and ends in a clear answer to the node or to the caller. */
export interface XdsLimits {
  /** Nodes that are known at a time, whether connected or not. */
  readonly nodes: number
  /** Streams of one node at a time. An Envoy has one, and two while it is restarted. */
  readonly streamsPerNode: number
  /** Streams that have not said yet whose they are. */
  readonly strangers: number
  /** Names that a stream may be subscribed to, per kind. */
  readonly names: number
  /** Characters of a name, of a version or of the id of a node. */
  readonly nameLength: number
  /** Bytes of a request. */
  readonly requestBytes: number
  /** Bytes of resources in one incremental response; one resource may be larger. */
  readonly responseBytes: number
  /** Responses of one kind that a node may leave unanswered. The next is made of the newest snapshot when it has answered. */
  readonly unanswered: number
  /** How long a node that has left that many unanswered has before its stream ends, in milliseconds. */
  readonly answerMs: number
  /** How long a stream has for its first request, in milliseconds. */
  readonly firstRequestMs: number
  /** How long what names a new cluster waits for the node to accept that cluster, in milliseconds. */
  readonly additionMs: number
  /** How long a removal waits for the node to accept what replaces it, in milliseconds. */
  readonly removalMs: number
  /** How long streams have to end when the server stops, in milliseconds. */
  readonly drainMs: number
}

export const DEFAULT_LIMITS: XdsLimits = {
  nodes: 1_000,
  streamsPerNode: 4,
  strangers: 64,
  names: 20_000,
  nameLength: 1_024,
  requestBytes: 4 * 1024 * 1024,
  responseBytes: 4 * 1024 * 1024,
  unanswered: 16,
  answerMs: 30_000,
  firstRequestMs: 10_000,
  additionMs: 5_000,
  removalMs: 30_000,
  drainMs: 1_000,
}
