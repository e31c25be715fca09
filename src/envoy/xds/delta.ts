/** The incremental variant: only what has changed is sent, and a node that comes back says what it has. */
import { create, toBinary } from '@bufbuild/protobuf'
import { DeltaDiscoveryResponseSchema, type DeltaDiscoveryRequest } from '../messages/envoy/service/discovery/v3/discovery_pb.ts'
import type { XdsLimits } from './limits.ts'
import type { Phase, View } from './ordering.ts'
import { StreamRefusal } from './refusal.ts'
import { Subscription } from './subscription.ts'
import { isWhole, TYPE_URLS, type Kind, type Resource } from './types.ts'
import type { Conversation, Draft, Variant } from './variant.ts'

const ALL = '*'

function read(conversation: Conversation, kind: Kind, request: DeltaDiscoveryRequest): void {
  const { resourceNamesSubscribe: more, resourceNamesUnsubscribe: less, initialResourceVersions, responseNonce, errorDetail } = request
  if (request.resourceLocatorsSubscribe.length + request.resourceLocatorsUnsubscribe.length > 0)
    throw new StreamRefusal('INVALID_ARGUMENT', 'resources are subscribed to by name here, not by locator')
  const { subscriptions, snapshot, limits } = conversation
  const before = subscriptions.get(kind)
  const subscription = before ?? new Subscription(kind)
  subscriptions.set(kind, subscription)
  // Whether a response was accepted is said before what is asked for next.
  if (responseNonce !== '') {
    const known = errorDetail === undefined ? subscription.accepted(responseNonce) : subscription.refused(responseNonce, snapshot)
    if (known) conversation.answered(kind, errorDetail?.message)
  }
  const isAll = (name: string): boolean => isWhole(kind) && name === ALL
  for (const name of less)
    if (isAll(name)) subscription.unsubscribeFromAll()
    else subscription.unsubscribe(name)
  if ((before === undefined && isWhole(kind) && more.length === 0) || more.some(isAll)) subscription.subscribeToAll(snapshot)
  subscription.subscribe(
    more.filter((name) => !isAll(name)),
    limits,
  )
  if (before !== undefined) return
  const stated = Object.entries(initialResourceVersions)
  if (stated.length > 0) conversation.returned()
  subscription.state(stated, snapshot, limits)
  subscription.greet = subscription.wildcard && stated.length === 0
}

/** Whatever may go out now, up to a bound; what was rejected along with others goes one by one. */
function drafter(limits: XdsLimits) {
  return (subscription: Subscription, view: View, phase: Phase): Draft | undefined => {
    const resources: Resource[] = []
    const removed: string[] = []
    let [bytes, waits] = [0, false]
    let alone: string | undefined
    let aloneGoes = false
    for (const name of subscription.due) {
      const verdict = view.judge(subscription, name)
      const goesNow = verdict === 'remove' ? phase === 'take' : phase === 'bring'
      if (verdict === 'nothing') subscription.settle(name)
      else if (verdict === 'wait' || !goesNow) waits = true
      else if (subscription.retry.has(name)) {
        // What goes may be in the way of what comes.
        if (alone === undefined || (!aloneGoes && verdict !== 'send')) alone = name
        aloneGoes ||= verdict !== 'send'
      } else if (verdict === 'send') {
        const resource = view.snapshot.resources[subscription.kind].get(name)!
        bytes += resource.bytes.length
        if (bytes > limits.responseBytes && resources.length > 0) continue
        resources.push(resource)
      } else removed.push(name)
    }
    if (resources.length + removed.length > 0) return { resources, removed }
    if (alone !== undefined) {
      const resource = view.snapshot.resources[subscription.kind].get(alone)
      return resource === undefined ? { resources, removed: [alone] } : { resources: [resource], removed }
    }
    return subscription.greet && !waits ? { resources, removed } : undefined
  }
}

function encode({ kind }: Subscription, { resources, removed }: Draft, { snapshot }: View, nonce: string): Uint8Array {
  const typeUrl = TYPE_URLS[kind]
  const frame = create(DeltaDiscoveryResponseSchema, {
    systemVersionInfo: snapshot.version,
    typeUrl,
    nonce,
    removedResources: [...removed],
  })
  return Buffer.concat([toBinary(DeltaDiscoveryResponseSchema, frame), ...resources.map(entryOf)])
}

const entries = new WeakMap<Resource, Uint8Array>()

/** A resource as it stands in a response: the same bytes for every node, so they are made once (Protocol Buffers: fields may come in parts). */
function entryOf(resource: Resource): Uint8Array {
  let made = entries.get(resource)
  if (made === undefined) {
    const { kind, name, version, bytes } = resource
    const one = { name, version, resource: { typeUrl: TYPE_URLS[kind], value: bytes } }
    made = toBinary(DeltaDiscoveryResponseSchema, create(DeltaDiscoveryResponseSchema, { resources: [one] }))
    entries.set(resource, made)
  }
  return made
}

export function delta(limits: XdsLimits): Variant<DeltaDiscoveryRequest> {
  return { read, draft: drafter(limits), encode }
}
