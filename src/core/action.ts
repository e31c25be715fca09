/**
 * The canonical action of each protocol: what a door makes of a native operation, and what a policy decides.
 * Matchers for them live in `policy/actions/<protocol>`.
 */
export type Action = HttpAction

/** An HTTP request as decided and as forwarded (RFC 9110). */
export interface HttpAction {
  readonly protocol: 'http'
  /** Case-sensitive, as received. */
  readonly method: string
  /** Canonical path with its leading slash, percent-encoded as received, without the query. */
  readonly path: string
}

/** `GET /orders/7`: the text of an action in records, reasons and explanations. */
export function formatAction(action: Action): string {
  return `${action.method} ${action.path}`
}
