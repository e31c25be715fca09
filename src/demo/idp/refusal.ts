import type { Entropy } from '../../core/clock.ts'
import { DEMO_NOTICE } from './metadata.ts'

/** A refusal of the token endpoint as Entra words it: an error of OAuth 2.0, and a number that says more. */
export interface Refusal {
  readonly status: 400 | 401
  readonly error: 'invalid_client' | 'invalid_request' | 'unauthorized_client'
  readonly code: number
  /** Without the number. */
  readonly text: string
}

export function invalidClient(code: number, text: string): Refusal {
  return { status: 401, error: 'invalid_client', code, text }
}

export function invalidRequest(code: number, text: string): Refusal {
  return { status: 400, error: 'invalid_request', code, text }
}

/** The body of the answer. @param now In milliseconds since the epoch. */
export function refusalBody({ error, code, text }: Refusal, now: number, entropy: Entropy): object {
  const [trace, correlation] = [guid(entropy), guid(entropy)]
  const timestamp = timeOf(now)
  return {
    error,
    error_description: `AADSTS${code}: ${text} Trace ID: ${trace} Correlation ID: ${correlation} Timestamp: ${timestamp}`,
    error_codes: [code],
    timestamp,
    trace_id: trace,
    correlation_id: correlation,
    error_uri: `https://login.microsoftonline.com/error?code=${code}`,
    ostiary_notice: DEMO_NOTICE,
  }
}

/** `2026-01-01 00:00:00Z` */
export function timeOf(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19).replace('T', ' ')}Z`
}

function guid(entropy: Entropy): string {
  return Buffer.from(entropy.bytes(16))
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
