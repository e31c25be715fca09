/**
 * Bindings for a time: of a role that somebody has activated, to them alone, by the name that the API server knows them by. A cluster knows no
 * end of a binding: whoever applies them takes them away.
 */
import { createHash } from 'node:crypto'
import type { Wiring } from '../../config/schema.ts'
import { roleGroup, userName } from '../../kubernetes/users.ts'
import type { Model } from '../../policy/model.ts'
import type { TargetDocument } from '../target.ts'
import { API_GROUP } from './documents.ts'
import { prefixOf, type KubernetesTarget } from './schema.ts'

/** Annotations of a binding for a time: which activation it is of, and when that ends (RFC 3339). */
export const TIMED = { activation: 'ostiary.dev/activation', until: 'ostiary.dev/until' } as const

/** An eligible role that is active for somebody. */
export interface ActiveRole {
  readonly id: string
  readonly issuer: string
  readonly subject: string
  readonly role: string
  /** Milliseconds since the epoch. */
  readonly until: number
}

interface Binding extends TargetDocument {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> }
  readonly roleRef: unknown
  readonly subjects: readonly { readonly kind: string; readonly name: string }[]
}

/** Why a target can have no bindings for a time; undefined where it can. */
export function noTimed({ subjects, authentication, authorization }: KubernetesTarget): string | undefined {
  if (authorization !== undefined) return 'the gateway is asked about each request, and knows what is active by itself'
  if (subjects === 'object-ids') return 'with `subjects: object-ids`, nobody but the provider knows what the cluster calls a person'
  if (authentication === undefined)
    return 'groups come from the door, which gives them to whoever has activated a role for as long as that is'
  return undefined
}

/** For each binding of a role that is active for somebody, the same for them. @param documents What the policy was compiled into */
export function timedBindings(
  documents: readonly TargetDocument[],
  active: readonly ActiveRole[],
  {
    config,
    wiring,
    model,
    now,
  }: { readonly config: KubernetesTarget; readonly wiring: Wiring; readonly model: Model; readonly now: number },
): readonly TargetDocument[] {
  const prefix = prefixOf(config, wiring)
  const { issuers } = model.world.resources[config.resource] ?? {}
  const bindings = documents.filter((one): one is Binding => Array.isArray((one as Partial<Binding>).subjects))
  return active.flatMap((activation) => {
    const { id, issuer, subject, until } = activation
    if (until <= now || issuers?.includes(issuer) === false) return []
    const groups = new Set(given(activation, model, now).map((role) => roleGroup(role, prefix)))
    return bindings
      .filter(({ subjects }) => subjects.some(({ kind, name }) => kind === 'Group' && groups.has(name)))
      .map((one) => ({
        ...one,
        metadata: {
          ...one.metadata,
          name: `ostiary-until-${hash([one.metadata, id])}`,
          annotations: { ...one.metadata.annotations, [TIMED.activation]: id, [TIMED.until]: new Date(until).toISOString() },
        },
        subjects: [{ kind: 'User', apiGroup: API_GROUP, name: userName(issuer, subject, prefix) }],
      }))
  })
}

/** Roles that it makes of somebody who is eligible for it: itself, and what it includes. */
function given({ issuer, role }: ActiveRole, { roles }: Model, now: number): readonly string[] {
  return [...roles].flatMap(([name, { bindings }]) =>
    bindings.some(
      (one) => one.eligible && one.issuer === issuer && (one.via ?? name) === role && (one.until === undefined || now < one.until),
    )
      ? [name]
      : [],
  )
}

function hash(content: unknown): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 16)
}

/** Until when a document in a cluster is to be there, in milliseconds since the epoch; undefined where it has no end. */
export function endOf(annotations: Readonly<Record<string, string>> | undefined): number | undefined {
  const until = annotations?.[TIMED.until]
  if (until === undefined) return undefined
  const time = Date.parse(until)
  // An end that nobody can read has been.
  return Number.isNaN(time) ? 0 : time
}
