/** WebSockets: the handshake is read and written by the gateway, the frames pass as bytes. */
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock, Entropy } from '../../core/clock.ts'
import type { Outcome } from '../../core/record.ts'
import type { Roster } from '../../core/roster.ts'
import type { Answer, Failure, Forward } from './engine.ts'
import type { Running } from './exchange.ts'
import { closeFrame, FrameBoundary } from './frames.ts'
import { linger } from './linger.ts'
import { plainRequest } from './plain.ts'

/** A caller that asked to switch to WebSocket and waits. Nothing that it sends is read before `accept`. */
export interface UpgradeClient {
  /** The stream of frames. */
  readonly stream: Duplex
  /** True where the caller itself sends no key (RFC 8441). */
  readonly keyless: boolean
  accept(fields: string[]): void
  head(status: number, fields: string[]): void
  answer(answer: Answer): void
  /** Ends a relayed response that was no acceptance. */
  end(): void
}

export interface UpgradeParts {
  readonly clock: Clock
  readonly entropy: Entropy
  readonly running: Roster<Running>
}

/** RFC 6455 §4.2.2. */
const ACCEPT_SUFFIX = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** After a close frame the other end may take this long to see it. */
const CLOSE_MS = 400

/** A connection of HTTP/1.1 that its server has let go of. It closes after whatever is written. */
export class RawClient implements UpgradeClient {
  readonly stream: Socket
  readonly keyless = false
  readonly #clock: Clock

  constructor(socket: Socket, clock: Clock) {
    this.stream = socket
    this.#clock = clock
    socket.setTimeout(0)
  }

  accept(fields: string[]): void {
    this.#write(101, [...fields, 'Connection', 'Upgrade', 'Upgrade', 'websocket'])
  }

  head(status: number, fields: string[]): void {
    this.#write(status, [...fields, 'Connection', 'close'])
  }

  answer({ status, fields, body }: Answer): void {
    this.#write(status, [...fields, 'Content-Length', String(Buffer.byteLength(body)), 'Connection', 'close'])
    this.stream.write(body)
    this.end()
  }

