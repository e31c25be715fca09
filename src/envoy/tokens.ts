/** The filter that verifies tokens (`jwt_authn`), with keys that it is handed. */
import type { NativeIssuer } from '../core/token.ts'
import { JWT } from './filters.ts'
import { PARTS } from './metadata.ts'
import type { Json } from './rbac.ts'

/** By form of an issuer's tokens: a JWK Set as text, with public keys for its algorithms alone. */
type KeySets = ReadonlyMap<string, string>

/** Whose tokens are let in where: a requirement of that name. */
export interface Accepted {
  readonly name: string
  readonly issuers: readonly NativeIssuer[]
}

/**
 * What verifies tokens: each resource lets in those of its issuers, and nobody's. An issuer that has no key any more is left out, and its
 * tokens are nobody's: Envoy would reject an empty set of keys, and go on with those that it had.
 */
export function tokensOf(resources: readonly Accepted[], issuers: readonly NativeIssuer[], keys: KeySets): Json {
  const isKnown = ({ form }: NativeIssuer): boolean => !keys.has(form) || hasKeys(keys.get(form))
  return {
    '@type': JWT,
    providers: Object.fromEntries(issuers.filter(isKnown).map((issuer) => [issuer.form, providerOf(issuer, keys.get(issuer.form))])),
    requirementMap: Object.fromEntries(resources.map(({ name, issuers: accepted }) => [name, requirementOf(accepted.filter(isKnown))])),
  }
}

/** Whether there is a key in a JWK Set. */
export function hasKeys(text: string | undefined): boolean {
  return text !== undefined && (JSON.parse(text) as { readonly keys: readonly unknown[] }).keys.length > 0
}

/** How tokens of one form are verified. */
export function providerOf({ form, iss, audiences }: NativeIssuer, keys: string | undefined): Json {
  // To Envoy, none named means any.
  if (audiences.length === 0) throw new Error(`tokens of \`${form}\` have no audience`)
  return {
    issuer: iss,
    audiences,
    localJwks: { inlineString: keys ?? '{"keys":[]}' },
    requireExpiration: true,
    clockSkewSeconds: 30,
    forward: true,
    // Named, because by default a token in the query counts as well.
    fromHeaders: [{ name: 'authorization', valuePrefix: 'Bearer ' }],
    payloadInMetadata: PARTS.payload,
    headerInMetadata: PARTS.header,
    jwtCacheConfig: { jwtCacheSize: 1000, jwtMaxTokenSize: 16_384 },
  }
}

/** A token of one of them, or none: who has none is nobody. */
export function requirementOf(issuers: readonly NativeIssuer[]): Json {
  if (issuers.length === 0) return { allowMissing: {} }
  return { requiresAny: { requirements: [...issuers.map(({ form }) => ({ providerName: form })), { allowMissing: {} }] } }
}
