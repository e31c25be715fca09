import { doorSchema, resourceSchema } from './http/schema.ts'

/** Every kind of door, by the protocol of the resources that it serves. */
export const doorKinds = { http: { doorSchema, resourceSchema } } as const
