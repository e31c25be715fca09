/** What clients send, as far as it is looked at. Everything else in it is left alone. */
import { z } from 'zod'
import { INVALID_PARAMS, RpcError } from './rpc.ts'

const uint = z
  .int()
  .min(0)
  .max(2 ** 31 - 1)
const place = z.object({ line: uint, character: uint })
const range = z.object({ start: place, end: place })
const identifier = z.object({ uri: z.string().max(8192) })

export const initialize = z.object({
  capabilities: z
    .object({
      general: z.object({ positionEncodings: z.array(z.string()).optional() }).optional(),
      workspace: z.object({ didChangeWatchedFiles: z.object({ dynamicRegistration: z.boolean().optional() }).optional() }).optional(),
    })
    .optional(),
})
export const document = z.object({ textDocument: identifier })
export const position = z.object({ textDocument: identifier, position: place })
export const references = position.extend({ context: z.object({ includeDeclaration: z.boolean() }) })
export const rename = position.extend({ newName: z.string().max(1000) })
export const ranged = z.object({ textDocument: identifier, range })
export const opened = z.object({ textDocument: identifier.extend({ version: z.int(), text: z.string() }) })
export const changed = z.object({
  textDocument: identifier.extend({
    version: z
      .int()
      .nullish()
      .transform((version) => version ?? 0),
  }),
  contentChanges: z.array(z.object({ range: range.optional(), text: z.string() })).max(100_000),
})
export const saved = z.object({ textDocument: identifier, text: z.string().optional() })

export type Initialize = z.output<typeof initialize>
export type AtPosition = z.output<typeof position>

/** @throws RpcError where it isn't what the method takes */
export function read<T extends z.ZodType>(schema: T, given: unknown): z.output<T> {
  const parsed = schema.safeParse(given)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new RpcError(INVALID_PARAMS, `\`${issue?.path.map(String).join('.') ?? ''}\`: ${issue?.message ?? 'not understood'}`)
}
