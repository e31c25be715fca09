import type { Clock } from '../core/clock.ts'
import { problem } from './problem.ts'
import type { Answer, OwnRequest } from './engine.ts'
import type { Downstream } from './exchange.ts'

/** How long the body of a request to the gateway itself may take, in milliseconds. */
export const OWN_BODY_MS = 10_000

/** Reads the body of a request that is the gateway's own to answer, whole and bounded, and answers it. Never throws, never rejects. */
export function answerOwn({ limit, expectsContinue, answer, abandoned }: OwnRequest, down: Downstream, clock: Clock): void {
  const chunks: Buffer[] = []
  let size = 0
  let over = false
  let asked = false
  const finish = (settled: Answer): void => {
    if (over) return
    over = true
    timer.cancel()
    if (!asked) abandoned?.(settled)
    down.answer(settled)
  }
  const timer = clock.after(OWN_BODY_MS, () => finish({ ...problem('http/request-timeout', {}), close: true }))
  down.onClose(() => {
    if (!over && !asked) abandoned?.(undefined)
    over = true
    timer.cancel()
  })
  down.body.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size > limit) finish(problem('http/body-too-large', {}))
    else if (!over) chunks.push(chunk)
  })
  down.body.on('end', () => {
    if (over) return
    asked = true
    try {
      const answered = answer(Buffer.concat(chunks))
      if (answered instanceof Promise) answered.then(finish, () => finish(problem('http/unavailable', {})))
      else finish(answered)
    } catch {
      finish(problem('http/unavailable', {}))
    }
  })
  if (expectsContinue) down.continue()
}
