/** A proxy in front of an API server that reads along on upgraded connections, and ends them when it is told to. Plain HTTP on loopback. */
import { createServer, type IncomingMessage } from 'node:http'
import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { agreedProtocol, StreamSession, type ClosingStatus, type StreamProtocol } from '../../../src/kubernetes/streams/session.ts'
import type { SessionEvent } from '../../../src/kubernetes/streams/events.ts'
import type { Cluster } from '../../../src/testing/cluster.ts'

export interface Tapped {
  readonly protocol: StreamProtocol
  readonly events: readonly SessionEvent[]
  readonly session: StreamSession
  /** Ends it as the door does. */
  close(status: ClosingStatus): void
}

export interface TapProxy {
  readonly url: string
  /** The sessions since the last look. */
  take(): readonly Tapped[]
  stop(): Promise<void>
}

/** Whoever comes is the administrator. */
export async function startTapProxy(cluster: Cluster): Promise<TapProxy> {
  let taps: Tapped[] = []
  const sockets = new Set<Duplex>()
  const onward = ({ url, method, headers }: IncomingMessage): ReturnType<typeof request> =>
    request(new URL(url!, cluster.server), {
      method: method!,
      ca: cluster.ca,
      agent: false,
      headers: { ...headers, authorization: `Bearer ${cluster.adminToken}` },
    })
  const server = createServer((incoming, response) => {
    const outgoing = onward(incoming)
    outgoing.on('response', (answer) => {
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
    })
    outgoing.on('error', () => response.destroy())
    incoming.pipe(outgoing)
  })
  server.on('upgrade', (incoming, client: Duplex, early: Buffer) => {
    sockets.add(client)
    const outgoing = onward(incoming)
    outgoing.on('response', ({ statusCode }) =>
      client.end(`HTTP/1.1 ${statusCode} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`),
    )
    outgoing.on('error', () => client.destroy())
    outgoing.on('upgrade', (answer, upstream, first) => {
      sockets.add(upstream)
      const { headers, rawHeaders } = answer
      const protocol = agreedProtocol({
        upgrade: headers.upgrade,
        subprotocol: headers['sec-websocket-protocol'],
        extensions: headers['sec-websocket-extensions'],
        streamVersion: headers['x-stream-protocol-version'] as string | undefined,
      })!
      const events: SessionEvent[] = []
      const kind = (['exec', 'attach', 'portforward'] as const).find(
        (one) => incoming.url!.includes(`/${one}?`) || incoming.url!.endsWith(`/${one}`),
      )!
      const session = new StreamSession({
        protocol,
        kind,
        sink: (event) => events.push('bytes' in event ? { ...event, bytes: event.bytes.slice() } : event),
      })
      taps.push({
        protocol,
        events,
        session,
        close(status) {
          upstream.destroy()
          const { bytes, done } = session.closing(status)
          if (done) client.end(bytes)
          else client.destroy()
        },
      })
      const fields = rawHeaders.reduce((text, part, at) => text + part + (at % 2 === 0 ? ': ' : '\r\n'), '')
      client.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n`)
      if (early.length > 0) client.unshift(early)
      if (first.length > 0) upstream.unshift(first)
      carry(client, upstream, (chunk) => session.fromClient(chunk))
      carry(upstream, client, (chunk) => session.fromServer(chunk))
    })
    outgoing.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    take() {
      const taken = taps
      taps = []
      for (const { session } of taken) session.ended()
      return taken
    },
    async stop() {
      for (const socket of sockets) socket.destroy()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function carry(from: Duplex, to: Duplex, read: (chunk: Buffer) => void): void {
  from.on('error', () => to.destroy())
  from.on('data', (chunk: Buffer) => {
    read(chunk)
    if (!to.writable) return
    if (!to.write(chunk)) from.pause()
  })
  to.on('drain', () => from.resume())
  from.on('end', () => to.end())
}
