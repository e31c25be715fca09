import type { Requirement } from './decision.ts'
import type { Claims } from './principal.ts'

/** What has to be proven: a claim with one of these values. */
export type Proof = NonNullable<Requirement['proof']>

/** A claims request for these proofs (OpenID Connect Core §5.5.1), to be put under `id_token` or `access_token`. */
export function claimsRequest(proofs: readonly Proof[]): Readonly<Record<string, object>> {
  return Object.fromEntries(
    proofs.map(({ claim, values }) => [claim, { essential: true, ...(values.length === 1 ? { value: values[0] } : { values }) }]),
  )
}

/** Authentication context classes that would do, as `acr_values` has them (OpenID Connect Core §3.1.2.1); undefined where none is asked for. */
export function acrValues(proofs: readonly Proof[]): string | undefined {
  const values = proofs.filter(({ claim }) => claim === 'acr').flatMap((proof) => proof.values)
  // What can't stand in a quoted string, or isn't one word, can't be asked for.
  return values.length > 0 && values.every((value) => /^[!#-[\]-~]+$/.test(value)) ? values.join(' ') : undefined
}

/** Whether the claims have what was asked for. */
export function isProven(proofs: readonly Proof[], claims: Claims): boolean {
  return proofs.every(({ claim, values }) => {
    const value = Object.hasOwn(claims, claim) ? claims[claim] : undefined
    return (typeof value === 'object' ? value : [value]).some((one) => one !== undefined && values.includes(String(one)))
  })
}
