import { createLocalJWKSet, errors, jwtVerify, type JSONWebKeySet, type JWTPayload } from 'jose'
import { request } from 'node:http'
import type { Clock } from '../../core/clock.ts'

/** The field in which the gateway says who calls. */
export const ASSERTION_FIELD = 'ostiary-assertion'

/** Where and how the gateway publishes the keys of its assertions. */
export interface AssertionTrust {
  /** Origin of the door, such as `http://orders.localhost:8080`. Asked for at every fetch, since the door starts later. */
  readonly doorOrigin: () => string
  /** `aud` that the assertion must have. */
  readonly audience: string
  readonly clock: Clock
}

/** What an assertion proves: `sub`, `ost_issuer`, `ost_kind`, `roles`, and `act` where somebody acts for somebody. */
export type Asserted = JWTPayload

export type Verification =
  | { readonly ok: true; readonly claims: Asserted }
  /** `reason` is one line, fit for the caller. */
  | { readonly ok: false; readonly status: 401 | 503; readonly reason: string }

/** Milliseconds between two fetches of the keys, whoever asks: an unknown key id must not make the gateway a target. */
const COOL_DOWN_MS = 2_000
const FETCH_TIMEOUT_MS = 3_000
const MAX_KEYS_BYTES = 64 * 1024

/**
 * Verifies the gateway's assertion as any API behind it should: ES256 only, its own audience, the lifetime, and the
 * request that it is bound to, if it is to one. It is the second lock on the door: who reaches the API past the
 * gateway has no assertion.
 */
export function assertionVerifier({
  doorOrigin,
  audience,
  clock,
}: AssertionTrust): (token: string | undefined, method: string, path: string) => Promise<Verification> {
  let keys: ReturnType<typeof createLocalJWKSet> | undefined
  let fetchedAt = -Infinity
  let fetching: Promise<void> | undefined

  const refresh = (): Promise<void> => {
    if (clock.monotonic() - fetchedAt < COOL_DOWN_MS) return Promise.resolve()
    fetching ??= fetchKeys(doorOrigin())
      .then((set) => {
        // An empty answer never replaces keys that work.
        if (set.keys.length > 0) keys = createLocalJWKSet(set)
      })
      .finally(() => {
        fetchedAt = clock.monotonic()
        fetching = undefined
      })
    return fetching
  }

  const verify = async (token: string): Promise<Asserted> => {
    if (keys === undefined) throw new errors.JWKSNoMatchingKey()
    const { payload } = await jwtVerify(token, keys, {
      algorithms: ['ES256'],
      audience,
      requiredClaims: ['exp', 'iat', 'sub', 'jti'],
      clockTolerance: 5,
      currentDate: new Date(clock.now()),
    })
    return payload
  }

  return async (token, method, path) => {
    if (token === undefined)
      return { ok: false, status: 401, reason: 'there is no `Ostiary-Assertion`: this API answers only what comes through its gateway' }
    try {
      let claims: Asserted
      try {
        claims = await verify(token)
      } catch (error) {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
        await refresh()
        claims = await verify(token)
      }
      if (!isFor(claims, method, path)) return { ok: false, status: 401, reason: 'the assertion is bound to another request' }
      return { ok: true, claims }
    } catch (error) {
      if (error instanceof KeysUnavailable) return { ok: false, status: 503, reason: 'the keys of the gateway can not be had' }
      return { ok: false, status: 401, reason: `the assertion is refused: ${error instanceof errors.JOSEError ? error.code : 'malformed'}` }
    }
  }
}

/** A bound assertion names method and exact path, and is good for nothing else. */
function isFor(claims: Asserted, method: string, path: string): boolean {
  const { htm, htu } = claims
  if (htm === undefined && htu === undefined) return true
  if (htm !== method || typeof htu !== 'string' || !URL.canParse(htu)) return false
  return htu.slice(new URL(htu).origin.length) === path
}

class KeysUnavailable extends Error {}

/** Node's resolver doesn't know `*.localhost`, so the connection goes to 127.0.0.1 and the name into `Host`. */
function fetchKeys(origin: string): Promise<JSONWebKeySet> {
  return new Promise((resolve, reject) => {
    const fail = (): void => reject(new KeysUnavailable())
    const { host, port } = new URL(origin)
    const asked = request(
      { host: '127.0.0.1', port, path: '/.ostiary/jwks.json', headers: { host }, agent: false, timeout: FETCH_TIMEOUT_MS },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text += chunk
          if (text.length > MAX_KEYS_BYTES) asked.destroy()
        })
        response.on('error', fail)
        response.on('end', () => {
          try {
            if (response.statusCode !== 200) return fail()
            const set = JSON.parse(text) as JSONWebKeySet
            if (!Array.isArray(set.keys)) return fail()
            resolve(set)
          } catch {
            fail()
          }
        })
      },
    )
    asked.on('timeout', () => asked.destroy())
    asked.on('error', fail)
    asked.end()
  })
}
