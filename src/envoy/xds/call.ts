import { status, type ServerDuplexStream } from '@grpc/grpc-js'
import type { Clock, Timer } from '../../core/clock.ts'
import type { NodeAccount } from './account.ts'
import type { XdsLimits } from './limits.ts'
import { peerOf, type Peer } from './peer.ts'
import { shown, StreamRefusal } from './refusal.ts'
import { NodeStream, type DiscoveryMessage } from './stream.ts'
import type { Variant } from './variant.ts'

export interface CallOptions {
  readonly call: ServerDuplexStream<DiscoveryMessage, Uint8Array>
  readonly clock: Clock
  readonly limits: XdsLimits
  /** Part of the nonces of its stream. */
  readonly id: string
  readonly variant: Variant<DiscoveryMessage>
  /** Which node an identity is; without it nodes name themselves. */
  readonly nodeOf?: (identity: string) => string | undefined
  isOpen(): boolean
  /** One more stream, or one less, has not said whose it is. @throws StreamRefusal */
  stranger(by: 1 | -1): void
  /** @throws StreamRefusal if there are too many */
  account(node: string): NodeAccount
  readonly changed: (account: NodeAccount) => void
  /** The call holds no place any more. */
  released(account: NodeAccount): void
  readonly onFault: (error: unknown) => void
}

/** One gRPC call: finds out whose it is, then hands over to its stream. */
export class Call {
  readonly #options: CallOptions
  #peer: Peer | undefined
  #account: NodeAccount | undefined
  #stream: NodeStream<DiscoveryMessage> | undefined
  #isStranger = false
  #isGone = false
  #ended = false
  #timer: Timer | undefined

  constructor(options: CallOptions) {
    this.#options = options
  }

  begin(): void {
    const { call, clock, limits } = this.#options
    this.#guarded(() => {
      if (!this.#options.isOpen()) throw new StreamRefusal('UNAVAILABLE', 'the server is stopping')
      this.#identify()
      const late = new StreamRefusal('DEADLINE_EXCEEDED', `there was no first request within ${limits.firstRequestMs} ms`)
      this.#timer = clock.after(limits.firstRequestMs, () => this.#end(late))
    })
    call.on('data', (request: DiscoveryMessage) => this.#guarded(() => this.#receive(request)))
    call.on('end', () => this.#end())
    for (const event of ['cancelled', 'close']) call.on(event, () => this.#gone())
  }

  /** By certificate a place is taken before anything was read; otherwise among those that have not said who they are. */
  #identify(): void {
    const { call, clock, nodeOf } = this.#options
    if (nodeOf === undefined) {
      this.#options.stranger(1)
      this.#isStranger = true
      return
    }
    this.#peer = peerOf(call.getAuthContext(), clock.now())
    const node = nodeOf(this.#peer.identity)
    if (node === undefined) throw new StreamRefusal('PERMISSION_DENIED', `\`${shown(this.#peer.identity)}\` is no node of this server`)
    this.#take(node)
  }

  #take(node: string): void {
    const { streamsPerNode } = this.#options.limits
    const account = this.#options.account(node)
    if (account.calls >= streamsPerNode)
      throw new StreamRefusal('RESOURCE_EXHAUSTED', `the node \`${shown(node)}\` has ${streamsPerNode} streams already`)
    account.calls++
    this.#account = account
  }

  #receive(request: DiscoveryMessage): void {
    if (this.#ended) return
    const id = request.node?.id
    if (this.#stream === undefined) this.#open(id ?? '')
    else if (id !== undefined) this.#agree(id)
    this.#stream!.receive(request)
  }

  /** The first request says which node it is. */
  #open(id: string): void {
    const { clock, limits, variant, changed, onFault } = this.#options
    if (id === '') throw new StreamRefusal('INVALID_ARGUMENT', 'the first request has no node id')
    if (id.length > limits.nameLength)
      throw new StreamRefusal('INVALID_ARGUMENT', `the node id is longer than ${limits.nameLength} characters`)
    if (this.#account === undefined) {
      this.#take(id)
      this.#acquaint()
    }
    this.#agree(id)
    this.#timer?.cancel()
    const account = this.#account!
    const stream = new NodeStream(this.#options.id, variant, clock, limits, {
      send: (bytes, done) => void this.#options.call.write(bytes, () => done()),
      end: (refusal) => this.#end(refusal),
      fault: onFault,
      changed: () => changed(account),
    })
    this.#stream = stream
    account.opened(stream, (refusal) => this.#end(refusal))
    if (this.#peer !== undefined) this.#expire(this.#peer.until)
  }

  #agree(id: string): void {
    const { node } = this.#account!
    if (id === node) return
    const text = `the node id \`${shown(id)}\` is not that of the certificate, which is \`${shown(node)}\``
    throw new StreamRefusal(
      'PERMISSION_DENIED',
      this.#peer === undefined ? `the node id changed from \`${shown(node)}\` to \`${shown(id)}\`` : text,
    )
  }

  /** A stream ends with the certificate that opened it. */
  #expire(until: number): void {
    const { clock } = this.#options
    // A timer may fire early where the delay is longer than a timer can be.
    this.#timer = clock.after(until - clock.now(), () => {
      if (clock.now() < until) this.#expire(until)
      else this.#end(new StreamRefusal('UNAUTHENTICATED', 'the client certificate has ended'))
    })
  }

  #guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      if (error instanceof StreamRefusal) return this.#end(error)
      this.#end(new StreamRefusal('INTERNAL', 'a fault of the server'))
      this.#options.onFault(error)
    }
  }

  #end(refusal?: StreamRefusal): void {
    if (this.#ended) return
    this.#ended = true
    this.#timer?.cancel()
    const { call } = this.#options
    if (refusal === undefined) call.end()
    else call.emit('error', Object.assign(new Error(refusal.message), { code: status[refusal.code], details: refusal.message }))
    this.#detach()
  }

  #detach(): void {
    if (this.#stream === undefined || this.#account === undefined) return
    this.#account.closed(this.#stream)
    this.#options.changed(this.#account)
  }

  /** Nothing of the call is left, not even what it has still to write. */
  #gone(): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#ended = true
    this.#timer?.cancel()
    this.#detach()
    this.#acquaint()
    if (this.#account === undefined) return
    this.#account.calls--
    this.#options.released(this.#account)
  }

  #acquaint(): void {
    if (this.#isStranger) this.#options.stranger(-1)
    this.#isStranger = false
  }
}
