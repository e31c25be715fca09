import { z } from 'zod'
import { withMembers } from './claims.ts'
import type { JsonObject } from './jose/json.ts'

/** Owners that are accepted, ids and names apart: on these platforms somebody may be called `65`. */
export interface Listed {
  readonly ids: ReadonlySet<string>
  /** In lower case. */
  readonly names: ReadonlySet<string>
}

const ID = /^[0-9]+$/

/** A list of ids and names. What has digits only is an id, and never a name. */
export function ownerList(what: string) {
  return z.array(z.string().regex(/^[A-Za-z0-9_.][A-Za-z0-9_./-]{0,254}$/, `write the id of ${what}, in quotes, or its name`)).min(1)
}

export function listed(owners: readonly string[]): Listed {
  return {
    ids: new Set(owners.filter((one) => ID.test(one))),
    names: new Set(owners.filter((one) => !ID.test(one)).map((one) => one.toLowerCase())),
  }
}

/** Whether the owner with this id, or with one of these names, is listed. */
export function isListed({ ids, names }: Listed, id: string, called: readonly string[]): boolean {
  return ids.has(id) || called.some((name) => names.has(name.toLowerCase()))
}

/** The payload with `"true"` and `"false"` made booleans; any other text is left, and so is of the wrong type. */
export function withBooleans(payload: JsonObject, ...claims: readonly string[]): JsonObject {
  const told = claims.filter((claim) => payload[claim] === 'true' || payload[claim] === 'false')
  return withMembers(payload, Object.fromEntries(told.map((claim) => [claim, payload[claim] === 'true'])))
}
