import { envoySchema } from './envoy/schema.ts'
import { doorSchema, resourceSchema } from './http/schema.ts'

/** Every kind of door, by the protocol of the resources that it serves. */
export const doorKinds = { http: { doorSchema, resourceSchema } } as const

/** Doors that serve no protocol of their own: by whom others enforce. */
export const doorsForOthers = { envoy: { doorSchema: envoySchema } } as const
