import type { JsonObject } from '../jose/json.ts'
import { Refusal } from '../jose/refusal.ts'
import { readClient } from '../oidc/parties.ts'
import { isPlain, rfc9068, type Profile } from '../oidc/profile.ts'
import { readText } from '../signed.ts'
import type { JwtConfig } from './schema.ts'

/** How a service that signs its own tokens writes them. A workload that names no client is its own. */
export function jwtProfile({ type, clientClaim, principal }: Pick<JwtConfig, 'type' | 'clientClaim' | 'principal'>): Profile {
  const named = principal === 'workload' ? (payload: JsonObject) => readClient(payload) ?? readText(payload, 'sub') : readClient
  const wanted = type?.toLowerCase().replace(/^application\//, '')
  return {
    ...rfc9068,
    hasType: wanted === undefined ? isPlain : (given) => given === wanted,
    client: clientClaim === undefined ? named : (payload) => readText(payload, clientClaim),
    clientRequired: false,
    appOnly: principal === 'workload' ? alone : () => false,
  }
}

/** A workload speaks for itself. Whoever else is in its chain would be passed over. @throws Refusal `claim` */
function alone(payload: JsonObject): boolean {
  if (payload['act'] !== undefined) throw new Refusal('claim', 'act')
  return true
}
