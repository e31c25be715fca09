/**
 * The management server that Envoys are fed from (xDS, version 3): aggregated discovery over gRPC, both variants. It knows nothing of policy:
 * whoever makes a node's snapshot hands it in, and reads from the status what became of it. Loading this file loads gRPC and Envoy's messages.
 */
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js'
import type { Clock } from '../../core/clock.ts'
import { OstiaryError } from '../../core/errors.ts'
import { definitionOf } from '../grpc.ts'
import { AggregatedDiscoveryService } from '../messages/envoy/service/discovery/v3/ads_pb.ts'
import { NodeAccount } from './account.ts'
import { Call } from './call.ts'
import { MutualTls, type TlsMaterial } from './credentials.ts'
import { delta } from './delta.ts'
import { DEFAULT_LIMITS, type XdsLimits } from './limits.ts'
import { StreamRefusal } from './refusal.ts'
import type { Snapshot } from './snapshot.ts'
import { stateOfTheWorld } from './sotw.ts'
import type { NodeStatus } from './status.ts'
import type { DiscoveryMessage } from './stream.ts'
import type { Variant } from './variant.ts'

/** How nodes prove who they are. */
export type XdsTrust =
  /** By certificate. `nodeOf` says which node an identity (a URI, else a DNS name) is; undefined for none. */
  | { readonly tls: TlsMaterial; nodeOf(identity: string): string | undefined }
  /** Not at all, on loopback only: the id that a node gives itself names it. */
  | { readonly loopback: true }

export interface XdsOptions {
  readonly host: string
  /** 0 for any that is free. */
  readonly port: number
  readonly trust: XdsTrust
  readonly clock: Clock
  readonly limits?: Partial<XdsLimits>
  /** Where address and port are configured, for the error if they can't be had. */
  readonly where: string
  /** Told of what is a fault of this server; the stream it happened on has ended. */
  readonly onFault: (error: unknown) => void
}

export class XdsServer {
  readonly #options: XdsOptions
  readonly #limits: XdsLimits
  readonly #server: Server
  readonly #credentials: MutualTls | undefined
  readonly #accounts = new Map<string, NodeAccount>()
  readonly #told = new Map<string, string>()
  readonly #listeners = new Set<(status: NodeStatus) => void>()
  #strangers = 0
  #streams = 0
  #stopping = false
  #address = ''

