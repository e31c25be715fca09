import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { isLoopbackHost } from '../config/fields.ts'
import { OstiaryError } from '../core/errors.ts'

/** Where a part of the demo listens. Port 0 takes any free one. */
export interface ListenOptions {
  readonly host?: string | undefined
  readonly port: number
  /** Certificate and key, in PEM, for clients that insist on TLS. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined
}

export interface Listening {
  readonly host: string
  readonly port: number
  readonly server: Server
  /** Ends every connection, then resolves. */
  close(): Promise<void>
}

/**
 * Listens on plain HTTP, on loopback only. `what` names the part in errors.
 * @throws OstiaryError `demo/not-loopback`, `demo/port-taken`, `demo/listen`
 */
export async function listenOnLoopback(
  what: string,
  { host = '127.0.0.1', port, tls }: ListenOptions,
  handler: RequestListener,
): Promise<Listening> {
  if (!isLoopbackHost(host)) throw new OstiaryError('demo/not-loopback', { host })
  const limits = { maxHeaderSize: 32 * 1024, requestTimeout: 30_000 }
  const server = tls === undefined ? createServer(limits, handler) : createTlsServer({ ...limits, ...tls }, handler)
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const address = `${host}:${port}`
      const details = { address, what, cause: error.code ?? error.message }
      reject(new OstiaryError(error.code === 'EADDRINUSE' ? 'demo/port-taken' : 'demo/listen', details))
    })
    server.listen(port, host, resolve)
  })
  return {
    host,
    port: (server.address() as AddressInfo).port,
    server,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

/** The body of a request as text; undefined where it is larger than `limit` bytes. */
export async function readText(request: IncomingMessage, limit: number): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > limit) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
