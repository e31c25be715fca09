/** The form of a row over HTTP/2, and the fields that rows begin with. */
import assert from 'node:assert/strict'
import type { Field } from './h2.ts'
import type { Seen } from './recorder.ts'
import type { Upstream } from './row.ts'

/** In place of a status: the stream was reset, or the connection ended. */
export const RESET = 0

export interface H2Row {
  readonly id: number
  readonly name: string
  /** Frames, or the fields of a request on stream 1. `{reader}` and `{admin}` are replaced in fields. */
  readonly fields?: readonly Field[]
  readonly body?: string
  /** Trailers after the body. */
  readonly trailers?: readonly Field[]
  readonly frames?: readonly Buffer[]
  /** What stream 1 may be answered with. */
  readonly answers: readonly number[]
  readonly upstream: Upstream
  readonly why: string
}

export const NAME = 'orders.localhost'
export const base = (path: string, method = 'GET'): readonly Field[] => [
  [':method', method],
  [':scheme', 'https'],
  [':authority', NAME],
  [':path', path],
]
export const TOKEN: Field = ['authorization', 'Bearer {reader}']
export const get = (...more: readonly Field[]): readonly Field[] => [...base('/orders/1'), TOKEN, ...more]
export const post = (...more: readonly Field[]): readonly Field[] => [...base('/orders/1', 'POST'), TOKEN, ...more]

export const once = (check: (seen: Seen) => void) => (seen: readonly Seen[]) => {
  assert.equal(seen.length, 1)
  check(seen[0]!)
}
