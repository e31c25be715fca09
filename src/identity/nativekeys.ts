import type { VerificationKey } from './jose/jwk.ts'

/** Those of an issuer's keys that may sign tokens with this `iss`: a key may name another, or another cloud. */
export function signingFor(
  iss: string,
  keys: Iterable<VerificationKey>,
  tenant?: string,
  cloudInstance?: string,
): readonly VerificationKey[] {
  return [...keys].filter(
    (key) =>
      (key.issuer === undefined || (tenant === undefined ? key.issuer : key.issuer.replace('{tenantid}', tenant)) === iss) &&
      (key.cloudInstance === undefined || cloudInstance === undefined || key.cloudInstance === cloudInstance),
  )
}

/**
 * Keys as a JWK Set for somebody who has only the set: each once for each algorithm that is accepted of it, public and asymmetric, in an
 * order that doesn't depend on how they came.
 */
export function jwksOf(keys: readonly VerificationKey[], algorithms: readonly string[]): string {
  const all = keys.flatMap(({ kid, key, algorithms: able }) =>
    algorithms.filter((alg) => able.has(alg)).map((alg) => ({ ...key.export({ format: 'jwk' }), kid, alg, use: 'sig' })),
  )
  return JSON.stringify({ keys: all.toSorted((a, b) => (`${a.kid} ${a.alg}` < `${b.kid} ${b.alg}` ? -1 : 1)) })
}
