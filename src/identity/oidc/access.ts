import type { Identity } from '../../core/principal.ts'
import { readClaims, type DeclaredClaim } from '../claims.ts'
import type { JsonObject } from '../jose/json.ts'
import { Refusal } from '../jose/refusal.ts'
import { bearerEvidence, type Proof } from '../signed.ts'
import { readActors, withClient } from './parties.ts'
import type { Profile } from './profile.ts'

/** What the claims of an access token are judged by, however they were proven. */
export interface AccessJudge {
  /** The issuer's configured name. */
  readonly name: string
  /** The `iss` of its tokens. */
  readonly issuer: string
  readonly audiences: ReadonlySet<string>
  readonly clients: ReadonlySet<string>
  readonly agents: ReadonlySet<string>
  readonly declared: readonly DeclaredClaim[]
  readonly profile: Profile
}

/** The identity that proven claims speak of (RFC 9068 §2.2, RFC 8693 §4). @throws Refusal */
export function accessIdentity(judge: AccessJudge, payload: JsonObject, proof: Pick<Proof, 'issuedAt' | 'expiresAt' | 'header'>): Identity {
  const { name: issuer, issuer: issuerUrl, profile, declared, agents } = judge
  profile.checkAccess(payload)
  const audience = profile.audience(payload, judge.audiences)
  const subject = profile.subject(payload)
  const client = profile.client(payload)
  if (client === undefined && profile.clientRequired) throw new Refusal('claim', 'client_id')
  const appOnly = profile.appOnly(payload, subject, client)
  const evidence = bearerEvidence(payload, { issuerUrl, audience, client, ...proof })
  const scopes = readScopes(payload, appOnly)
  const derived = profile.derive(payload, audience)
  const actor = appOnly ? undefined : readActors(payload, client, { issuer, issuerUrl, declared, agents, evidence, scopes })
  return {
    issuer,
    subject,
    kind: kindOf(subject, client, appOnly, actor, agents),
    ...readClaims(withClient(derived, client), declared),
    scopes,
    appOnly,
    listedClient: appOnly && client !== undefined && judge.clients.has(client),
    actor,
    display: appOnly ? client : displayOf(derived),
    evidence,
  }
}

function kindOf(
  subject: string,
  client: string | undefined,
  appOnly: boolean,
  actor: Identity | undefined,
  agents: ReadonlySet<string>,
): Identity['kind'] {
  if (agents.has(subject)) return 'agent'
  if (appOnly) return client !== undefined && agents.has(client) ? 'agent' : 'workload'
  for (let at = actor; at !== undefined; at = at.actor) if (at.kind === 'agent') return 'human-via-agent'
  return 'human'
}

/**
 * `scope` (RFC 8693 §4.2), or `scp` as Okta and others write it. A delegated token without any has none; one that a client got for
 * itself is capped by its scopes only where it names some.
 */
function readScopes({ scope, scp }: JsonObject, appOnly: boolean): readonly string[] | undefined {
  const value = scope === undefined ? scp : scope
  if (value === undefined) return appOnly ? undefined : []
  if (typeof value === 'string') return value.split(' ').filter((one) => one !== '')
  if (!Array.isArray(value) || !value.every((one) => typeof one === 'string'))
    throw new Refusal('claim', scope === undefined ? 'scp' : 'scope')
  return value
}

/** Who it is, for people to read. Nothing is decided on it. */
export function displayOf(payload: JsonObject): string | undefined {
  const shown = payload['preferred_username'] ?? payload['username'] ?? payload['name'] ?? payload['email']
  return typeof shown === 'string' ? shown : undefined
}
