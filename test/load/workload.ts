/** What is asked of every proxy: tokens, a policy of a hundred overlapping templates, and requests that it allows. */
import { randomUUID } from 'node:crypto'
import { API, base64url, entraClaims, signToken, TENANT, testKey, type JsonObject, type TestKey } from '../../src/testing/tokens.ts'

export const TOKENS = 1000
/** Of the tokens in a slice, how many nobody has seen before. */
export const COLD_SHARE = 0.1
export const ROLES = Array.from({ length: 10 }, (_, i) => `orders.role-${i}`)
export const BODY_BYTES = 1024
export const HOST = 'orders.localhost'

/** One rule of the policy: a role may do `GET` on a template, whose `{x}` is one segment and `**` the rest. */
export interface Rule {
  readonly id: string
  readonly role: string
  readonly template: string
  /** A path that the template covers, and that some other templates cover too. */
  readonly example: string
}

/** Per service ten templates that overlap: literal and variable segments at the same place, and a tail. */
export const RULES: readonly Rule[] = Array.from({ length: 10 }, (_, s) =>
  [
    [`/v1/s${s}/items`, `/v1/s${s}/items`],
    [`/v1/s${s}/items/{id}`, `/v1/s${s}/items/4711`],
    [`/v1/s${s}/items/{id}/lines`, `/v1/s${s}/items/4711/lines`],
    [`/v1/s${s}/items/{id}/lines/{line}`, `/v1/s${s}/items/4711/lines/3`],
    [`/v1/s${s}/items/special`, `/v1/s${s}/items/special`],
    [`/v1/s${s}/items/special/{part}`, `/v1/s${s}/items/special/lines`],
    [`/v1/s${s}/{kind}/{id}/lines/{line}`, `/v1/s${s}/orders/4711/lines/3`],
    [`/v1/s${s}/{kind}/{id}/notes`, `/v1/s${s}/items/4711/notes`],
    [`/v1/s${s}/files/**`, `/v1/s${s}/files/2026/11/report.pdf`],
    [`/v1/{service}/audit/s${s}`, `/v1/s${s}/audit/s${s}`],
  ].map(([template, example], i) => ({ id: `s${s}-t${i}`, role: ROLES[i]!, template: template!, example: example! })),
).flat()

/** A request that the policy allows. */
export interface Request {
  readonly path: string
  readonly token: string
}

export interface Workload {
  readonly key: TestKey
  /** Issuer of all tokens; its keys are published below it. */
  readonly issuer: string
  readonly origin: string
  /** Known to every proxy after its warm-up. */
  readonly warm: readonly Request[]
  /** `TOKENS` requests, of which `COLD_SHARE` carry tokens that were never used before, evenly spread. */
  slice(): readonly Request[]
  /** One request each of the correctness gate. */
  readonly gate: { readonly allowed: Request; readonly badSignature: Request; readonly denied: Request; readonly expired: Request }
}

export function workload(key: TestKey, origin: string): Workload {
  let next = 0
  const issuer = `${origin}/${TENANT}/v2.0`
  const fresh = (): Request => {
    const n = next++
    const rule = RULES[(n * 37) % RULES.length]!
    return { path: rule.example, token: tokenFor(key, origin, n, rolesAround(rule.role)) }
  }
  const warm = Array.from({ length: TOKENS }, fresh)
  const cold = Math.round(TOKENS * COLD_SHARE)
  const first = warm[0]!
  const allowedRule = RULES[0]!
  const holder = tokenFor(key, origin, 0, [allowedRule.role])
  return {
    key,
    issuer,
    origin,
    warm,
    slice: () => warm.map((request, i) => (i % Math.round(TOKENS / cold) === 0 ? fresh() : request)),
    gate: {
      allowed: first,
      badSignature: { path: first.path, token: corrupted(first.token) },
      denied: { path: RULES[8]!.example, token: holder },
      expired: {
        path: allowedRule.example,
        token: tokenFor(key, origin, 1, [allowedRule.role], { iat: 1_700_000_000, nbf: 1_700_000_000, exp: 1_700_003_600 }),
      },
    },
  }
}

/** The role of the rule and two more, as callers hold several. */
function rolesAround(role: string): readonly string[] {
  const i = ROLES.indexOf(role)
  return [ROLES[i]!, ROLES[(i + 3) % ROLES.length]!, ROLES[(i + 6) % ROLES.length]!]
}

/** About 1,280 bytes, in the shape of an Entra v2 access token. */
function tokenFor(key: TestKey, origin: string, n: number, roles: readonly string[], more: JsonObject = {}): string {
  const claims = entraClaims.v2User(origin, Date.now(), {
    aud: API,
    oid: randomUUID(),
    sub: base64url(`subject-${n}-of-the-load`),
    uti: base64url(`uti-${n}`),
    name: `load ${n}`,
    preferred_username: `load-${n}@example.com`,
    roles,
    groups: Array.from({ length: 1 }, () => randomUUID()),
    ...times(),
    ...more,
  })
  return signToken(key, claims)
}

/** Good for the whole run, however long it is. */
function times(): { readonly iat: number; readonly nbf: number; readonly exp: number } {
  const now = Math.floor(Date.now() / 1000)
  return { iat: now - 60, nbf: now - 60, exp: now + 4000 }
}

function corrupted(token: string): string {
  const middle = token.lastIndexOf('.') + 20
  return token.slice(0, middle) + (token[middle] === 'A' ? 'B' : 'A') + token.slice(middle + 1)
}

/** The key that signs a run's tokens. */
export function signingKey(): TestKey {
  return testKey('load-1')
}
