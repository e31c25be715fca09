/** Who a caller is in a cluster, as the fields of the request that goes there say it. */
import type { Code, Details } from '../../core/errors.ts'
import type { Admitted } from '../../core/pipeline.ts'
import type { Principal } from '../../core/principal.ts'
import type { Secret } from '../../core/secret.ts'
import { ExchangeRefused, type TokenExchanger } from '../../identity/index.ts'
import { asImpersonated, carries, extraFields, impersonationFields, type Impersonated } from '../../kubernetes/impersonation.ts'
import { clusterUser, EXTRA_DOMAIN, type ClusterUser } from '../../kubernetes/users.ts'
import { DECISION } from './authorize.ts'
import type { Cluster } from './clusters.ts'

/** What a caller came with. */
export interface Caller {
  /** Whom it asks to act as. */
  readonly as: Impersonated | undefined
  /** Its own token, as it came. */
  readonly token: Secret | undefined
}

/** Fields, or why it can be nobody there. */
export type ClusterIdentity = { readonly fields: readonly string[] } | { readonly refused: Code; readonly details?: Details }

const ANONYMOUS: Impersonated = { user: 'system:anonymous', groups: ['system:unauthenticated'], uid: undefined, extra: {} }

/** @throws where the gateway has no credential of its own, or a provider can't be reached: then nobody is anybody */
export async function identityIn(
  cluster: Cluster,
  passage: Admitted,
  caller: Caller,
  exchanger: TokenExchanger | undefined,
): Promise<ClusterIdentity> {
  const { mode, audience } = cluster.config
  if (mode === 'impersonate') return impersonating(cluster, passage, caller)
  const { verified } = passage
  const { as, token } = caller
  if (verified === undefined) return { fields: [] }
  if (token === undefined || verified.identity.evidence.confirmation?.method === 'dpop')
    return { refused: 'kubernetes/not-a-token', details: { cluster: cluster.name } }
  const asked = as === undefined ? [] : impersonationFields(as)
  const withToken = (own: Secret): ClusterIdentity => ({ fields: ['Authorization', `Bearer ${own.reveal()}`, ...asked] })
  if (mode === 'pass-through') {
    const presented = verified.identity.evidence.audience
    if (presented === audience) return withToken(token)
    return { refused: 'kubernetes/audience', details: { audience: presented, cluster: cluster.name, wanted: audience! } }
  }
  const refused = (cause: string): ClusterIdentity => ({ refused: 'kubernetes/not-exchanged', details: { cluster: cluster.name, cause } })
  if (exchanger === undefined) return refused('nobody here exchanges tokens')
  try {
    return withToken(await exchanger.exchange(token, verified.identity, audience!))
  } catch (error) {
    if (error instanceof ExchangeRefused) return refused(error.message)
    throw error
  }
}

function impersonating({ config, token: own }: Cluster, { id, principal, verified }: Admitted, { as }: Caller): ClusterIdentity {
  const fields = own === undefined ? [] : ['Authorization', `Bearer ${own().reveal()}`]
  // Nobody in particular is nobody there either: the gateway's own rights are never a caller's.
  if (verified === undefined) return { fields: [...fields, ...impersonationFields(ANONYMOUS)] }
  const { user, told } = knownAs(principal, config.prefix)
  if (told === undefined) return { refused: 'kubernetes/identity' }
  if (as !== undefined) return { fields: [...fields, ...impersonationFields({ ...as, extra: { ...as.extra, ...impersonator(user) } })] }
  // An API server that asks about the request is told that it was decided.
  return { fields: [...fields, ...told, ...(config.webhook.door === 'believed' ? extraFields({ [DECISION]: [id] }) : [])] }
}

interface Known {
  readonly prefix: string
  readonly user: ClusterUser
  /** The fields that say it; undefined where none can. */
  readonly told: readonly string[] | undefined
}

/** A principal is one object as long as neither its token nor the policy changes, and the same to a cluster. */
const known = new WeakMap<Principal, Known>()

function knownAs(principal: Principal, prefix: string): Known {
  const before = known.get(principal)
  if (before?.prefix === prefix) return before
  const user = clusterUser(principal, prefix)
  const now: Known = { prefix, user, told: isTellable(user) ? impersonationFields(asImpersonated(user)) : undefined }
  known.set(principal, now)
  return now
}

/** Who really asks, beside whom it asks to act as. */
function impersonator({ name }: ClusterUser): Readonly<Record<string, readonly string[]>> {
  return { [`${EXTRA_DOMAIN}impersonated-by`]: [name] }
}

function isTellable({ name, groups }: ClusterUser): boolean {
  return carries(name) && groups.every(carries)
}
