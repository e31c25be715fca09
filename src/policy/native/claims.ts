import { ALWAYS, any, NEVER, not, test, type Formula, type NativeIssuer, type TokenValue } from '../../core/token.ts'

/** Whether a claim of an issuer has one of these values; undefined where its tokens don't have the claim as such. */
export function claimHas({ claims }: NativeIssuer, claim: string, values: Iterable<TokenValue>): Formula | undefined {
  const found = Object.hasOwn(claims, claim) ? claims[claim] : undefined
  if (found === undefined) return undefined
  const wanted = [...values]
  if (found.isTrue === undefined) return test({ is: 'value', path: found.path, type: found.type, values: wanted })
  return any(wanted.includes(true) ? found.isTrue : NEVER, wanted.includes(false) ? not(found.isTrue) : NEVER)
}

/** Whether it is there. */
export function claimIsThere({ claims }: NativeIssuer, claim: string): Formula {
  const found = Object.hasOwn(claims, claim) ? claims[claim] : undefined
  if (found === undefined) return NEVER
  return found.isTrue === undefined ? test({ is: 'present', path: found.path }) : ALWAYS
}
