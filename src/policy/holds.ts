import type { ClaimValue, Identity } from '../core/principal.ts'
import type { Binding } from './model.ts'
import { isOfType } from './when/condition.ts'

export type RoleState = 'held' | 'not-held' | 'unknown'

/** What a binding makes of an identity. Expiry is looked at when deciding, because it depends on the time. */
export function holds(binding: Binding, identity: Identity): RoleState {
  if (binding.issuer !== identity.issuer) return 'not-held'
  if (binding.kind !== undefined && binding.kind !== identity.kind) return 'not-held'
  if (identity.unknownClaims.has(binding.claim)) return 'unknown'
  const value = Object.hasOwn(identity.claims, binding.claim) ? identity.claims[binding.claim] : undefined
  if (value === undefined) return binding.match === 'none' ? 'held' : 'not-held'
  // A value of another type than declared says nothing: it neither has the values nor lacks them.
  if (!isOfType(value, binding.type)) return binding.match === 'none' ? 'unknown' : 'not-held'
  return matches(binding, value) ? 'held' : 'not-held'
}

function matches({ match, values }: Binding, value: ClaimValue): boolean {
  const present = typeof value === 'object' ? value : [value]
  switch (match) {
    case 'any':
      return present.some((one) => values.has(one))
    case 'all':
      return [...values].every((one) => present.includes(one as never))
    case 'none':
      return !present.some((one) => values.has(one))
  }
}

/** The value to show for a held role: what the claim has of the wanted. */
export function matchedValue({ match, claim, values }: Binding, identity: Identity): string | undefined {
  const value = identity.claims[claim]
  if (match === 'none' || value === undefined) return undefined
  const present = typeof value === 'object' ? value : [value]
  const matched = present
    .filter((one) => values.has(one))
    .map(String)
    .toSorted()
  return match === 'all' ? matched.join(', ') : matched[0]
}
