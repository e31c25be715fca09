/**
 * The form of a corpus row: bytes on a raw connection, and what must come of them. Rows are data; `run.ts` sends them.
 *
 * `id` is the number of the attack that a row tries: 1 to 18 request target and host, 19 to 39 headers and identity,
 * 40 to 52 framing, 103 to 106 HTTP/2 and header floods.
 */
import type { Response } from './client.ts'
import type { Seen } from './recorder.ts'

/** In place of a status: the connection was closed and nothing was answered. */
export const CLOSED = 0

/** A step of what a client sends: bytes as latin1 text, or a wait for an answer with this status. */
export type Step = string | { readonly until: number }

/** What the upstream may have received: nothing at all, or requests that pass the check. */
export type Upstream = 'none' | ((seen: readonly Seen[]) => void)

export interface Expectation {
  /** What each request may be answered with, in order. */
  readonly answers: readonly (readonly number[])[]
  /** The gateway must close the connection afterwards: what follows on it can't be told apart. */
  readonly closes?: boolean
  readonly upstream: Upstream
  /** A further check of the final answers. */
  readonly response?: (responses: readonly Response[]) => void
}

export interface Row {
  readonly id: number
  readonly name: string
  /** `{reader}`, `{admin}` and `{port}` are replaced by a token and the port that is tried. */
  readonly send: Step | readonly Step[]
  readonly expect: Expectation
  /** The bytes are sent in pieces of this length. */
  readonly pieces?: number
  /** Bytes that the upstream answers with, in place of its own 200. */
  readonly upstreamAnswers?: string | ((seen: Seen) => string)
  /** The upstream closes its connection after its answer. */
  readonly upstreamCloses?: boolean
  /** Request methods in order, where the bytes don't start with them. */
  readonly methods?: readonly string[]
  /** What was sent is no whole request: nothing further is sent on this connection. */
  readonly unfinished?: boolean
  readonly why: string
}

export const HOST = 'Host: orders.localhost'
export const READER = 'Authorization: Bearer {reader}'
export const ADMIN = 'Authorization: Bearer {admin}'

/** A request of the given start line and header lines, each ended by CRLF. */
export function request(line: string, fields: readonly string[], body = ''): string {
  return `${[line, ...fields].join('\r\n')}\r\n\r\n${body}`
}

/** Refused as no valid request, by an answer, and nothing reached the upstream. */
export function refused(...statuses: readonly number[]): Expectation {
  return { answers: [statuses.length === 0 ? [400] : statuses], upstream: 'none' }
}

/** Refused because of its framing: what comes after it on the connection can't be trusted, so the connection ends. */
export function refusedForGood(...statuses: readonly number[]): Expectation {
  return { ...refused(...statuses), closes: true }
}

/** Reaches the upstream once, and passes the check. */
export function passes(check: (seen: Seen) => void = () => undefined, ...statuses: readonly number[]): Expectation {
  return { answers: [statuses.length === 0 ? [200] : statuses], upstream: (seen) => once(seen, check) }
}

/** Either is refused, or reaches the upstream in a form that passes the check. */
export function passesOrRefused(check: (seen: Seen) => void, ...statuses: readonly number[]): Expectation {
  return { answers: [[200, 400, ...statuses]], upstream: (seen) => void (seen.length > 0 && once(seen, check)) }
}

function once(seen: readonly Seen[], check: (seen: Seen) => void): void {
  if (seen.length !== 1) throw new Error(`the upstream received ${seen.length} requests: ${seen.map(({ target }) => target).join(' ')}`)
  check(seen[0]!)
}
