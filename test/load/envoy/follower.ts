/**
 * Nodes that are no Envoys. As a program it is all of those that are named, for the same routes, until it is ended:
 *
 *     follower.ts <port> <nodes> <routes>
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { credentials, Client } from '@grpc/grpc-js'
import { create } from '@bufbuild/protobuf'
import { definitionOf } from '../../../src/envoy/grpc.ts'
import { AggregatedDiscoveryService } from '../../../src/envoy/messages/envoy/service/discovery/v3/ads_pb.ts'
import {
  DeltaDiscoveryRequestSchema,
  type DeltaDiscoveryRequest,
  type DeltaDiscoveryResponse,
} from '../../../src/envoy/messages/envoy/service/discovery/v3/discovery_pb.ts'
import { FILTERS } from '../../../src/envoy/filters.ts'
import { isWhole, KINDS, TYPE_URLS } from '../../../src/envoy/xds/types.ts'

/** A client of the protocol that asks for everything, and accepts what it gets without looking into it. */
function follow(port: number, node: string, routes: readonly string[]): void {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': 256 * 1024 ** 2,
    'grpc.use_local_subchannel_pool': 1,
  })
  const method = definitionOf(AggregatedDiscoveryService)['deltaAggregatedResources']!
  const call = client.makeBidiStreamRequest<DeltaDiscoveryRequest, DeltaDiscoveryResponse>(
    method.path,
    method.requestSerialize as never,
    method.responseDeserialize as never,
  )
  const names: Readonly<Record<string, readonly string[]>> = {
    route: routes,
    extension: [FILTERS.tokens, FILTERS.revoked, FILTERS.callers],
  }
  call.on('error', () => undefined)
  call.on('data', ({ typeUrl, nonce }: DeltaDiscoveryResponse) => {
    call.write(create(DeltaDiscoveryRequestSchema, { typeUrl, responseNonce: nonce }))
  })
  for (const kind of KINDS) {
    if (!isWhole(kind) && names[kind] === undefined) continue
    call.write(
      create(DeltaDiscoveryRequestSchema, {
        node: { id: node },
        typeUrl: TYPE_URLS[kind],
        resourceNamesSubscribe: [...(names[kind] ?? ['*'])],
      }),
    )
  }
}

/** Nodes in a process of their own, as each has in a fleet. Answers how to end it. */
export function followers(port: number, nodes: readonly string[], routes: readonly string[]): () => Promise<void> {
  const args = [import.meta.filename, String(port), nodes.join(), routes.join()]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  const gone = once(child, 'close')
  return async () => {
    child.kill()
    await gone
  }
}

if (import.meta.main) {
  const [, , port, nodes, routes] = process.argv
  for (const node of nodes!.split(',')) follow(Number(port), node, routes!.split(','))
}
