/**
 * What may go out now, and what waits (make before break). Sent in this order on one stream, so that a node reads what is named before what
 * names it: clusters, endpoints, secrets, extensions, listeners, scopes of routes, routes; then removals the other way round.
 *
 * Two things wait for an answer of the node, and only these:
 * - what names a cluster waits until the node has accepted that cluster, at most `additionMs`. Then it goes out regardless: a route to a
 *   cluster that isn't there refuses, while the route before it may admit what the policy no longer does.
 * - a removal waits until nothing that the node may have names it, at most `removalMs`; but as long as something that names it is in force
 *   because its successor was rejected, it stays: the last good configuration stays whole.
 */
import type { XdsLimits } from './limits.ts'
import type { Snapshot } from './snapshot.ts'
import type { Awaited, Held, Subscription } from './subscription.ts'
import { isWhole, keyOf, KINDS, type Kind, type Need, type Resource } from './types.ts'

export type Phase = 'bring' | 'take'

/** The order in which a stream is looked through. */
export const STEPS: readonly (readonly [Kind, Phase])[] = [
  ...KINDS.map((kind) => [kind, 'bring'] as const),
  ...(['listener', 'scope', 'route', 'extension', 'cluster', 'secret', 'endpoints'] as const).map((kind) => [kind, 'take'] as const),
]

/** `replace`: to be removed along with what is sent. `absent`: there is none, and the node is told so. */
export type Verdict = 'nothing' | 'send' | 'remove' | 'replace' | 'absent' | 'wait'

/** How something is named by what a node may have: by what is to stay, or by what is on its way out. */
type Use = 'kept' | 'passing'

/** Everything that is named by something that the node may have; `unknown` are kinds that something may name of which that can't be said. */
interface Uses {
  readonly named: ReadonlyMap<string, Use>
  readonly unknown: ReadonlySet<Kind>
}

/** What each kind may name. */
const NAMES: Readonly<Record<Kind, readonly Kind[]>> = {
  cluster: ['endpoints', 'secret'],
  endpoints: [],
  secret: [],
  extension: ['cluster', 'secret'],
  listener: ['cluster', 'secret', 'extension', 'route'],
  scope: ['route'],
  route: ['cluster', 'secret'],
}

/** One look at all subscriptions of a stream, at one time. */
export class View {
  readonly snapshot: Snapshot
  readonly now: number
  /** When to look again, if nothing happens until then. */
  until = Infinity
  /** Until when it isn't known yet what a node that came back has: what it asks for comes one kind after the other. */
  readonly #unsureUntil: number
  readonly #subscriptions: ReadonlyMap<Kind, Subscription>
  readonly #limits: XdsLimits
  #uses: Uses | undefined

  /** @param returned When the node came back, if it had something already */
  constructor(snapshot: Snapshot, subscriptions: ReadonlyMap<Kind, Subscription>, limits: XdsLimits, now: number, returned = -Infinity) {
    this.snapshot = snapshot
    this.now = now
    this.#unsureUntil = returned + limits.additionMs
    this.#subscriptions = subscriptions
    this.#limits = limits
  }

  /** What to do about a name of a subscription. */
  judge(subscription: Subscription, name: string): Verdict {
    if (!subscription.wants(name)) return 'nothing'
    const resource = this.snapshot.resources[subscription.kind].get(name)
    if (subscription.isSettled(name, resource)) return 'nothing'
    if (resource !== undefined) return this.#bring(subscription, resource)
    if (!subscription.latest.has(name)) return this.#miss(subscription, name)
    return this.#take(subscription, name)
  }

