/** Who holds a role, as a cluster knows groups. */
import { roleGroup } from '../../kubernetes/users.ts'
import { AUTHENTICATED, EVERYONE, type Model } from '../../policy/model.ts'
import { NoNativeForm } from '../../policy/native/native.ts'
import type { KubernetesTarget } from './schema.ts'

/** Groups that the API server itself puts everybody in. */
export const SIGNED_IN = 'system:authenticated'
export const NOBODY = 'system:unauthenticated'

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

type Naming = Pick<KubernetesTarget, 'subjects'> & { readonly model: Model; readonly resource: string; readonly prefix: string }

/** The groups of one role, sorted. @throws NoNativeForm where the cluster has none for it */
export function groupsOf(role: string, { subjects, prefix, model, resource }: Naming): readonly string[] {
  if (role === EVERYONE) return [SIGNED_IN, NOBODY]
  if (subjects === 'roles') return [roleGroup(role, prefix)]
  if (role === AUTHENTICATED)
    throw new NoNativeForm(
      `\`${SIGNED_IN}\` has service accounts and certificates in it too, which no issuer knows: there is no group for \`${AUTHENTICATED}\``,
    )
  const { issuers } = model.world.resources[resource]!
  const ids = new Set<string>()
  for (const { issuer, claim, match, values, kind, until, eligible } of model.roles.get(role)?.bindings ?? []) {
    // What is only there once it is activated is no member of a group, and what comes from elsewhere never comes here.
    if (eligible || issuers?.includes(issuer) === false) continue
    const of = model.world.issuers[issuer]
    if (claim === 'oid' || claim === 'sub')
      throw new NoNativeForm(
        `role \`${role}\` is bound to an object id without a group (\`${claim}\`), and nobody is bound here but groups: put it into a group, and bind that`,
      )
    if (of?.kind !== 'entra' || claim !== 'groups')
      throw new NoNativeForm(
        `role \`${role}\` is bound by \`${claim}\` of \`${issuer}\`: with \`subjects: object-ids\`, a cluster knows object ids of Entra groups alone (\`claim: groups\`)`,
      )
    if (match === 'none' || (match === 'all' && values.size > 1))
      throw new NoNativeForm(`role \`${role}\` is bound to \`${match}\` of several groups: a binding is for whoever is in any`)
    if (kind !== undefined) throw new NoNativeForm(`role \`${role}\` is bound with \`kind: ${kind}\`, which no group tells`)
    if (until !== undefined) throw new NoNativeForm(`role \`${role}\` is bound until an instant, which a group doesn’t know`)
    for (const value of values) {
      if (typeof value !== 'string' || !GUID.test(value))
        throw new NoNativeForm(`role \`${role}\` is bound to \`${String(value)}\`, which is no object id in lower case`)
      ids.add(value)
    }
  }
  return [...ids].toSorted()
}
