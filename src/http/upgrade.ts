/** Switches of protocol: the handshake is read and written by the gateway; what comes after it passes as bytes. */
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock, Entropy } from '../core/clock.ts'
import type { Outcome } from '../core/record.ts'
import type { Roster } from '../core/roster.ts'
import type { Answer, Failure, Forward, StreamTap, UpgradeProtocol } from './engine.ts'
import type { Running } from './exchange.ts'
import { closeFrame, FrameBoundary } from './frames.ts'
import { linger } from './linger.ts'
import { plainRequest } from './plain.ts'

/** A caller that asked to switch and waits. Nothing that it sends is read before `accept`. */
export interface UpgradeClient {
  /** The stream of what comes after the switch. */
  readonly stream: Duplex
  /** True where the caller itself sends no key (RFC 8441). */
  readonly keyless: boolean
  accept(protocol: UpgradeProtocol, fields: string[]): void
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

/** As those who ask for it spell it. */
const SPELLED: Readonly<Record<UpgradeProtocol, string>> = { websocket: 'websocket', 'spdy/3.1': 'SPDY/3.1' }

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

  accept(protocol: UpgradeProtocol, fields: string[]): void {
    this.#write(101, [...fields, 'Connection', 'Upgrade', 'Upgrade', SPELLED[protocol]])
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
  const { passage, request, target, upgrade: protocol } = plan
  const started = clock.monotonic()
  // What was not decided as a switch has filters and masks, which nothing here carries out.
  if (protocol === undefined) {
    const answer = plan.failure('upgrade')
    passage.completed({ result: 'refused', status: answer.status, bytesIn: 0, bytesOut: answer.body.length, duration: 0 })
    client.answer(answer)
    return
  }
  const boundary = new FrameBoundary()
  let status = 0
  let bytesIn = 0
  let bytesOut = 0
  let state: 'asking' | 'open' | 'relaying' | 'over' = 'asking'
  let upstream: Duplex | undefined
  let tap: StreamTap | undefined
  let closing: Cause | undefined

  const key = keyOf(request.fields) ?? Buffer.from(entropy.bytes(16)).toString('base64')
  const own = client.keyless ? ['Sec-WebSocket-Key', key] : request.method === 'GET' ? [] : ['Content-Length', '0']
  const outgoing = plainRequest(target, request.method, request.target, [
    'Host',
    request.host,
    ...request.fields,
    ...own,
    'Connection',
    'Upgrade',
    'Upgrade',
    SPELLED[protocol],
  ])

  const complete = (result: Outcome['result']): boolean => {
    if (state === 'over') return false
    state = 'over'
    running.delete(entry)
    try {
      tap?.over()
    } catch {
      // What read along has no say in how it ended.
    }
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
  const close = (code: number, reason: string, result: Cause): void => {
    if (state === 'over' || closing !== undefined) return
    if (tap === undefined) {
      const last = protocol === 'websocket' && boundary.clear ? closeFrame(code, reason) : undefined
      if (complete(result)) part(last)
      return
    }
    const { bytes, done } = lastWords(tap, result)
    if (done) {
      if (complete(result)) part(bytes.length === 0 ? undefined : bytes)
      return
    }
    // In the middle of a frame: what is left of it goes out, and nothing behind it.
    closing = result
    client.stream.write(bytes)
    clock.after(CLOSE_MS, () => {
      if (complete(result)) part(undefined)
    })
  }
  /** Lets go of both sides, with last words for the caller if there are any. */
  const part = (last: Buffer | undefined): void => {
    drop()
    if (last === undefined || !client.stream.writable) {
      client.stream.destroy()
      return
    }
    client.stream.end(last)
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
    if (plan.refuses?.(status) === true) {
      state = 'asking'
      instead('upstream-refused', 'upstream-failed')
      return
    }
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
    if (state !== 'asking' || !isAcceptance(response, protocol, key)) {
      instead('upstream-failed', 'upstream-failed')
      return
    }
    try {
      tap = plan.tap?.(response.rawHeaders, () => close(1011, 'the gateway can not carry it on', 'refused'))
    } catch {
      instead('upgrade', 'refused')
      return
    }
    state = 'open'
    status = client.keyless ? 200 : 101
    client.accept(protocol, plan.respond(status, withoutHandshake(response.rawHeaders, client.keyless)))
    if (head.length > 0) socket.unshift(head)
    ;(socket as Socket).setTimeout(0)
    const broken = (): void => {
      complete('refused')
      drop()
      client.stream.destroy()
    }
    pump(socket, client.stream, broken, (chunk) => {
      if (closing !== undefined) {
        const { bytes, done } = lastWords(tap!, closing, chunk)
        if (!done) client.stream.write(bytes)
        else if (complete(closing)) part(bytes)
        return false
      }
      bytesOut += chunk.length
      if (tap === undefined) boundary.feed(chunk)
      else tap.fromServer(chunk)
      return true
    })
    pump(client.stream, socket, broken, (chunk) => {
      bytesIn += chunk.length
      if (closing === undefined) tap?.fromClient(chunk)
      return closing === undefined
    })
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

/** @param read Sees what passes before it does, and says whether it does; what it throws stops it */
function pump(from: Duplex, to: Duplex, broken: () => void, read: (chunk: Buffer) => boolean): void {
  from.on('data', (chunk: Buffer) => {
    let passes: boolean
    try {
      passes = read(chunk)
    } catch {
      broken()
      return
    }
    if (!passes) return
    if (!to.write(chunk)) from.pause()
  })
  to.on('drain', () => from.resume())
  from.on('end', () => to.end())
}

type Cause = Parameters<Running['end']>[0] | 'refused'

/** What a reader throws here must not keep the connection open. */
function lastWords(tap: StreamTap, cause: Cause, chunk?: Buffer): ReturnType<StreamTap['closing']> {
  try {
    return tap.closing(cause === 'refused' ? 'shut-down' : cause, chunk)
  } catch {
    return { bytes: Buffer.alloc(0), done: true }
  }
}

function keyOf(fields: readonly string[]): string | undefined {
  for (let i = 0; i < fields.length; i += 2) if (fields[i]!.toLowerCase() === 'sec-websocket-key') return fields[i + 1]!
  return undefined
}

/** Whether this is the upstream's agreement to exactly this handshake, and not some other protocol's. */
function isAcceptance({ statusCode, headers }: IncomingMessage, protocol: UpgradeProtocol, key: string): boolean {
  if (statusCode !== 101 || headers.upgrade?.toLowerCase() !== protocol) return false
  if (protocol !== 'websocket') return true
  const accept = createHash('sha1')
    .update(key + ACCEPT_SUFFIX)
    .digest('base64')
  return headers['sec-websocket-accept'] === accept
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
