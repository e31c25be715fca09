import type { PrincipalKind } from '../../core/principal.ts'
import type { JsonObject } from '../jose/json.ts'
import { Refusal } from '../jose/refusal.ts'

/** Who calls, as the shape of the token tells. */
export interface Caller {
  readonly kind: Exclude<PrincipalKind, 'anonymous'>
  /** Client that got the token. */
  readonly client: string
  readonly appOnly: boolean
  /** Scopes of a delegated token. */
  readonly scopes: readonly string[] | undefined
  /** An agent that acts for the subject: a party of its own. `identity` where it is one by Entra Agent ID. */
  readonly agent: 'identity' | 'listed' | undefined
}

/** Values of `xms_act_fct` and `xms_sub_fct`: the actor or the subject is an agent, or an agent's user account. */
const AGENT = 11
const AGENT_USER = 13

/** Tells callers apart by the claims of an access token. @throws Refusal `id-token`, `token-type`, `claim` */
export function readCaller(payload: JsonObject, agents: ReadonlySet<string>): Caller {
  const scopes = readScopes(payload)
  const client = readClient(payload, scopes)
  const actor = facets(payload, 'xms_act_fct')
  const subject = facets(payload, 'xms_sub_fct')
  const agent = actor.has(AGENT) || subject.has(AGENT) ? 'identity' : agents.has(client.toLowerCase()) ? 'listed' : undefined
  const mirid = payload['xms_mirid']
  if (mirid !== undefined && typeof mirid !== 'string') throw new Refusal('claim', 'xms_mirid')
  if (isAppOnly(payload, scopes)) {
    const kind = agent !== undefined ? 'agent' : mirid === undefined ? 'workload' : 'managed-identity'
    return { kind, client, appOnly: true, scopes: undefined, agent: undefined }
  }
  // An agent's user account is an agent all through; there is no human behind it.
  const kind = subject.has(AGENT_USER) || subject.has(AGENT) ? 'agent' : agent === undefined ? 'human' : 'human-via-agent'
  return { kind, client, appOnly: false, scopes, agent }
}

/** `azp` of a v2 token, `appid` of a v1 token. */
function readClient(payload: JsonObject, scopes: readonly string[]): string {
  const { azp, appid } = payload
  const client = azp ?? appid
  if (client === undefined) throw scopes.length === 0 ? new Refusal('id-token') : new Refusal('claim', 'azp')
  if (typeof client !== 'string' || client === '' || (azp !== undefined && appid !== undefined && azp !== appid))
    throw new Refusal('claim', 'azp')
  return client
}

/** Autonomous agents have `scp: "/"`, or an empty one, which means none. */
function readScopes({ scp }: JsonObject): readonly string[] {
  if (scp === undefined) return []
  if (typeof scp !== 'string') throw new Refusal('claim', 'scp')
  return scp.split(' ').filter((scope) => scope !== '' && scope !== '/')
}

/** What only tokens about people carry. */
export const PERSONAL = ['preferred_username', 'unique_name', 'upn', 'sid', 'auth_time', 'login_hint'] as const

/** By `idtyp`; without it, a token that holds no scope was got by the app for itself, unless it is about a person. */
function isAppOnly(payload: JsonObject, scopes: readonly string[]): boolean {
  switch (payload['idtyp']) {
    case 'app':
      if (scopes.length > 0) throw new Refusal('claim', 'idtyp')
      return true
    case 'user':
      return false
    case undefined:
      if (scopes.length > 0) return false
      if (PERSONAL.some((name) => name in payload)) throw new Refusal('id-token')
      return true
    case 'device':
      throw new Refusal('token-type')
    default:
      throw new Refusal('claim', 'idtyp')
  }
}

/** Space-separated integers in any order; those that mean nothing here are passed over, anything else makes the claim invalid. */
function facets(payload: JsonObject, name: 'xms_act_fct' | 'xms_sub_fct'): ReadonlySet<number> {
  const value = payload[name]
  if (value === undefined) return new Set()
  if (typeof value !== 'string') throw new Refusal('claim', name)
  const items = value.split(' ').filter((item) => item !== '')
  if (!items.every((item) => /^[0-9]{1,9}$/.test(item))) throw new Refusal('claim', name)
  return new Set(items.map(Number))
}
