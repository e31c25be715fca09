/** Times that are wrong, odd or just good enough. Skew is 30 s either way. */
import { entraClaims, rfc9068Claims, type Json, type JsonObject } from '../../../src/testing/tokens.ts'
import { signToken, type Kit, type TokenRow } from './row.ts'

type Seconds = (now: number) => Json

const cases: readonly (readonly [string, TokenRow['expect'], Readonly<Record<string, Seconds>>])[] = [
  ['exp an hour ago', ['expired'], { exp: (now) => now - 3600 }],
  ['exp just beyond the skew', ['expired'], { exp: (now) => now - 30 }],
  ['exp just inside the skew', 'verified', { exp: (now) => now - 29 }],
  ['exp now', 'verified', { exp: (now) => now }],
  ['exp with a fraction', 'verified', { exp: (now) => now + 60.5 }],
  ['exp as text', ['claim'], { exp: (now) => String(now + 60) }],
  ['exp null', ['claim'], { exp: () => null }],
  ['exp false', ['claim'], { exp: () => false }],
  ['exp a list', ['claim'], { exp: (now) => [now + 60] }],
  ['exp negative', ['claim'], { exp: (now) => -now }],
  ['exp 0', ['expired'], { exp: () => 0 }],
  ['exp in milliseconds', ['lifetime'], { exp: (now) => now * 1000 }],
  ['exp in ten years', ['lifetime'], { exp: (now) => now + 10 * 365 * 86_400 }],
  ['exp beyond any date', ['lifetime'], { exp: () => 1e300 }],
  ['exp at the largest integer', ['lifetime'], { exp: () => Number.MAX_SAFE_INTEGER }],
  ['a life of 28 h', 'verified', { exp: (now) => now + 28 * 3600 }],
  ['a life of 30 h', ['lifetime'], { exp: (now) => now + 30 * 3600 }],
  ['a life of 30 h, nearly over', ['lifetime'], { iat: (now) => now - 30 * 3600 + 60, nbf: (now) => now - 60, exp: (now) => now + 60 }],
  ['nbf in an hour', ['not-yet-valid'], { nbf: (now) => now + 3600 }],
  ['nbf just beyond the skew', ['not-yet-valid'], { nbf: (now) => now + 31 }],
  ['nbf just inside the skew', 'verified', { nbf: (now) => now + 30 }],
  ['nbf as text', ['claim'], { nbf: (now) => String(now) }],
  ['nbf null', ['claim'], { nbf: () => null }],
  ['nbf beyond any date', ['not-yet-valid'], { nbf: () => 1e300 }],
  ['iat in an hour', ['issued-in-future'], { iat: (now) => now + 3600 }],
  ['iat just inside the skew', 'verified', { iat: (now) => now + 30 }],
  ['iat as text', ['claim'], { iat: (now) => String(now) }],
  ['iat negative, to stretch nothing', ['claim'], { iat: () => -1 }],
  ['iat 0', ['lifetime'], { iat: () => 0 }],
]

const absent: readonly (readonly [string, TokenRow['expect'], readonly string[]])[] = [
  ['no exp', ['claim'], ['exp']],
  ['no iat', ['claim'], ['iat']],
  ['no nbf', 'verified', ['nbf']],
]

const shapes: readonly (readonly [TokenRow['to'], (kit: Kit) => JsonObject, JsonObject])[] = [
  ['entra', ({ origin, now }) => entraClaims.v2User(origin, now), {}],
  ['oidc', ({ origin, now }) => rfc9068Claims(origin, 'api://orders', now), { typ: 'at+jwt' }],
]

export const timeRows: readonly TokenRow[] = shapes.flatMap(([to, make, header]) => [
  ...cases.map(([name, expect, change]): TokenRow => ({
    attack: 90,
    name,
    to,
    expect,
    token: (kit) => {
      const now = Math.floor(kit.now / 1000)
      const changed = Object.fromEntries(Object.entries(change).map(([claim, seconds]) => [claim, seconds(now)]))
      return signToken(kit.keys.rsa, { ...make(kit), ...changed }, header)
    },
  })),
  ...absent.map(([name, expect, names]): TokenRow => ({
    attack: 90,
    name,
    to,
    expect,
    token: (kit) =>
      signToken(kit.keys.rsa, Object.fromEntries(Object.entries(make(kit)).filter(([claim]) => !names.includes(claim))), header),
  })),
])
