import type { Evidence, Identity } from '../../core/principal.ts'
import { readClaims, withMembers, type DeclaredClaim } from '../claims.ts'
import { isObject, type JsonObject, type JsonValue } from '../jose/json.ts'
import { Refusal } from '../jose/refusal.ts'
import { MAX_SUBJECT } from '../signed.ts'

/** Parties of a chain at most: the subject and those who act for it. */
export const MAX_PARTIES = 4

/** One who acts for the subject, as `act` names it (RFC 8693 §4.1). */
interface Actor {
  readonly subject: string
  readonly client: string | undefined
  readonly payload: JsonObject
}

export interface PartyContext {
  readonly issuer: string
  readonly issuerUrl: string
  readonly declared: readonly DeclaredClaim[]
  readonly agents: ReadonlySet<string>
  readonly evidence: Evidence
  readonly scopes: readonly string[] | undefined
}

/**
 * The chain of those who act for the subject, the one that acts now first. A client that is a listed agent is a party also
 * where `act` doesn't say so. @throws Refusal `claim`, `too-many-parties`
 */
export function readActors(payload: JsonObject, client: string | undefined, context: PartyContext): Identity | undefined {
  const actors: Actor[] = []
  for (let at: JsonValue | undefined = payload['act']; at !== undefined; at = at['act']) {
    if (!isObject(at)) throw new Refusal('claim', 'act')
    if (actors.length + 1 === MAX_PARTIES) throw new Refusal('too-many-parties')
    actors.push(readActor(at, context.issuerUrl))
  }
  if (client !== undefined && context.agents.has(client) && !actors.some((actor) => actor.subject === client || actor.client === client)) {
    const alone = Object.assign(Object.create(null) as Record<string, JsonValue>, { sub: client, client_id: client })
    actors.unshift({ subject: client, client, payload: alone })
  }
  if (actors.length + 1 > MAX_PARTIES) throw new Refusal('too-many-parties')
  return actors.reduceRight<Identity | undefined>((next, actor) => identityOf(actor, next, context), undefined)
}

/** The payload of a party that the kind's claims are read from: `client_id` wherever the provider has it. */
export function withClient(payload: JsonObject, client: string | undefined): JsonObject {
  return payload['client_id'] === client ? payload : withMembers(payload, { client_id: client })
}

/** `client_id`, or `azp` where the provider calls it so. @throws Refusal `claim` */
export function readClient({ client_id: id, azp }: JsonObject): string | undefined {
  const client = id ?? azp
  if (client === undefined) return undefined
  if (typeof client !== 'string' || client === '' || (id !== undefined && azp !== undefined && id !== azp))
    throw new Refusal('claim', 'client_id')
  return client
}

function readActor(payload: JsonObject, issuerUrl: string): Actor {
  const { sub, iss } = payload
  if (typeof sub !== 'string' || sub === '' || sub.length > MAX_SUBJECT) throw new Refusal('claim', 'act')
  // A party of another issuer would be named as one of this: its subject means nothing here.
  if (iss !== undefined && iss !== issuerUrl) throw new Refusal('claim', 'act')
  return { subject: sub, client: readClient(payload), payload }
}

function identityOf({ subject, client, payload }: Actor, actor: Identity | undefined, context: PartyContext): Identity {
  const { issuer, declared, agents, evidence, scopes } = context
  const agent = agents.has(subject) || (client !== undefined && agents.has(client))
  return {
    issuer,
    subject,
    kind: agent ? 'agent' : 'workload',
    ...readClaims(withClient(payload, client), declared),
    scopes,
    appOnly: false,
    listedClient: false,
    actor,
    display: client ?? subject,
    evidence,
  }
}