  /** @throws OstiaryError `xds/loopback` if nodes wouldn't have to prove who they are on an address that others reach */
  constructor(options: XdsOptions) {
    this.#options = options
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits }
    const { host, trust } = options
    if ('loopback' in trust && !/^(127\.\d+\.\d+\.\d+|::1)$/.test(host)) throw new OstiaryError('xds/loopback', { host })
    this.#credentials = 'tls' in trust ? new MutualTls(trust.tls) : undefined
    this.#server = new Server({
      'grpc.max_receive_message_length': this.#limits.requestBytes,
      'grpc.max_concurrent_streams': 4 * this.#limits.streamsPerNode,
      'grpc.keepalive_time_ms': 60_000,
      'grpc.keepalive_timeout_ms': 20_000,
    })
    this.#server.addService(definitionOf(AggregatedDiscoveryService), {
      streamAggregatedResources: (call: ServerDuplexStream<DiscoveryMessage, Uint8Array>) => this.#serve(call, stateOfTheWorld()),
      deltaAggregatedResources: (call: ServerDuplexStream<DiscoveryMessage, Uint8Array>) => this.#serve(call, delta(this.#limits)),
    })
  }

  /** Listens, and answers the port. @throws OstiaryError `server/listen` */
  start(): Promise<number> {
    const { host, port, where } = this.#options
    const address = (number: number): string => `${host.includes(':') ? `[${host}]` : host}:${number}`
    return new Promise((resolve, reject) => {
      this.#server.bindAsync(address(port), this.#credentials ?? ServerCredentials.createInsecure(), (error, bound) => {
        if (error !== null)
          return reject(
            new OstiaryError('server/listen', { address: address(port), what: 'xDS', cause: error.message, where }, { cause: error }),
          )
        this.#address = address(bound)
        resolve(bound)
      })
    })
  }

  /** From here on the node should have this: what has changed goes out at once, in order. @throws OstiaryError `xds/too-many-nodes` */
  publish(node: string, snapshot: Snapshot): void {
    const account = this.#accounts.get(node) ?? this.#add(node)
    account.publish(snapshot)
    this.#changed(account)
  }

  /** The node is no longer served; its streams end, and what it has it keeps. */
  forget(node: string): void {
    const account = this.#accounts.get(node)
    if (account === undefined) return
    account.snapshot = undefined
    account.endAll(new StreamRefusal('UNAVAILABLE', 'this node is not served any more'))
    this.#release(account)
  }

  /** How each node stands, in order of their names. */
  status(): readonly NodeStatus[] {
    return [...this.#accounts.values()].map((account) => account.status()).sort((a, b) => (a.node < b.node ? -1 : 1))
  }

  /** Tells each change of a node's status; answers how to be told no more. */
  onStatus(listener: (status: NodeStatus) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** Takes new keys, certificates and authorities. All nodes connect anew, so that nobody stays who isn't believed any more. */
  renew(tls: TlsMaterial): void {
    this.#credentials?.renew(tls)
    this.#server.drain(this.#address, this.#limits.drainMs)
    for (const account of this.#accounts.values())
      account.endAll(new StreamRefusal('UNAVAILABLE', 'connect again: certificates have changed'))
  }

  /** Ends all streams and stops listening. Nodes keep what they have. */
  async stop(): Promise<void> {
    this.#stopping = true
    const down = new Promise<void>((resolve) => {
      this.#server.tryShutdown(() => resolve())
    })
    for (const account of this.#accounts.values()) account.endAll(new StreamRefusal('UNAVAILABLE', 'the server is stopping'))
    const force = this.#options.clock.after(this.#limits.drainMs, () => this.#server.forceShutdown())
    await down
    force.cancel()
  }

  #serve(call: ServerDuplexStream<DiscoveryMessage, Uint8Array>, variant: Variant<DiscoveryMessage>): void {
    const { trust, clock, onFault } = this.#options
    const id = (++this.#streams).toString(36)
    new Call({
      call,
      clock,
      limits: this.#limits,
      id,
      variant,
      ...('tls' in trust ? { nodeOf: (identity) => trust.nodeOf(identity) } : {}),
      isOpen: () => !this.#stopping,
      stranger: (by) => {
        if (by > 0 && this.#strangers >= this.#limits.strangers)
          throw new StreamRefusal('RESOURCE_EXHAUSTED', `${this.#limits.strangers} streams have not said yet whose they are`)
        this.#strangers += by
      },
      account: (node) => this.#account(node),
      changed: (account) => this.#changed(account),
      released: (account) => this.#release(account),
      onFault,
    }).begin()
  }

  #account(node: string): NodeAccount {
    try {
      return this.#accounts.get(node) ?? this.#add(node)
    } catch (error) {
      throw error instanceof OstiaryError ? new StreamRefusal('RESOURCE_EXHAUSTED', error.message) : error
    }
  }

  #add(node: string): NodeAccount {
    const { nodes: limit } = this.#limits
    if (this.#accounts.size >= limit) throw new OstiaryError('xds/too-many-nodes', { limit })
    const account = new NodeAccount(node, this.#options.clock)
    this.#accounts.set(node, account)
    return account
  }

  /** A node for which there is nothing is not kept longer than it is connected. */
  #release(account: NodeAccount): void {
    this.#changed(account)
    if (account.snapshot !== undefined || account.calls > 0) return
    this.#accounts.delete(account.node)
    this.#told.delete(account.node)
  }

  #changed(account: NodeAccount): void {
    account.update()
    const status = account.status()
    const text = JSON.stringify(status)
    if (this.#told.get(account.node) === text) return
    this.#told.set(account.node, text)
    for (const listener of this.#listeners) {
      try {
        listener(status)
      } catch (error) {
        this.#options.onFault(error)
      }
    }
  }
}
