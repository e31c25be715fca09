import { readBody } from '../../secrets/body.ts'
import { jsonOf } from '../../secrets/request.ts'

/** What went by while the gateway asked a provider. */
export interface Witnessed {
  /** Milliseconds that the other clock is ahead of this one, to about a second; undefined where nobody said the time. */
  readonly ahead: number | undefined
  /** What the provider calls itself in its metadata. */
  readonly issuer: string | undefined
}

/** Larger documents are not looked into, in bytes. */
const MAX_DOCUMENT = 1024 * 1024

/** A `fetch` that passes everything on as it is, and what it saw. */
export function witness(through: typeof fetch, now: () => number): { readonly fetch: typeof fetch; readonly seen: () => Witnessed } {
  let ahead: number | undefined
  let issuer: string | undefined
  const seeing: typeof fetch = async (input, init) => {
    const started = now()
    const response = await through(input, init)
    ahead ??= offset(response.headers, (started + now()) / 2)
    if (response.status === 200 && typeof input === 'string' && input.includes('/.well-known/')) {
      const body = await readBody(response.clone(), MAX_DOCUMENT).catch(() => undefined)
      const named = body === undefined ? undefined : jsonOf(body)?.['issuer']
      if (typeof named === 'string') issuer = named
    }
    return response
  }
  return { fetch: seeing, seen: () => ({ ahead, issuer }) }
}

/** `Date` is the second's beginning; what comes from a cache has it from when that got it (RFC 9110 §6.6.1, RFC 9111 §5.1). */
function offset(headers: Headers, at: number): number | undefined {
  const date = Date.parse(headers.get('date') ?? '')
  const age = Number(headers.get('age') ?? 0)
  return Number.isFinite(date) && Number.isFinite(age) ? date + 500 + age * 1000 - at : undefined
}
