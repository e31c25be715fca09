import { ALWAYS, any, NEVER, not, test, type Formula, type NativeClaim, type NativeIssuer, type TokenValue } from '../../core/token.ts'
import { NoNativeForm } from './native.ts'

/** Undefined for a claim that the issuer's tokens never have. @throws NoNativeForm for one that they don't have as such */
export function claimOf({ name, claims, derived }: NativeIssuer, claim: string): NativeClaim | undefined {
  if (derived.includes(claim)) throw new NoNativeForm(`claim \`${claim}\` of issuer \`${name}\` is not in its tokens as such`)
  return Object.hasOwn(claims, claim) ? claims[claim] : undefined
}

/** Whether a claim of an issuer has one of these values; undefined for a claim that its tokens never have. @throws NoNativeForm */
export function claimHas(issuer: NativeIssuer, claim: string, values: Iterable<TokenValue>): Formula | undefined {
  const found = claimOf(issuer, claim)
  if (found === undefined) return undefined
  const wanted = [...values]
  if (found.isTrue === undefined) return test({ is: 'value', path: found.path, type: found.type, values: wanted })
  return any(wanted.includes(true) ? found.isTrue : NEVER, wanted.includes(false) ? not(found.isTrue) : NEVER)
}

/** Whether it is there. @throws NoNativeForm */
export function claimIsThere(issuer: NativeIssuer, claim: string): Formula {
  const found = claimOf(issuer, claim)
  if (found === undefined) return NEVER
  return found.isTrue === undefined ? test({ is: 'present', path: found.path }) : ALWAYS
}
