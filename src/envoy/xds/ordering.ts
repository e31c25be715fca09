/**
 * What may go out now, and what waits (make before break). Sent in this order on one stream, so that a node reads what is named before what
 * names it: clusters, endpoints, secrets, extensions, listeners, routes; then removals the other way round.
 *
 * Two things wait for an answer of the node, and only these:
 * - what names a cluster waits until the node has accepted that cluster, at most `additionMs`. Then it goes out regardless: a route to a
 *   cluster that isn't there refuses, while the route before it may admit what the policy no longer does.
 * - a removal waits until nothing that the node may have names it, at most `removalMs`; but as long as something that names it is in force
 *   because its successor was rejected, it stays: the last good configuration stays whole.
 */
import type { XdsLimits } from './limits.ts'
import type { Snapshot } from './snapshot.ts'
import type { Subscription } from './subscription.ts'
import { isWhole, keyOf, KINDS, type Kind, type Need, type Resource } from './types.ts'

export type Phase = 'bring' | 'take'

/** The order in which a stream is looked through. */
export const STEPS: readonly (readonly [Kind, Phase])[] = [
  ...KINDS.map((kind) => [kind, 'bring'] as const),
  ...(['listener', 'route', 'extension', 'cluster', 'secret', 'endpoints'] as const).map((kind) => [kind, 'take'] as const),
]

/** `replace`: to be removed along with what is sent. `absent`: there is none, and the node is told so. */
export type Verdict = 'nothing' | 'send' | 'remove' | 'replace' | 'absent' | 'wait'

/** How something is named by what a node may have: by what is to stay, or by what is on its way out. */
type Use = 'kept' | 'passing' | undefined

/** One look at all subscriptions of a stream, at one time. */
export class View {
  readonly snapshot: Snapshot
  readonly now: number
  /** When to look again, if nothing happens until then. */
  until = Infinity
  readonly #subscriptions: ReadonlyMap<Kind, Subscription>
  readonly #limits: XdsLimits
  #uses: { readonly named: ReadonlyMap<string, 'kept' | 'passing'>; readonly unknown: boolean } | undefined

  constructor(snapshot: Snapshot, subscriptions: ReadonlyMap<Kind, Subscription>, limits: XdsLimits, now: number) {
    this.snapshot = snapshot
    this.now = now
    this.#subscriptions = subscriptions
    this.#limits = limits
  }

  /** What to do about a name of a subscription. */
  judge(subscription: Subscription, name: string): Verdict {
    if (!subscription.wants(name)) return 'nothing'
    const resource = this.snapshot.resources[subscription.kind].get(name)
    if (subscription.isSettled(name, resource)) return 'nothing'
    if (resource !== undefined) return this.#bring(subscription, resource)
    // Who asks for what there isn't is told so.
    if (!subscription.latest.has(name)) return 'absent'
    return this.#take(subscription, name)
  }

  #bring(subscription: Subscription, resource: Resource): Verdict {
    const isNew = subscription.held.get(resource.name)?.version !== resource.version
    if (!isNew || resource.kind === 'cluster' || resource.needs.every((need) => this.#isThere(need))) return 'send'
    return this.#waits(subscription, resource.name, 'bring', this.#limits.additionMs) ? 'wait' : 'send'
  }

  /** Other things than clusters are asked for by name once a node knows of them, and it waits for them by itself. */
  #isThere({ kind, name }: Need): boolean {
    if (kind !== 'cluster' || this.snapshot.given.includes(name)) return true
    const clusters = this.#subscriptions.get('cluster')
    if (clusters === undefined) return true
    return clusters.held.has(name) && clusters.latest.has(name) && !clusters.unanswered.some(({ removed }) => removed.includes(name))
  }

  #take(subscription: Subscription, name: string): Verdict {
    const { kind } = subscription
    if (kind === 'listener' && this.#isInTheWay(subscription, name)) return 'replace'
    const use = kind === 'listener' ? this.#useOfListener(subscription) : this.#useOf({ kind, name })
    // A node leaves by itself what it asked for by name, once it is done with it: to be told that it's gone would hurry it.
    if (use === undefined && isWhole(kind)) return 'remove'
    if (this.#waits(subscription, name, 'take', this.#limits.removalMs) || use === 'kept') return 'wait'
    return 'remove'
  }

  /** Where it listens, one that is about to be sent wants to listen. */
  #isInTheWay(listeners: Subscription, name: string): boolean {
    const { addresses = [] } = (listeners.latest.get(name) ?? {}) as Partial<Resource>
    return [...this.snapshot.resources.listener.values()].some(
      (one) => listeners.held.get(one.name)?.version !== one.version && one.addresses.some((address) => addresses.includes(address)),
    )
  }

  /** A listener isn't named by anything; one that goes waits for those that come. */
  #useOfListener(listeners: Subscription): Use {
    const names = [...this.snapshot.resources.listener.keys()]
    return names.some((name) => listeners.wants(name) && !listeners.held.has(name)) ? 'passing' : undefined
  }

  #useOf(need: Need): Use {
    this.#uses ??= usesOf(this.snapshot, this.#subscriptions)
    return this.#uses.named.get(keyOf(need)) ?? (this.#uses.unknown ? 'passing' : undefined)
  }

  /** Whether it has not waited long enough yet. The time runs from when it first had to wait, also through later snapshots. */
  #waits({ waiting }: Subscription, name: string, what: Phase, limit: number): boolean {
    const before = waiting.get(name)
    const since = before?.what === what ? before.since : this.now
    if (before?.what !== what) waiting.set(name, { since, what })
    if (since + limit <= this.now) return false
    this.until = Math.min(this.until, since + limit)
    return true
  }
}

/** Everything that is named by something that the node may have; `unknown` if it has something of which that can't be said. */
function usesOf(
  snapshot: Snapshot,
  subscriptions: ReadonlyMap<Kind, Subscription>,
): { named: Map<string, 'kept' | 'passing'>; unknown: boolean } {
  const named = new Map<string, 'kept' | 'passing'>()
  let unknown = false
  const add = (needs: readonly Need[] | undefined, use: 'kept' | 'passing'): void => {
    unknown ||= needs === undefined
    for (const need of needs ?? []) if (named.get(keyOf(need)) !== 'kept') named.set(keyOf(need), use)
  }
  for (const { kind, held, latest, troubled, unanswered, doubts } of subscriptions.values()) {
    for (const [name, one] of held) {
      const isWanted = snapshot.resources[kind].has(name)
      add(one.needs, troubled.has(name) || (isWanted && latest.get(name)?.version === one.version) ? 'kept' : 'passing')
    }
    for (const { resources } of unanswered) for (const { needs } of resources) add(needs, 'passing')
    for (const resources of doubts.values()) for (const { needs } of resources) add(needs, 'passing')
  }
  return { named, unknown }
}