  /** Who asks for what there isn't is told so; but not before what names it, and is about to go, had its time to. */
  #miss(subscription: Subscription, name: string): Verdict {
    const { kind } = subscription
    const isPassing = !isWhole(kind) && this.#usesNow().named.has(keyOf({ kind, name }))
    return isPassing && this.#waits(subscription, name, 'absence', 2 * this.#limits.additionMs) ? 'wait' : 'absent'
  }

  #bring(subscription: Subscription, resource: Resource): Verdict {
    const isNew = subscription.held.get(resource.name)?.version !== resource.version
    if (!isNew || resource.kind === 'cluster') return 'send'
    const { additionMs } = this.#limits
    const lacks = !resource.needs.every((need) => this.#isThere(need))
    if (lacks && this.#waits(subscription, resource.name, 'cluster', additionMs)) return 'wait'
    return this.#isTaken(subscription, resource) && this.#waits(subscription, resource.name, 'address', additionMs) ? 'wait' : 'send'
  }

  /** Whether a listener that is to move away is still where this one is to be: until it has, a node rejects this one. */
  #isTaken(listeners: Subscription, { kind, name, addresses }: Resource): boolean {
    if (kind !== 'listener') return false
    const isThere = (one: Held): boolean => (one as Partial<Resource>).addresses?.some((at) => addresses.includes(at)) === true
    for (const other of this.snapshot.resources.listener.keys()) {
      if (other === name) continue
      for (const one of listeners.mayBe(other)) if (isThere(one)) return true
    }
    return false
  }

  /** Other things than clusters are asked for by name once a node knows of them, and it waits for them by itself. */
  #isThere({ kind, name }: Need): boolean {
    if (kind !== 'cluster' || this.snapshot.given.includes(name)) return true
    const clusters = this.#subscriptions.get('cluster')
    if (clusters === undefined) return true
    return clusters.held.has(name) && !clusters.unanswered.some(({ removed }) => removed.includes(name))
  }

  #take(subscription: Subscription, name: string): Verdict {
    const { kind } = subscription
    if (kind === 'listener') return this.#takeListener(subscription, name)
    const use = this.#useOf({ kind, name })
    if (use === undefined && isWhole(kind)) return 'remove'
    // A node leaves by itself what it asked for by name, once it is done with it: to be told that it's gone would only hurry it.
    if (use !== undefined && !isWhole(kind)) subscription.waiting.delete(name)
    const isEarly = this.#waits(subscription, name, 'removal', this.#limits.removalMs)
    return isEarly || use === 'kept' || (use !== undefined && !isWhole(kind)) ? 'wait' : 'remove'
  }

  /** A listener isn't named by anything; one that goes waits for those that come, except where it is in the way of one: then it goes along with that. */
  #takeListener(listeners: Subscription, name: string): Verdict {
    const wanted = [...this.snapshot.resources.listener.values()].filter((one) => listeners.wants(one.name))
    const { addresses = [] } = (listeners.latest.get(name) ?? {}) as Partial<Resource>
    const successors = wanted.filter((one) => one.addresses.some((address) => addresses.includes(address)))
    if (successors.some((one) => this.judge(listeners, one.name) === 'send')) return 'replace'
    const awaited = wanted.some((one) => !listeners.held.has(one.name))
    return awaited && this.#waits(listeners, name, 'removal', this.#limits.removalMs) ? 'wait' : 'remove'
  }

  #useOf(need: Need): Use | undefined {
    const isUnsure = this.now < this.#unsureUntil
    if (isUnsure) this.until = Math.min(this.until, this.#unsureUntil)
    const { named, unknown } = this.#usesNow()
    return named.get(keyOf(need)) ?? (isUnsure || unknown.has(need.kind) ? 'passing' : undefined)
  }

  #usesNow(): Uses {
    this.#uses ??= usesOf(this.snapshot, this.#subscriptions)
    return this.#uses
  }

  /** Whether it has not waited long enough yet. The time runs from when it first had to wait, also through later snapshots. */
  #waits({ waiting }: Subscription, name: string, what: Awaited, limit: number): boolean {
    const before = waiting.get(name)
    // What is to go and what is to come wait one after the other, and each from its own beginning.
    const rest = (before?.removal !== undefined) === (what === 'removal') ? before : {}
    const since = rest?.[what] ?? this.now
    waiting.set(name, { ...rest, [what]: since })
    if (since + limit <= this.now) return false
    this.until = Math.min(this.until, since + limit)
    return true
  }
}

function usesOf(snapshot: Snapshot, subscriptions: ReadonlyMap<Kind, Subscription>): Uses {
  const named = new Map<string, Use>()
  const unknown = new Set<Kind>()
  const add = (kind: Kind, needs: readonly Need[] | undefined, use: Use): void => {
    if (needs === undefined) for (const one of NAMES[kind]) unknown.add(one)
    for (const need of needs ?? []) if (named.get(keyOf(need)) !== 'kept') named.set(keyOf(need), use)
  }
  const hasAll = (one: Held | undefined): boolean =>
    one?.needs?.every(({ kind, name }) => isWhole(kind) || subscriptions.get(kind)?.held.has(name) === true) === true
  for (const { kind, held, latest, troubled, unanswered, others } of subscriptions.values()) {
    for (const [name, one] of held) {
      const isWanted = snapshot.resources[kind].has(name)
      add(kind, one.needs, isWanted && (troubled.has(name) || latest.get(name)?.version === one.version) ? 'kept' : 'passing')
    }
    for (const { resources } of unanswered) for (const { needs } of resources) add(kind, needs, 'passing')
    for (const [name, ones] of others) {
      const isLast = !unanswered.some(({ resources }) => resources.some((resource) => resource.name === name))
      if (isWhole(kind) && isLast && !troubled.has(name) && hasAll(held.get(name))) others.delete(name)
      else for (const { needs } of ones) add(kind, needs, 'passing')
    }
  }
  return { named, unknown }
}
