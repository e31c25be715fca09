import type { ClaimInfo } from '../issuer.ts'
import type { JsonObject, JsonValue } from '../jose/json.ts'
import type { Caller } from './caller.ts'

const text: ClaimInfo = { type: 'string', mayBeUnknown: false }

/** Claims that policy may speak of. All are told by STS, or derived from what it tells. */
export const awsClaims = {
  arn: text,
  account: text,
  partition: text,
  userId: text,
  uniqueId: text,
  principalType: text,
  user: text,
  role: text,
  roleArn: text,
  sessionName: text,
} as const satisfies Readonly<Record<string, ClaimInfo>> & Readonly<Record<keyof Caller, ClaimInfo>>

/** What is known of a caller, as the payload that declared claims are read from. */
export function payloadOf(caller: Caller): JsonObject {
  const known = Object.entries(caller).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return Object.assign(Object.create(null) as Record<string, JsonValue>, Object.fromEntries(known))
}
