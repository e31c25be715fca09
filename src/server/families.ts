import { z } from 'zod'
import { resourceBase, type Families, type Wiring } from '../config/schema.ts'
import { doorKinds, doorsForOthers } from '../doors/index.ts'
import { issuerKinds } from '../identity/index.ts'
import { OWN_RESOURCE, PROTOCOLS } from '../policy/index.ts'
import { targetKinds } from '../targets/index.ts'
import type { NativeIssuers } from '../targets/target.ts'

/** Protocols that policy speaks and no door carries: their resources are checked and asked about, and reached by nobody. */
export const WITHOUT_DOOR: readonly string[] = PROTOCOLS.filter((protocol) => !Object.hasOwn(doorKinds, protocol))

/** Every kind that is built in, gathered from the families' own lists. */
export const families: Families = {
  issuers: Object.fromEntries(Object.entries(issuerKinds).map(([kind, { schema }]) => [kind, schema])),
  resources: {
    ...Object.fromEntries(Object.entries(doorKinds).map(([kind, { resourceSchema }]) => [kind, resourceSchema])),
    ...Object.fromEntries(
      WITHOUT_DOOR.map((protocol) => [protocol, resourceBase.extend({ protocol: z.literal(protocol).describe('What it speaks') })]),
    ),
  },
  doors: Object.fromEntries(Object.entries({ ...doorKinds, ...doorsForOthers }).map(([kind, { doorSchema }]) => [kind, doorSchema])),
  targets: Object.fromEntries(Object.entries(targetKinds).map(([kind, { schema }]) => [kind, schema])),
}

/** The gateway as an issuer of its own: whoever used the one-time link that it printed on its terminal. */
export const GATEWAY_ISSUER = 'ostiary'
/** The gateway as a resource: admin API, console and record, under the same policy as everything else. */
export const GATEWAY_RESOURCE = OWN_RESOURCE

/** Each issuer's tokens in their native form, or why there is none. */
export function nativeIssuers(wiring: Pick<Wiring, 'issuers'>): NativeIssuers {
  return new Map(
    Object.entries(wiring.issuers).map(([name, config]) => {
      const { native } = issuerKinds[config.kind]!
      return [name, native?.(name, config) ?? { refused: `is of kind \`${config.kind}\`, whose credentials only Ostiary can judge` }]
    }),
  )
}

/** Claims that policy may speak of, by kind of issuer. */
export const kindClaims = {
  ...Object.fromEntries(Object.entries(issuerKinds).map(([kind, { claims }]) => [kind, claims])),
  gateway: { via: { type: 'string', mayBeUnknown: false } },
} as const
