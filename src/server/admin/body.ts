import type { Context, MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { z } from 'zod'
import { OstiaryError } from '../../core/errors.ts'

/** Longest body of what is asked for here, in bytes; and the longest reason, in characters. */
export const MAX_BODY = 4_096
const MAX_REASON = 256

/** One line of text without blanks around it. */
export function line(most: number) {
  return z
    .string()
    .min(1)
    .max(most)
    .refine((text) => !/\p{C}/u.test(text) && text.trim() === text, 'write one line without blanks around it')
}

export const reason = line(MAX_REASON).describe('Why, for the record')

/** @throws OstiaryError `server/bad-request` for a body that is too long */
export const limited: MiddlewareHandler = bodyLimit({
  maxSize: MAX_BODY,
  onError: () => Promise.reject(new OstiaryError('server/bad-request', { problem: `the body is longer than ${MAX_BODY} bytes` })),
})

/** @throws OstiaryError `server/bad-request` for a body that isn't said to be JSON: no form of another site can say that */
export function textOf(context: Context): Promise<string> {
  if (!/^application\/json(;|$)/i.test(context.req.header('content-type') ?? ''))
    throw new OstiaryError('server/bad-request', { problem: 'the body must be `application/json`' })
  return context.req.text()
}
