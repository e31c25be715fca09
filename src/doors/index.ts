import { envoySchema } from './envoy/schema.ts'
import { doorSchema, resourceSchema } from './http/schema.ts'
import { doorSchema as kubernetesDoor, resourceSchema as cluster } from './kubernetes/schema.ts'

/** Every kind of door, by the protocol of the resources that it serves. */
export const doorKinds = {
  http: { doorSchema, resourceSchema },
  kubernetes: { doorSchema: kubernetesDoor, resourceSchema: cluster },
} as const

/** Doors that serve no protocol of their own: by whom others enforce. */
export const doorsForOthers = { envoy: { doorSchema: envoySchema } } as const
