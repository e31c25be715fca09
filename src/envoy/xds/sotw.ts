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
  /** Version of the last response. */
  version: string
  /** What was rejected: the same isn't sent again until there is another snapshot. */
  refused?: { readonly version: string; readonly snapshot: string | undefined }
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

/** Version of what the node has once it has accepted this. */
function versionAfter(subscription: Subscription, { resources }: Draft): string {
  const after = isWhole(subscription.kind) ? new Map<string, Held>() : new Map(subscription.latest)
  for (const resource of resources) after.set(resource.name, resource)
  return versionOfAll(after)
}

/** All that the node should have now. */
function all(subscription: Subscription, view: View): Draft | undefined {
  const { latest, held } = subscription
  const gone = new Set<string>()
  const waiting = new Set<string>()
  const state = new Map<string, Resource>()
  const keep = (name: string): void => {
    // In this variant what is held was sent on this stream, or is known from the snapshot.
    const before = [latest.get(name), held.get(name)].find((one) => one !== undefined && 'bytes' in one) as Resource | undefined
    if (before !== undefined) state.set(name, before)
  }
  let says = subscription.greet
  for (const resource of view.snapshot.resources[subscription.kind].values()) {
    const { name } = resource
    const verdict = view.judge(subscription, name)
    if (verdict === 'send') state.set(name, resource)
    else keep(name)
    says ||= verdict === 'send'
    if (verdict === 'wait') waiting.add(name)
    if (verdict === 'nothing') subscription.settle(name)
  }
  for (const name of new Set([...latest.keys(), ...subscription.due])) {
    if (state.has(name) || view.snapshot.resources[subscription.kind].has(name)) continue
    // What was never accepted and isn't wanted any more needn't be taken away gently, and may be what is rejected.
    const verdict = held.has(name) || !latest.has(name) ? view.judge(subscription, name) : 'remove'
    if (verdict === 'wait' || verdict === 'nothing') keep(name)
    else gone.add(name)
    if (verdict === 'wait') waiting.add(name)
    if (verdict === 'nothing') subscription.settle(name)
  }
  // A node that comes back may have what still waits: a first response without it would take it away.
  if ((!says && gone.size === 0) || (subscription.greet && waiting.size > 0)) return undefined
  const removed = [...new Set([...held.keys(), ...latest.keys(), ...gone])].filter((name) => !state.has(name))
  return { resources: byName(state.values()), removed, waiting }
}

/** What is new of it, or was not accepted yet. */
function some(subscription: Subscription, view: View): Draft | undefined {
  const news = new Map<string, Resource>()
  const waiting = new Set<string>()
  for (const name of subscription.due) {
    const resource = view.snapshot.resources[subscription.kind].get(name)
    const verdict = resource === undefined ? 'nothing' : view.judge(subscription, name)
    if (verdict === 'send') news.set(name, resource!)
    else if (verdict === 'nothing') subscription.settle(name)
    else waiting.add(name)
  }
  if (news.size === 0) return undefined
  for (const { name } of subscription.unanswered.flatMap(({ resources }) => resources)) {
    const before = subscription.latest.get(name) as Resource | undefined
    if (before !== undefined && !news.has(name)) news.set(name, before)
  }
  return { resources: byName(news.values()), removed: [], waiting }
}

class StateOfTheWorld implements Variant<DiscoveryRequest> {
  readonly #courses = new Map<Subscription, Course>()

  read(conversation: Conversation, kind: Kind, request: DiscoveryRequest): void {
    if (request.resourceLocators.length > 0)
      throw new StreamRefusal('INVALID_ARGUMENT', 'resources are subscribed to by name here, not by locator')
    const subscription = conversation.subscriptions.get(kind) ?? new Subscription(kind)
    const course = this.#courses.get(subscription) ?? { version: '', resume: request.versionInfo, named: false }
    conversation.subscriptions.set(kind, subscription)
    this.#courses.set(subscription, course)
    if (course.nonce === undefined) subscription.greet = isWhole(kind)
    else {
      if (request.responseNonce !== course.nonce) return
      const { errorDetail } = request
      const known =
        errorDetail === undefined ? subscription.accepted(course.nonce) : subscription.refused(course.nonce, conversation.snapshot)
      if (errorDetail !== undefined) course.refused = { version: course.version, snapshot: conversation.snapshot?.version }
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
    const draft = isWhole(subscription.kind) ? all(subscription, view) : some(subscription, view)
    if (draft === undefined) return undefined
    const { refused } = course
    const isRefused = refused?.version === versionAfter(subscription, draft) && refused.snapshot === view.snapshot.version
    if (isRefused) return undefined
    subscription.supersede()
    return draft
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

  encode(subscription: Subscription, draft: Draft, _view: View, nonce: string): Uint8Array {
    const typeUrl = TYPE_URLS[subscription.kind]
    const course = this.#courses.get(subscription)!
    course.nonce = nonce
    course.version = versionAfter(subscription, draft)
    const response = create(DiscoveryResponseSchema, {
      versionInfo: course.version,
      typeUrl,
      nonce,
      resources: draft.resources.map(({ bytes }) => ({ typeUrl, value: bytes })),
    })
    return toBinary(DiscoveryResponseSchema, response)
  }
}

export function stateOfTheWorld(): Variant<DiscoveryRequest> {
  return new StateOfTheWorld()
}
