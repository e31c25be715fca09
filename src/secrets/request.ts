import type { Clock } from '../core/clock.ts'
import { isObject, readJsonText, type JsonObject } from '../core/json.ts'
import { readBody } from './body.ts'

/** What requests of the gateway itself are made with. */
export interface RequestDeps {
  readonly fetch: typeof fetch
  readonly clock: Clock
}

export interface RequestLimits {
  /** Longest wait for the whole answer, in milliseconds. */
  readonly timeout: number
  /** Largest body, in bytes. */
  readonly maxBytes: number
}

/** What came back. `detail` is for the operator: nothing of the request or the answer is in it. */
export type Answer =
  | { readonly outcome: 'answer'; readonly status: number; readonly headers: Headers; readonly body: Uint8Array }
  | { readonly outcome: 'failed'; readonly detail: string }

/** Asks once, bounded in time and size. A redirect is an answer like any other: what goes along is for this URL alone. Never rejects. */
export async function request(
  { fetch, clock }: RequestDeps,
  url: string,
  init: Pick<RequestInit, 'method' | 'headers' | 'body'>,
  { timeout, maxBytes }: RequestLimits,
): Promise<Answer> {
  const late = new AbortController()
  const timer = clock.after(timeout, () => late.abort())
  try {
    const response = await fetch(url, { ...init, redirect: 'manual', signal: late.signal })
    const body = await readBody(response, maxBytes)
    if (body === undefined) return { outcome: 'failed', detail: `an answer larger than ${maxBytes} bytes` }
    return { outcome: 'answer', status: response.status, headers: response.headers, body }
  } catch {
    // The error may quote the URL, or what was sent.
    return { outcome: 'failed', detail: late.signal.aborted ? `no answer within ${timeout} ms` : 'no connection' }
  } finally {
    timer.cancel()
  }
}

/** Resolves after `ms` milliseconds of the clock. */
export function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.after(ms, resolve))
}

/** The body as a JSON object; undefined if it is none, also where a name is in it twice. */
export function jsonOf(body: Uint8Array): JsonObject | undefined {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    return undefined
  }
  const value = readJsonText(text)
  return isObject(value) ? value : undefined
}
