import type { ClaimValue, Identity } from '../../../core/principal.ts'
import type { DeclaredClaim } from '../../claims.ts'
import type { TokenResult } from '../../issuer.ts'
import { isObject, type JsonObject } from '../../jose/json.ts'
import type { Directory, Membership } from './directory.ts'

/** Whether a token says that the account has more groups than it names, rather than that it has none. */
export function hasOverage({ hasgroups, _claim_names: elsewhere }: JsonObject): boolean {
  return (hasgroups !== undefined && hasgroups !== false) || (isObject(elsewhere) && 'groups' in elsewhere)
}

/**
 * Completes what a token proved by the groups that it doesn't name. Where the token says they are is not looked at: that would be
 * asking whoever made the token. The proof ends with the answer, so that who is removed from a group loses its roles.
 */
export function completed(
  result: Extract<TokenResult, { outcome: 'identity' }>,
  directory: Directory,
  declared: readonly DeclaredClaim[],
): TokenResult | Promise<TokenResult> {
  const { identity, expiresAt } = result
  const [tenant = '', object = ''] = identity.subject.split('/')
  const finish = (membership: Membership): TokenResult => {
    const until = Math.min(expiresAt, membership.until)
    return { ...result, identity: withGroups(identity, membership, declared), expiresAt: until, renewable: until < expiresAt }
  }
  const answer = directory.membership(tenant, identity.appOnly ? 'servicePrincipals' : 'users', object)
  return answer instanceof Promise ? answer.then(finish) : finish(answer)
}

function withGroups(identity: Identity, membership: Membership, declared: readonly DeclaredClaim[]): Identity {
  const names = declared.filter(({ path, type }) => path.length === 1 && path[0] === 'groups' && type === 'list').map(({ name }) => name)
  if (membership.outcome === 'unknown') {
    const because = `Microsoft Graph can not be asked for groups: ${membership.cause}`
    return { ...identity, unknownBecause: Object.fromEntries(names.map((name) => [name, because])) }
  }
  const claims = Object.assign(Object.create(null) as Record<string, ClaimValue>, identity.claims)
  const unknownClaims = new Set(identity.unknownClaims)
  const ids = [...membership.groups.keys()].toSorted()
  for (const name of names) {
    claims[name] = ids
    unknownClaims.delete(name)
  }
  return { ...identity, claims, unknownClaims, valueNames: membership.groups }
}
