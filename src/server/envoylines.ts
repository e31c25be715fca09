import type { NodeStatus } from '../envoy/xds/status.ts'

/** What an operator wants to read of a node, each kind of line whenever it changes. */
export function linesOf({
  kinds,
  connectedSince,
  disconnectedAt,
  desired,
  acknowledged,
}: NodeStatus): readonly { readonly kind: string; readonly text: string }[] {
  const rejected = Object.entries(kinds).flatMap(([kind, { rejection }]) =>
    rejection === undefined ? [] : [{ kind, message: rejection.message }],
  )
  if (rejected.length > 0)
    return rejected.map(({ kind, message }) => ({ kind, text: `it rejects its ${kind} configuration, and keeps what it had: ${message}` }))
  if (connectedSince === undefined) return disconnectedAt === undefined ? [] : [{ kind: 'state', text: 'is not connected any more' }]
  return desired !== undefined && desired === acknowledged
    ? [{ kind: 'state', text: `enforces what it should, version ${desired.slice(0, 19)}` }]
    : []
}
