import { hash, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'
import type { Clock, Entropy } from '../../core/clock.ts'
import type { Proof } from '../../core/stepup.ts'
import { attemptCookieName, isAttemptCookie, type Cookie } from './cookies.ts'
import type { Seal } from './seal.ts'

/** How long a sign-in may take, in milliseconds. */
export const ATTEMPT_MS = 600_000
/** Attempts of one browser at a time; one more, and the oldest is forgotten. */
export const MAX_ATTEMPTS = 5
/** Longest path that is returned to; a longer one is `/` instead. A cookie has 4 KiB. */
const MAX_RETURN = 1_500

const shape = z.strictObject({
  version: z.literal(1),
  /** Sent as `state`. Names the attempt. */
  id: z.string(),
  issuer: z.string(),
  /** Where the browser was; the answer must come back there. */
  origin: z.string(),
  returnTo: z.string(),
  nonce: z.string(),
  /** PKCE (RFC 7636). */
  verifier: z.string(),
  /** Milliseconds since the epoch. */
  endsAt: z.number(),
  /** What the sign-in has to prove; absent for one that nothing more was asked of. */
  prove: z.array(z.strictObject({ claim: z.string(), values: z.array(z.string()) })).optional(),
})

/** A sign-in under way. It is kept by the browser that began it, sealed, so that attempts cost the gateway nothing. */
export type Attempt = Readonly<z.output<typeof shape>>

export class Attempts {
  readonly #seal: Seal
  readonly #clock: Clock
  readonly #entropy: Entropy

  constructor(seal: Seal, clock: Clock, entropy: Entropy) {
    this.#seal = seal
    this.#clock = clock
    this.#entropy = entropy
  }

  begin(issuer: string, origin: string, returnTo: string, prove?: readonly Proof[]): Attempt {
    const endsAt = this.#clock.now() + ATTEMPT_MS
    const nonce = this.#random(32)
    return {
      version: 1,
      id: this.#random(16),
      issuer,
      origin,
      returnTo: safePath(returnTo, origin),
      nonce,
      verifier: this.#random(32),
      endsAt,
      ...(prove === undefined ? {} : { prove: prove.map(({ claim, values }) => ({ claim, values: [...values] })) }),
    }
  }

  /** The value of the attempt's cookie. */
  write(attempt: Attempt): string {
    return Buffer.from(this.#seal.seal('attempt', Buffer.from(JSON.stringify(attempt)))).toString('base64url')
  }

  /** The attempt that this browser began under that `state`; undefined if it didn't, or too long ago. */
  find(state: string, cookies: readonly Cookie[], secure: boolean): Attempt | undefined {
    const name = attemptCookieName(state, secure)
    const values = cookies.filter((cookie) => cookie.name === name)
    if (values.length !== 1) return undefined // two of one name: one of them was planted
    const attempt = this.#read(values[0]!.value)
    return attempt !== undefined && sameText(attempt.id, state) ? attempt : undefined
  }

  /** Names of attempt cookies that must go so that one more fits: those that mean nothing, then the oldest. */
  surplus(cookies: readonly Cookie[], secure: boolean): readonly string[] {
    const all = cookies
      .filter(({ name }) => isAttemptCookie(name, secure))
      .map(({ name, value }) => ({ name, endsAt: this.#read(value)?.endsAt ?? 0 }))
      .toSorted((a, b) => a.endsAt - b.endsAt)
    const dead = all.filter(({ endsAt }) => endsAt === 0).length
    return [...new Set(all.slice(0, Math.max(dead, all.length - MAX_ATTEMPTS + 1)).map(({ name }) => name))]
  }

  #read(value: string): Attempt | undefined {
    const content = this.#seal.open('attempt', Buffer.from(value, 'base64url'))
    if (content === undefined) return undefined
    const parsed = shape.safeParse(JSON.parse(Buffer.from(content).toString('utf8')))
    return parsed.success && parsed.data.endsAt > this.#clock.now() ? parsed.data : undefined
  }

  #random(bytes: number): string {
    return Buffer.from(this.#entropy.bytes(bytes)).toString('base64url')
  }
}

/** `code_challenge` of a verifier, method S256 (RFC 7636 §4.2). */
export function challengeOf(verifier: string): string {
  return hash('sha256', verifier, 'base64url')
}

/**
 * Path and query on `origin` to return to; `/` for anything that a browser could take for another place. Only what is plain: one slash
 * first, printable ASCII without backslash, and the same after a parser has read it.
 */
export function safePath(text: string, origin: string): string {
  if (text.length > MAX_RETURN || !/^\/(?![/\\])[!-[\]-~]*$/.test(text) || /^\/\.ostiary(?:[/?]|$)/.test(text)) return '/'
  if (!URL.canParse(text, origin)) return '/'
  const url = new URL(text, origin)
  return url.origin === new URL(origin).origin && url.pathname + url.search + url.hash === text && url.hash === '' ? text : '/'
}

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}
