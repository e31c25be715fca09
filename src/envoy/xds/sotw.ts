/**
 * The variant that tells the state of the world. Of clusters and listeners every response has all, so that what is missing is gone; of the
 * other kinds it has what is new or was not accepted yet, and nothing is ever taken away. A response takes the place of the one before it.
 */
import { create, toBinary } from '@bufbuild/protobuf'
import { DiscoveryResponseSchema, type DiscoveryRequest } from '../messages/envoy/service/discovery/v3/discovery_pb.ts'
import type { Phase, View } from './ordering.ts'
import { StreamRefusal } from './refusal.ts'
import { versionOf } from './snapshot.ts'
import { Subscription, type Held } from './subscription.ts'
import { isWhole, TYPE_URLS, type Kind, type Resource } from './types.ts'
import type { Conversation, Draft, Variant } from './variant.ts'

const ALL = '*'

/** What is only known of a subscription in this variant. */
interface Course {
  /** Nonce of the last response; requests with an older one are ignored. */
  nonce?: string
  /** Version that a node which was connected before says that it has, until it was looked at. */
  resume: string
  /** Whether names were ever given: then having none no longer means all. */
  named: boolean
}

function byName(resources: Iterable<Resource>): readonly Resource[] {
  return [...resources].sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** The version of everything that a node has of one kind, which it says again when it comes back. */
function versionOfAll(known: ReadonlyMap<string, Held>): string {
  const parts = Array.from(known, ([name, { version }]) => ({ name, version }))
  return versionOf(parts.sort((a, b) => (a.name < b.name ? -1 : 1)))
}

class StateOfTheWorld implements Variant<DiscoveryRequest> {
  readonly #courses = new Map<Subscription, Course>()

  read(conversation: Conversation, kind: Kind, request: DiscoveryRequest): void {
    if (request.resourceLocators.length > 0)
      throw new StreamRefusal('INVALID_ARGUMENT', 'resources are subscribed to by name here, not by locator')
    const subscription = conversation.subscriptions.get(kind) ?? new Subscription(kind)
    const course = this.#courses.get(subscription) ?? { resume: request.versionInfo, named: false }
    conversation.subscriptions.set(kind, subscription)
    this.#courses.set(subscription, course)
    if (course.nonce === undefined) subscription.greet = isWhole(kind)
    else {
      if (request.responseNonce !== course.nonce) return
      const { errorDetail } = request
      const known = errorDetail === undefined ? subscription.accepted(course.nonce) : subscription.refused(course.nonce, false)
      if (known) conversation.answered(kind, errorDetail?.message)
    }
    this.#subscribe(conversation, subscription, course, new Set(request.resourceNames))
  }

  #subscribe({ snapshot, limits }: Conversation, subscription: Subscription, course: Course, names: Set<string>): void {
    const whole = isWhole(subscription.kind)
    const isWildcard = whole && (names.has(ALL) || (names.size === 0 && !course.named))
    if (whole) names.delete(ALL)
    course.named ||= names.size > 0
    if (isWildcard && !subscription.wildcard) subscription.subscribeToAll(snapshot)
    if (!isWildcard && subscription.wildcard) subscription.unsubscribeFromAll()
    for (const name of subscription.names) if (!names.has(name)) subscription.unsubscribe(name)
    subscription.subscribe(
      [...names].filter((name) => !subscription.names.has(name)),
      limits,
    )
  }

  draft(subscription: Subscription, view: View, phase: Phase): Draft | undefined {
    const course = this.#courses.get(subscription)!
    if (phase === 'take' || (subscription.due.size === 0 && !subscription.greet)) return undefined
    if (course.resume !== '') this.#resume(subscription, view, course)
    return isWhole(subscription.kind) ? this.#all(subscription, view) : this.#some(subscription, view)
  }

  /** What the node says to have is what it would get: then it has all of it. */
  #resume(subscription: Subscription, { snapshot }: View, course: Course): void {
    const wanted = [...snapshot.resources[subscription.kind].values()].filter(({ name }) => subscription.wants(name))
    if (versionOf(wanted) === course.resume) {
      for (const resource of wanted) {
        subscription.held.set(resource.name, resource)
        subscription.latest.set(resource.name, resource)
        subscription.settle(resource.name)
      }
      subscription.greet = false
    }
    course.resume = ''
  }

  #all(subscription: Subscription, view: View): Draft | undefined {
    const { latest, held, asked, retry } = subscription
    const all = new Map<string, Resource>()
    const keep = (name: string): void => {
      // In this variant what is held was sent on this stream, or is known from the snapshot.
      const before = latest.get(name) as Resource | undefined
      if (before !== undefined) all.set(name, before)
    }
    let says = subscription.greet
    let waits = false
    for (const resource of view.snapshot.resources[subscription.kind].values()) {
      const { name } = resource
      const verdict = view.judge(subscription, name)
      if (verdict === 'send') all.set(name, resource)
      else keep(name)
      says ||= verdict === 'send' || asked.has(name) || retry.has(name)
      waits ||= verdict === 'wait' && !all.has(name)
      if (verdict === 'nothing') subscription.settle(name)
    }
    for (const name of new Set([...latest.keys(), ...subscription.due])) {
      if (all.has(name) || view.snapshot.resources[subscription.kind].has(name)) continue
      const verdict = view.judge(subscription, name)
      if (verdict === 'wait' || verdict === 'nothing') keep(name)
      else says = true
      if (verdict === 'nothing') subscription.settle(name)
    }
    // A node that comes back may have what still waits: a first response without it would take it away.
    if (!says || (waits && subscription.greet)) return undefined
    const removed = [...new Set([...held.keys(), ...latest.keys(), ...asked])].filter((name) => !all.has(name))
    subscription.supersede()
    return { resources: byName(all.values()), removed }
  }

  #some(subscription: Subscription, view: View): Draft | undefined {
    const some = new Map<string, Resource>()
    for (const name of subscription.due) {
      const resource = view.snapshot.resources[subscription.kind].get(name)
      const verdict = resource === undefined ? 'nothing' : view.judge(subscription, name)
      if (verdict === 'send') some.set(name, resource!)
      else if (verdict === 'nothing') subscription.settle(name)
    }
    if (some.size === 0) return undefined
    for (const { name } of subscription.supersede()) {
      const before = subscription.latest.get(name) as Resource | undefined
      if (before !== undefined && !some.has(name)) some.set(name, before)
    }
    return { resources: byName(some.values()), removed: [] }
  }

  encode(subscription: Subscription, { resources }: Draft, _view: View, nonce: string): Uint8Array {
    const typeUrl = TYPE_URLS[subscription.kind]
    this.#courses.get(subscription)!.nonce = nonce
    const after = isWhole(subscription.kind) ? new Map<string, Held>() : new Map(subscription.latest)
    for (const resource of resources) after.set(resource.name, resource)
    const response = create(DiscoveryResponseSchema, {
      versionInfo: versionOfAll(after),
      typeUrl,
      nonce,
      resources: resources.map(({ bytes }) => ({ typeUrl, value: bytes })),
    })
    return toBinary(DiscoveryResponseSchema, response)
  }
}

export function stateOfTheWorld(): Variant<DiscoveryRequest> {
  return new StateOfTheWorld()
}
