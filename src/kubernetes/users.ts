/**
 * Who a principal is to a cluster: one form for the door that impersonates, for the API server's own authentication and for the role
 * bindings that are compiled, so that all three speak of the same people.
 */
import type { Principal } from '../core/principal.ts'

/** What the API server calls `user.Info`. */
export interface ClusterUser {
  readonly name: string
  readonly groups: readonly string[]
  readonly uid: string | undefined
  /** Where the rest comes from, by keys that are domains with a path. */
  readonly extra: Readonly<Record<string, readonly string[]>>
}

/** Before the names of users and groups, so that nobody becomes `system:masters` by what a provider calls a group. */
export const DEFAULT_PREFIX = 'ostiary:'
/** Keys of extra fields begin so. */
export const EXTRA_DOMAIN = 'ostiary.dev/'

/** A role as a group of the cluster. */
export function roleGroup(role: string, prefix: string = DEFAULT_PREFIX): string {
  return `${prefix}${role}`
}

/** An issuer's subject as a user of the cluster. */
export function userName(issuer: string, subject: string, prefix: string = DEFAULT_PREFIX): string {
  return `${prefix}${issuer}:${subject}`
}

/** The principal with its roles as groups. Nothing of it is chosen by the caller, nor by the provider beyond the subject. */
export function clusterUser(principal: Principal, prefix: string = DEFAULT_PREFIX): ClusterUser {
  const { issuer, subject, roles, identity, actor } = principal
  const { evidence, display } = identity ?? {}
  return {
    name: userName(issuer, subject, prefix),
    groups: roles.map((role) => roleGroup(role, prefix)),
    uid: undefined,
    extra: {
      [`${EXTRA_DOMAIN}issuer`]: [issuer],
      [`${EXTRA_DOMAIN}subject`]: [subject],
      ...(display === undefined ? {} : { [`${EXTRA_DOMAIN}display`]: [display] }),
      ...(evidence?.tokenId === undefined ? {} : { [`${EXTRA_DOMAIN}token-id`]: [evidence.tokenId] }),
      ...(evidence?.client === undefined ? {} : { [`${EXTRA_DOMAIN}client`]: [evidence.client] }),
      ...(actor === undefined ? {} : { [`${EXTRA_DOMAIN}actor`]: actors(actor) }),
    },
  }
}

/** Whoever acts for it, the nearest first. */
function actors(first: Principal): readonly string[] {
  const all: string[] = []
  for (let one: Principal | undefined = first; one !== undefined; one = one.actor) all.push(`${one.issuer}:${one.subject}`)
  return all
}
