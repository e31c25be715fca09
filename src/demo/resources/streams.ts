import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WebSocketServer } from 'ws'
import type { Clock, Timer } from '../../core/clock.ts'

const TICK_MS = 1000
const MAX_MESSAGE = 64 * 1024
/** Rows of an export at most, about 60 bytes each. */
export const MAX_ROWS = 20_000_000

/** Server-sent events: one `tick` a second until the other side, or the gateway, ends it. */
export function ticker(response: ServerResponse, clock: Clock): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
  let count = 0
  let timer: Timer | undefined
  const tick = (): void => {
    count += 1
    response.write(`id: ${count}\nevent: tick\ndata: ${JSON.stringify({ count, time: new Date(clock.now()).toISOString() })}\n\n`)
    timer = clock.after(TICK_MS, tick)
  }
  response.on('close', () => timer?.cancel())
  tick()
}

/** A download of `rows` lines of CSV, made while it is sent: it never takes more memory than the socket does. */
export function download(response: ServerResponse, rows: number): void {
  response.writeHead(200, {
    'content-type': 'text/csv; charset=utf-8',
    'content-disposition': 'attachment; filename="orders.csv"',
    'cache-control': 'no-store',
  })
  response.write('number,item,quantity,status\n')
  let row = 0
  const more = (): void => {
    while (row < rows) {
      const end = Math.min(row + 500, rows)
      let block = ''
      while (row < end) block += `${++row},"spare key, cut to pattern",${(row % 40) + 1},shipped\n`
      if (!response.write(block)) return void response.once('drain', more)
    }
    response.end()
  }
  more()
}

/** WebSockets that answer each message with itself. Made at the first handshake. */
export function echo(): {
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => Promise<void>
  readonly close: () => void
} {
  let server: WebSocketServer | undefined
  return {
    async upgrade(request, socket, head) {
      const { WebSocketServer: Server } = await import('ws')
      server ??= new Server({ noServer: true, maxPayload: MAX_MESSAGE })
      server.handleUpgrade(request, socket, head, (connection) => {
        connection.on('message', (data, binary) => connection.send(data, { binary }))
        connection.on('error', () => connection.terminate())
      })
    },
    close() {
      for (const connection of server?.clients ?? []) connection.terminate()
      server?.close()
    },
  }
}
