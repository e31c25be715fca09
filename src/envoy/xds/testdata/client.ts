/** A client of the management server for tests: says what it is told to, and keeps what comes. */
import { create } from '@bufbuild/protobuf'
import { Client, credentials, type ChannelCredentials, type ClientDuplexStream, type ServiceError, status } from '@grpc/grpc-js'
import type { Clock } from '../../../core/clock.ts'
import { definitionOf } from '../../grpc.ts'
import { AggregatedDiscoveryService } from '../../messages/envoy/service/discovery/v3/ads_pb.ts'
import {
  DeltaDiscoveryRequestSchema,
  DiscoveryRequestSchema,
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
  type DiscoveryRequest,
  type DiscoveryResponse,
} from '../../messages/envoy/service/discovery/v3/discovery_pb.ts'
import type { XdsLimits } from '../limits.ts'
import { XdsServer, type XdsTrust } from '../server.ts'
import { kindOf, TYPE_URLS, type Kind } from '../types.ts'

const { deltaAggregatedResources, streamAggregatedResources } = definitionOf(AggregatedDiscoveryService)

/** What comes, in order, each once. */
class Arrivals<T> {
  readonly #come: T[] = []
  readonly #waiting: ((one: T) => void)[] = []

  add(one: T): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#come.push(one)
    else next(one)
  }

  next(): Promise<T> {
    const one = this.#come.shift()
    return one === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(one)
  }

  get waiting(): number {
    return this.#come.length
  }
}

/** How a stream ended. */
export interface End {
  readonly code: string
  readonly details: string
}

class Stream<Request, Response> {
  readonly #call: ClientDuplexStream<Request, Response>
  readonly arrivals = new Arrivals<Response>()
  readonly end: Promise<End>

  constructor(call: ClientDuplexStream<Request, Response>) {
    this.#call = call
    call.on('data', (response: Response) => this.arrivals.add(response))
    call.on('error', () => undefined)
    this.end = new Promise((resolve) => {
      call.on('status', ({ code, details }: ServiceError) => resolve({ code: status[code], details }))
    })
  }

  write(request: Request): void {
    this.#call.write(request)
  }

  pause(): void {
    this.#call.pause()
  }

  resume(): void {
    this.#call.resume()
  }

  cancel(): void {
    this.#call.cancel()
  }
}

/** A response of the incremental variant in short. */
export interface DeltaNews {
  readonly kind: Kind
  readonly nonce: string
  /** Version of each resource by name. */
  readonly has: Readonly<Record<string, string>>
  readonly removed: readonly string[]
}

let pings = 0

export class DeltaClient extends Stream<DeltaDiscoveryRequest, DeltaDiscoveryResponse> {
  #node: string | undefined

  constructor(client: Client, node: string | undefined) {
    const { path, requestSerialize, responseDeserialize } = deltaAggregatedResources
    super(client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize as (bytes: Buffer) => DeltaDiscoveryResponse))
    this.#node = node
  }

  /** Asks, with the node on the first request only. */
  ask(
    kind: Kind,
    more: Partial<Record<'subscribe' | 'unsubscribe', readonly string[]>> & { readonly has?: Record<string, string> } = {},
  ): void {
    this.say(kind, {
      resourceNamesSubscribe: [...(more.subscribe ?? [])],
      resourceNamesUnsubscribe: [...(more.unsubscribe ?? [])],
      initialResourceVersions: more.has ?? {},
    })
  }

  say(kind: Kind, request: object): void {
    this.write(create(DeltaDiscoveryRequestSchema, { typeUrl: TYPE_URLS[kind], ...this.#first(), ...request }))
  }

  #first(): object {
    const id = this.#node
    this.#node = undefined
    return id === undefined ? {} : { node: { id } }
  }

  async next(): Promise<DeltaNews> {
    const { typeUrl, nonce, resources, removedResources } = await this.arrivals.next()
    return {
      kind: kindOf(typeUrl)!,
      nonce,
      has: Object.fromEntries(resources.map(({ name, version }) => [name, version])),
      removed: removedResources,
    }
  }

  /** The next one in short words, accepted or rejected at once. */
  async take(problem?: string): Promise<string> {
    const news = await this.next()
    if (problem === undefined) this.accept(news)
    else this.reject(news, problem)
    return told(news)
  }

  accept({ kind, nonce }: DeltaNews): void {
    this.say(kind, { responseNonce: nonce })
  }

  reject({ kind, nonce }: DeltaNews, message: string): void {
    this.say(kind, { responseNonce: nonce, errorDetail: { code: 13, message } })
  }

  /** All that has come until now, told in short: who asks for a name that there isn't is answered in turn. */
  async rest(): Promise<readonly string[]> {
    const name = `ping-${++pings}`
    this.ask('secret', { subscribe: [name] })
    const found: string[] = []
    for (;;) {
      const news = await this.next()
      if (!news.removed.includes(name)) {
        found.push(told(news))
        continue
      }
      this.accept(news)
      return found
    }
  }
}

export function told({ kind, has, removed }: DeltaNews): string {
  return [kind, ...Object.keys(has).map((name) => `+${name}`), ...removed.map((name) => `-${name}`)].join(' ')
}

export class SotwClient extends Stream<DiscoveryRequest, DiscoveryResponse> {
  #node: string | undefined

  constructor(client: Client, node: string | undefined) {
    const { path, requestSerialize, responseDeserialize } = streamAggregatedResources
    super(client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize as (bytes: Buffer) => DiscoveryResponse))
    this.#node = node
  }

  say(kind: Kind, request: object = {}): void {
    const id = this.#node
    this.#node = undefined
    this.write(create(DiscoveryRequestSchema, { typeUrl: TYPE_URLS[kind], ...(id === undefined ? {} : { node: { id } }), ...request }))
  }

  /** Accepts, asking for the same names again as the variant wants it. */
  accept({ typeUrl, nonce, versionInfo }: DiscoveryResponse, resourceNames: readonly string[] = []): void {
    this.say(kindOf(typeUrl)!, { responseNonce: nonce, versionInfo, resourceNames: [...resourceNames] })
  }
}

export interface TestServer {
  readonly server: XdsServer
  readonly port: number
  readonly faults: unknown[]
  /** A client with a connection of its own. */
  client(by?: ChannelCredentials): Client
  delta(node?: string): DeltaClient
  sotw(node?: string): SotwClient
  stop(): Promise<void>
}

export async function testServer(clock: Clock, limits: Partial<XdsLimits> = {}, trust: XdsTrust = { loopback: true }): Promise<TestServer> {
  const faults: unknown[] = []
  const server = new XdsServer({ host: '127.0.0.1', port: 0, trust, clock, limits, where: 'test', onFault: (error) => faults.push(error) })
  const port = await server.start()
  const clients: Client[] = []
  const client = (by: ChannelCredentials = credentials.createInsecure()): Client => {
    const options = {
      'grpc.use_local_subchannel_pool': 1,
      'grpc.ssl_target_name_override': 'control.example.com',
      'grpc.max_receive_message_length': -1,
    }
    const made = new Client(`127.0.0.1:${port}`, by, options)
    clients.push(made)
    return made
  }
  return {
    server,
    port,
    faults,
    client,
    delta: (node = 'edge') => new DeltaClient(client(), node),
    sotw: (node = 'edge') => new SotwClient(client(), node),
    async stop() {
      for (const one of clients) one.close()
      await server.stop()
    },
  }
}
