import type { Socket } from 'node:net'
import type { Clock } from '../core/clock.ts'

/** What a caller may go on sending after an early answer, in bytes and milliseconds, before its connection is cut. */
const MAX_BYTES = 256 * 1024
const MAX_MS = 2000

/**
 * Closes a connection whose other end is still sending, so that the answer just written isn't lost: closing with unread
 * bytes makes the system send a reset, which may overtake it. Writes end now; what still comes in is thrown away, up to a bound.
 */
export function linger(socket: Socket, clock: Clock): void {
  if (socket.destroyed) return
  const start = socket.bytesRead
  const timer = clock.after(MAX_MS, () => socket.destroy())
  socket.on('data', () => {
    if (socket.bytesRead - start > MAX_BYTES) socket.destroy()
  })
  socket.on('end', () => socket.destroy())
  socket.on('close', () => timer.cancel())
  socket.on('error', () => undefined)
  socket.end()
  socket.resume()
}
