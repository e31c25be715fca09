import {
  base64url,
  hmacToken,
  signToken,
  testKey,
  unsignedToken,
  type JsonObject,
  type KeyFixture,
  type TestKey,
} from '../../../src/testing/tokens.ts'
import type { RejectReason } from '../../../src/core/credential.ts'
import type { Identity } from '../../../src/core/principal.ts'

/** What a row makes its token from. */
export interface Kit {
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Where the provider is: Entra's authority, and the `iss` of the plain provider. */
  readonly origin: string
  /** `iss` of a v1 token of a tenant. */
  readonly v1Issuer: (tenant: string) => string
  readonly keys: Keys
}

/** Published keys but for `unpublished`. */
export interface Keys {
  readonly rsa: TestKey
  readonly pss: TestKey
  readonly ec: TestKey
  readonly ed: TestKey
  /** Entra: a key that signs for another tenant only. */
  readonly otherTenant: TestKey
  /** Entra: the key of personal accounts. */
  readonly personal: TestKey
  /** Published without `alg`, as Entra does. */
  readonly plain: TestKey
  readonly unpublished: TestKey
}

/** One token and what must come of it. `attack` is the number of its row in the threat table. */
export interface TokenRow {
  readonly attack: number
  readonly name: string
  readonly to: 'entra' | 'oidc'
  readonly token: (kit: Kit) => string
  /** Reasons that are right; `verified` where the token is good. */
  readonly expect: 'verified' | readonly RejectReason[]
  /** What must hold for the identity that was proven. */
  readonly holds?: (identity: Identity) => void
}

/** Tenant of personal Microsoft accounts. */
export const PERSONAL_TENANT = '9188040d-6c67-4c5b-b112-36a304b66dad'

export function makeKeys(origin: string, otherTenant: string): Keys {
  return {
    rsa: testKey('rsa-1'),
    pss: testKey('pss-1', 'PS256'),
    ec: testKey('ec-1', 'ES256'),
    ed: testKey('ed-1', 'EdDSA'),
    otherTenant: testKey('rsa-other', 'RS256', { issuer: `${origin}/${otherTenant}/v2.0` }),
    personal: testKey('rsa-personal', 'RS256', { issuer: `${origin}/${PERSONAL_TENANT}/v2.0` }),
    plain: withoutAlgorithm(testKey('rsa-plain')),
    unpublished: testKey('rsa-unpublished'),
  }
}

function withoutAlgorithm(key: TestKey): TestKey {
  const { alg: _, ...jwk } = key.jwk
  return { ...key, jwk }
}

export function publish(fixture: KeyFixture, keys: Keys): void {
  const { unpublished: _, ...published } = keys
  fixture.keys = Object.values(published).map(({ jwk }: TestKey) => jwk)
}

/** A token's three parts, to be put together wrongly. */
export function parts(token: string): [head: string, body: string, tail: string] {
  const [head = '', body = '', tail = ''] = token.split('.')
  return [head, body, tail]
}

export { base64url, hmacToken, signToken, unsignedToken, type JsonObject }
