/** Rules by which the mesh verifies tokens: whose, for whom, with which keys, and where they are looked for. */
import type { NativeIssuer } from '../../core/token.ts'
import type { KeySets, TargetDocument } from '../target.ts'
import { plainValue } from './conditions.ts'
import type { IstioTarget } from './schema.ts'

/** No key: no token is good. */
const NO_KEYS = '{"keys":[]}'

export interface JwtRulesInput {
  readonly issuers: readonly NativeIssuer[]
  readonly config: Pick<IstioTarget, 'keys' | 'jwksUris'>
  readonly keys: KeySets | undefined
  readonly forwardsToken: boolean
  /** Claims to be taken apart into words. */
  readonly split: readonly string[]
}

export function jwtRulesOf({ issuers, config, keys, forwardsToken, split }: JwtRulesInput): readonly TargetDocument[] {
  return issuers
    .toSorted((a, b) => (a.form < b.form ? -1 : 1))
    .map((issuer) => {
      const uri = config.jwksUris[issuer.name]
      return {
        issuer: plainValue(issuer.iss),
        audiences: issuer.audiences.map(plainValue),
        ...(config.keys === 'inline' ? { jwks: keys?.get(issuer.form) ?? NO_KEYS } : uri === undefined ? {} : { jwksUri: uri }),
        // Named, because by default a token in the query counts as well.
        fromHeaders: [{ name: 'Authorization', prefix: 'Bearer ' }],
        forwardOriginalToken: forwardsToken,
        ...(split.length === 0 ? {} : { spaceDelimitedClaims: split }),
      }
    })
}

/** Why the mesh would have no keys for an issuer; undefined where it does. */
export function keyProblem(
  { form, name, iss, audiences }: NativeIssuer,
  { keys: from, jwksUris }: Pick<IstioTarget, 'keys' | 'jwksUris'>,
  keys: KeySets | undefined,
): string | undefined {
  if (audiences.length === 0) return 'it has no audience, and tokens for anybody would count'
  if (from === 'uri') {
    if (jwksUris[name] !== undefined || iss.startsWith('https://')) return undefined
    return '`jwksUris` does not say where they are, and its tokens name no https URL where they could be found'
  }
  if (keys === undefined) return undefined
  const found = keys.get(form)
  return found === undefined || found === NO_KEYS ? 'none came when it was asked' : undefined
}
