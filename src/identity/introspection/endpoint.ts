import type { SecretReference } from '../../config/fields.ts'
import type { Clock } from '../../core/clock.ts'
import { resolveSecret } from '../../secrets/references.ts'
import { request } from '../../secrets/request.ts'
import { isObject, readJson, type JsonObject } from '../jose/json.ts'

/** What bounds the requests to an introspection endpoint. Times are in milliseconds. */
export interface EndpointLimits {
  /** Longest wait for an answer. */
  readonly timeout: number
  /** Largest answer, in bytes. */
  readonly maxBytes: number
  /** Requests under way at once. */
  readonly concurrent: number
  /** Pause after it refused the gateway itself, or had too much to do. */
  readonly pause: number
  /** Longest pause that it may ask for (`Retry-After`). */
  readonly maxPause: number
}

export const endpointLimits: EndpointLimits = { timeout: 5_000, maxBytes: 64 * 1024, concurrent: 100, pause: 1_000, maxPause: 30_000 }

/** How the gateway proves itself to the endpoint. */
export type EndpointAuth = { readonly clientId: string; readonly clientSecret: SecretReference } | { readonly bearer: SecretReference }

export interface EndpointParts {
  readonly url: string
  readonly auth: EndpointAuth
  readonly fetch: typeof fetch
  readonly clock: Clock
  /** Where relative file names start. */
  readonly folder: string
  readonly limits?: Partial<EndpointLimits>
}

/** What the endpoint said of a token. `detail` is for the operator: nothing of request or answer is in it. */
export type EndpointAnswer =
  | { readonly outcome: 'active'; readonly claims: JsonObject }
  | { readonly outcome: 'inactive' }
  | { readonly outcome: 'unavailable'; readonly cause: 'provider' | 'overloaded'; readonly detail: string }

/** Asks an introspection endpoint (RFC 7662 §2). Whatever is not clearly an answer is none. */
export class Endpoint {
  readonly #parts: EndpointParts
  readonly #limits: EndpointLimits
  #under = 0
  /** Monotonic time until which it isn't asked, and why. */
  #paused: { readonly until: number; readonly detail: string } | undefined

  constructor(parts: EndpointParts) {
    this.#parts = parts
    this.#limits = { ...endpointLimits, ...parts.limits }
  }

  async ask(token: string): Promise<EndpointAnswer> {
    const paused = this.#paused
    if (paused !== undefined && paused.until > this.#parts.clock.monotonic()) return unavailable(paused.detail)
    if (this.#under >= this.#limits.concurrent) return unavailable('too many requests under way', 'overloaded')
    this.#under++
    try {
      return await this.#ask(token)
    } finally {
      this.#under--
    }
  }

  async #ask(token: string): Promise<EndpointAnswer> {
    const { url } = this.#parts
    let authorization: string
    try {
      authorization = this.#authorization()
    } catch {
      return unavailable('the secret for it can not be read')
    }
    const headers = { authorization, accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' }
    const body = new URLSearchParams({ token, token_type_hint: 'access_token' }).toString()
    const answer = await request(this.#parts, url, { method: 'POST', headers, body }, this.#limits)
    if (answer.outcome === 'failed') return unavailable(answer.detail)
    switch (answer.status) {
      case 200:
        return read(answer.body)
      case 401:
      case 403:
        return this.#pause(`it refuses the gateway's own credential (${answer.status})`, this.#limits.pause)
      case 429:
      case 503:
        return this.#pause(`it answered ${answer.status}`, this.#wanted(answer.headers.get('retry-after')))
      default:
        return unavailable(`it answered ${answer.status}`)
    }
  }

  /** RFC 6749 §2.3.1: form-encoded before base64, or a colon in the id would end it. @throws OstiaryError of the family `secrets/` */
  #authorization(): string {
    const { auth, folder } = this.#parts
    if ('bearer' in auth) return `Bearer ${resolveSecret(auth.bearer, folder).reveal().trim()}`
    const pair = `${formEncode(auth.clientId)}:${formEncode(resolveSecret(auth.clientSecret, folder).reveal())}`
    return `Basic ${Buffer.from(pair).toString('base64')}`
  }

  #pause(detail: string, ms: number): EndpointAnswer {
    this.#paused = { until: this.#parts.clock.monotonic() + ms, detail }
    return unavailable(detail)
  }

  /** `Retry-After` in seconds (RFC 9110 §10.2.3), within bounds. A date isn't read. */
  #wanted(header: string | null): number {
    const { pause, maxPause } = this.#limits
    return Math.min(maxPause, Math.max(pause, /^[0-9]{1,6}$/.test(header ?? '') ? Number(header) * 1000 : 0))
  }
}

/** RFC 7662 §2.2. An answer that doesn't say whether the token is active says nothing. */
function read(body: Uint8Array): EndpointAnswer {
  const claims = readJson(body)
  if (isObject(claims) && claims['active'] === true) return { outcome: 'active', claims }
  if (isObject(claims) && claims['active'] === false) return { outcome: 'inactive' }
  return unavailable('an answer that is not understood')
}

function unavailable(detail: string, cause: 'provider' | 'overloaded' = 'provider'): EndpointAnswer {
  return { outcome: 'unavailable', cause, detail }
}

function formEncode(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1)
}
