import type { Clock } from '../../core/clock.ts'
import { Secret } from '../../core/secret.ts'

/** An access token of the gateway's own. */
export interface OwnToken {
  readonly token: Secret
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/** Where the gateway's own access tokens come from. */
export interface TokenSource {
  /** A token for `resource`, such as `https://graph.microsoft.com`. @throws OstiaryError of the family `secrets/` */
  token(resource: string): Promise<Secret>
  /** The token for `resource` was refused: the next one is got anew. */
  forget(resource: string): void
}

/** A token is got anew this long before its end, in milliseconds, or when half of a shorter life is over. */
const AHEAD_MS = 300_000
/** Tokens kept at most, by resource. */
const MAX_KEPT = 20

/** Keeps tokens until shortly before their end. However many ask at once, one request is made. */
export class KeptTokens implements TokenSource {
  readonly #clock: Clock
  readonly #get: (resource: string) => Promise<OwnToken>
  readonly #kept = new Map<string, { readonly token: Secret; readonly until: number }>()
  readonly #asking = new Map<string, Promise<Secret>>()

  constructor(clock: Clock, get: (resource: string) => Promise<OwnToken>) {
    this.#clock = clock
    this.#get = get
  }

  token(resource: string): Promise<Secret> {
    const kept = this.#kept.get(resource)
    if (kept !== undefined && this.#clock.now() < kept.until) return Promise.resolve(kept.token)
    const asking = this.#asking.get(resource) ?? this.#ask(resource).finally(() => this.#asking.delete(resource))
    this.#asking.set(resource, asking)
    return asking
  }

  forget(resource: string): void {
    this.#kept.delete(resource)
  }

  async #ask(resource: string): Promise<Secret> {
    const { token, expiresAt } = await this.#get(resource)
    const left = Math.max(0, expiresAt - this.#clock.now())
    if (this.#kept.size >= MAX_KEPT) this.#kept.clear()
    this.#kept.set(resource, { token, until: expiresAt - Math.min(AHEAD_MS, left / 2) })
    return token
  }
}

/** `access_token` with its end, from an answer of RFC 6749 §5.1 or of a managed identity's endpoint, whose numbers are text. */
export function readOwnToken(answer: Readonly<Record<string, unknown>> | undefined, now: number): OwnToken | undefined {
  const token = answer?.['access_token']
  const type = answer?.['token_type']
  const seconds = numberOf(answer?.['expires_in'])
  const at = numberOf(answer?.['expires_on'])
  const expiresAt = seconds === undefined ? (at === undefined ? undefined : at * 1000) : now + seconds * 1000
  if (typeof token !== 'string' || !/^[\x21-\x7e]{1,65536}$/.test(token) || expiresAt === undefined) return undefined
  // Anything but a bearer token would be worthless the way it is used.
  if (type !== undefined && !(typeof type === 'string' && type.toLowerCase() === 'bearer')) return undefined
  return { token: new Secret(token), expiresAt }
}

function numberOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^[0-9]{1,12}$/.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isFinite(number) && number >= 0 ? number : undefined
}