  end(): void {
    linger(this.stream, this.#clock)
  }

  #write(status: number, fields: readonly string[]): void {
    let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n`
    for (let i = 0; i < fields.length; i += 2) text += `${fields[i]!}: ${fields[i + 1]!}\r\n`
    this.stream.write(`${text}\r\n`, 'latin1')
  }
}

/** Asks the upstream for the switch and, if it agrees, joins the two streams until access, or one of them, ends. */
export function carryUpgrade(plan: Forward, client: UpgradeClient, { clock, entropy, running }: UpgradeParts): void {
  const { passage, request, target } = plan
  const started = clock.monotonic()
  const boundary = new FrameBoundary()
  let status = 0
  let bytesIn = 0
  let bytesOut = 0
  let state: 'asking' | 'open' | 'relaying' | 'over' = 'asking'
  let upstream: Duplex | undefined

  const key = keyOf(request.fields) ?? Buffer.from(entropy.bytes(16)).toString('base64')
  const own = client.keyless ? ['Sec-WebSocket-Key', key] : []
  const outgoing = plainRequest(target, 'GET', request.target, [
    'Host',
    request.host,
    ...request.fields,
    ...own,
    'Connection',
    'Upgrade',
    'Upgrade',
    'websocket',
  ])

  const complete = (result: Outcome['result']): boolean => {
    if (state === 'over') return false
    state = 'over'
    running.delete(entry)
    passage.completed({ result, status, bytesIn, bytesOut, duration: clock.monotonic() - started })
    return true
  }
  const drop = (): void => {
    outgoing.destroy()
    upstream?.destroy()
  }
  const instead = (failure: Failure, result: Outcome['result']): void => {
    const answer = plan.failure(failure)
    status = answer.status
    const asking = state === 'asking'
    if (!complete(result)) return
    drop()
    if (asking) client.answer(answer)
    else client.stream.destroy()
  }
  const close = (code: number, reason: string, result: Outcome['result']): void => {
    const clear = boundary.clear
    if (!complete(result)) return
    drop()
    if (!clear || !client.stream.writable) {
      client.stream.destroy()
      return
    }
    client.stream.end(closeFrame(code, reason))
    client.stream.resume()
    clock.after(CLOSE_MS, () => client.stream.destroy())
    client.stream.once('end', () => client.stream.destroy())
  }
  const entry: Running = {
    slot: -1,
    endsAt: started + plan.maxDuration,
    stream: true,
    end(cause) {
      if (state !== 'open') instead(cause === 'shut-down' ? 'upstream-busy' : 'access-ended', cause)
      else if (cause === 'shut-down') close(1012, 'the gateway restarts', cause)
      else close(1008, cause === 'timed-out' ? 'the connection lasted too long' : 'access ended', cause)
    },
  }

  const relay = (response: IncomingMessage): void => {
    state = 'relaying'
    status = response.statusCode ?? 502
    client.head(status, plan.respond(status, response.rawHeaders))
    response.on('data', (chunk: Buffer) => {
      bytesOut += chunk.length
      if (!client.stream.write(chunk)) response.pause()
    })
    client.stream.on('drain', () => response.resume())
    response.on('end', () => {
      if (!response.complete) instead('upstream-failed', 'upstream-failed')
      else if (complete('completed')) client.end()
    })
    response.on('error', () => instead('upstream-failed', 'upstream-failed'))
  }

  const join = (response: IncomingMessage, socket: Duplex, head: Buffer): void => {
    upstream = socket
    socket.on('error', () => undefined)
    if (state !== 'asking' || !isAcceptance(response, key)) {
      instead('upstream-failed', 'upstream-failed')
      return
    }
    state = 'open'
    status = client.keyless ? 200 : 101
    client.accept(plan.respond(status, withoutHandshake(response.rawHeaders, client.keyless)))
    if (head.length > 0) socket.unshift(head)
    ;(socket as Socket).setTimeout(0)
    pump(socket, client.stream, (chunk) => {
      bytesOut += chunk.length
      boundary.feed(chunk)
    })
    pump(client.stream, socket, (chunk) => void (bytesIn += chunk.length))
    socket.on('close', () => {
      if (complete('completed')) client.stream.end(() => client.stream.destroy())
    })
  }

  running.add(entry)
  outgoing.on('upgrade', join)
  outgoing.on('response', (response) => {
    if (state === 'asking') relay(response)
    else response.destroy()
  })
  outgoing.on('error', () => instead('upstream-failed', 'upstream-failed'))
  outgoing.on('close', () => {
    if (state === 'asking') instead('upstream-failed', 'upstream-failed')
  })
  outgoing.on('timeout', () => instead('upstream-timeout', 'timed-out'))
  const gone = (): void => {
    complete(state === 'open' ? 'completed' : 'client-aborted')
    drop()
  }
  client.stream.on('close', gone)
  // It may have left while the decision was made.
  if (client.stream.destroyed) {
    gone()
    return
  }
  outgoing.end()
  passage.whenEnded((cause) => entry.end(cause))
}

function pump(from: Duplex, to: Duplex, count: (chunk: Buffer) => void): void {
  from.on('data', (chunk: Buffer) => {
    count(chunk)
    if (!to.write(chunk)) from.pause()
  })
  to.on('drain', () => from.resume())
  from.on('end', () => to.end())
}

function keyOf(fields: readonly string[]): string | undefined {
  for (let i = 0; i < fields.length; i += 2) if (fields[i]!.toLowerCase() === 'sec-websocket-key') return fields[i + 1]!
  return undefined
}

/** Whether this is the upstream's agreement to exactly this handshake, and not some other protocol's. */
function isAcceptance({ statusCode, headers }: IncomingMessage, key: string): boolean {
  const accept = createHash('sha1')
    .update(key + ACCEPT_SUFFIX)
    .digest('base64')
  return statusCode === 101 && headers.upgrade?.toLowerCase() === 'websocket' && headers['sec-websocket-accept'] === accept
}

function withoutHandshake(raw: readonly string[], keyless: boolean): string[] {
  const kept: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    const lower = raw[i]!.toLowerCase()
    if (lower === 'content-length' || (keyless && lower === 'sec-websocket-accept')) continue
    kept.push(raw[i]!, raw[i + 1]!)
  }
  return kept
}
