import { StreamRefusal } from './refusal.ts'
import type { XdsLimits } from './limits.ts'
import type { Snapshot } from './snapshot.ts'
import { isWhole, type Kind, type Need, type Resource } from './types.ts'

/** A resource that a node has. What it needs is unknown if the node has had it since before this server started. */
export interface Held {
  readonly version: string
  readonly needs?: readonly Need[] | undefined
}

/** A response that was sent. */
export interface Sent {
  readonly nonce: string
  /** Version of the snapshot that it was made of. */
  readonly snapshot: string
  /** When, by the clock's monotonic time. */
  readonly at: number
  readonly resources: readonly Resource[]
  readonly removed: readonly string[]
  /** Names in it of which there is more to say. */
  readonly waiting?: ReadonlySet<string>
}

/** What something may wait for: a cluster to be accepted, an address to be free, what names it to be gone; and who asked for what there isn't. */
export type Awaited = 'cluster' | 'address' | 'removal' | 'absence'

/** Marks a removal among the versions that were rejected. */
const REMOVAL = ''
/** Stands for the version of what may be one of several. */
const UNSURE = '?'
/** How many other contents of one resource are remembered for what they name. */
const MAX_OTHERS = 8

/** What one stream has asked for of one kind, what the node behind it has, and what is still to be told to it. */
export class Subscription {
  readonly kind: Kind
  /** All there are, whatever they are called. */
  wildcard = false
  /** Sent, and neither accepted nor rejected yet; oldest first. */
  unanswered: readonly Sent[] = []
  /** The node waits for a first response, even if it is an empty one. */
  greet = false
  readonly names = new Set<string>()
  /** What the node has accepted, or said that it has. */
  readonly held = new Map<string, Held>()
  /** What it will have once it accepts everything that was sent. */
  readonly latest = new Map<string, Held>()
  /** Names to look at: something about them may have to be sent. */
  readonly due = new Set<string>()
  /** Names that were just subscribed to: answered even if nothing about them is new. */
  readonly asked = new Set<string>()
  /** Names to try again after a rejection, each in a response of its own so that a bad one keeps no good one back. */
  readonly retry = new Set<string>()
  /** The version of each resource that was rejected by itself: it isn't sent again until the next snapshot. */
  readonly rejected = new Map<string, string>()
  /** Names whose last answer was a rejection: what is held of them is the last good one. */
  readonly troubled = new Set<string>()
  /**
   * Contents that the node may work with besides what it has accepted last: what was rejected along with others, so that it may have taken it
   * all the same, and what goes on until its successor has all that it names.
   */
  readonly others = new Map<string, readonly Held[]>()
  /** Since when a name waits for what. */
  readonly waiting = new Map<string, Readonly<Partial<Record<Awaited, number>>>>()

  constructor(kind: Kind) {
    this.kind = kind
  }

  wants(name: string): boolean {
    return this.wildcard || this.names.has(name)
  }

  /** Asks for names: each is answered, also if it was asked for before. @throws StreamRefusal beyond the limits */
  subscribe(names: Iterable<string>, limits: XdsLimits): void {
    for (const name of names) {
      checkName(name, limits)
      this.names.add(name)
      if (this.names.size > limits.names)
        throw new StreamRefusal('RESOURCE_EXHAUSTED', `more than ${limits.names} names of one type are subscribed to`)
      this.asked.add(name)
      this.due.add(name)
    }
  }

  unsubscribe(name: string): void {
    this.names.delete(name)
    if (!this.wants(name)) this.forget(name)
  }

  /** From here on all there are; everything is looked at. */
  subscribeToAll(snapshot: Snapshot | undefined): void {
    this.wildcard = true
    this.lookAtAll(snapshot)
  }

  unsubscribeFromAll(): void {
    this.wildcard = false
    for (const name of new Set([...this.held.keys(), ...this.latest.keys(), ...this.due])) if (!this.wants(name)) this.forget(name)
  }

  /** A node that was connected before says what it has. */
  state(versions: Iterable<readonly [string, string]>, snapshot: Snapshot | undefined, limits: XdsLimits): void {
    for (const [name, version] of versions) {
      checkName(name, limits)
      checkName(version, limits)
      if (!this.wants(name)) continue
      const resource = snapshot?.resources[this.kind].get(name)
      const held = resource?.version === version ? resource : { version }
      this.held.set(name, held)
      this.latest.set(name, held)
      this.asked.delete(name)
      this.due.add(name)
      if (this.held.size > limits.names)
        throw new StreamRefusal('RESOURCE_EXHAUSTED', `more than ${limits.names} resources of one type are said to be there`)
    }
  }

  /** A new snapshot: everything is looked at, and what was rejected is tried again, because what it needs may be there now. */
  published(snapshot: Snapshot): void {
    this.tryAgain()
    this.lookAtAll(snapshot)
  }

  tryAgain(): void {
    for (const name of this.rejected.keys()) {
      this.retry.add(name)
      this.due.add(name)
    }
    this.rejected.clear()
  }

  lookAtAll(snapshot: Snapshot | undefined): void {
    if (this.wildcard) {
      for (const name of snapshot?.resources[this.kind].keys() ?? []) this.due.add(name)
      for (const name of this.latest.keys()) this.due.add(name)
    }
    for (const name of this.names) this.due.add(name)
  }

  /** Whether there is nothing more to say about it that this resource would. */
  isSettled(name: string, resource: Resource | undefined): boolean {
    if (this.asked.has(name) || this.retry.has(name)) return false
    if (resource === undefined) return !this.latest.has(name) || this.rejected.get(name) === REMOVAL
    return this.latest.get(name)?.version === resource.version || this.rejected.get(name) === resource.version
  }

  settle(name: string): void {
    this.due.delete(name)
    this.asked.delete(name)
    this.retry.delete(name)
    this.waiting.delete(name)
  }

  forget(name: string): void {
    this.settle(name)
    for (const known of [this.held, this.latest, this.rejected, this.troubled, this.others]) known.delete(name)
  }

  sent(response: Sent): void {
    this.greet = false
    this.unanswered = [...this.unanswered, response]
    for (const resource of response.resources) {
      this.latest.set(resource.name, resource)
      if (response.waiting?.has(resource.name) !== true) this.settle(resource.name)
    }
    for (const name of response.removed) {
      this.latest.delete(name)
      if (response.waiting?.has(name) !== true) this.settle(name)
    }
  }

  /** The node accepted it. False for a nonce that isn't waited for. */
  accepted(nonce: string): boolean {
    const response = this.#answered(nonce)
    for (const resource of response?.resources ?? []) if (this.wants(resource.name)) this.#holds(resource.name, resource)
    for (const name of response?.removed ?? []) this.#holds(name, undefined)
    // Where a listener was in the way of another, which was rejected for it, it may not be any more.
    if (response !== undefined && this.kind === 'listener') this.tryAgain()
    return response !== undefined
  }

  /**
   * The node rejected it: what it had before stays in force. False for a nonce that isn't waited for.
   * What was sent together is to be tried again, since it isn't known which of it is at fault.
   */
  refused(nonce: string, snapshot: Snapshot | undefined): boolean {
    const response = this.#answered(nonce)
    if (response === undefined) return false
    const together = response.resources.length + response.removed.length > 1
    // By itself it is sent again only if what it may have lacked has come meanwhile.
    const again = together || response.snapshot !== snapshot?.version
    for (const resource of response.resources) {
      if (this.held.get(resource.name)?.version === resource.version) continue
      const wasUnsure = this.others.has(resource.name)
      if (together) this.another(resource.name, resource)
      this.#refused(resource.name, resource, again, wasUnsure)
    }
    for (const name of response.removed) {
      if (together) this.#unsure(name)
      this.#refused(name, undefined, again, false)
    }
    return true
  }

  /** What is sent next takes the place of what was not answered yet, so that an answer to that is no longer waited for. */
  supersede(): readonly Resource[] {
    const before = this.unanswered.flatMap(({ resources }) => resources)
    for (const resource of before) if (this.held.get(resource.name)?.version !== resource.version) this.another(resource.name, resource)
    for (const name of this.unanswered.flatMap(({ removed }) => removed)) this.#unsure(name)
    this.unanswered = []
    return before
  }

  /** It was to be taken away, and may be gone or not. */
  #unsure(name: string): void {
    const held = this.held.get(name)
    if (held !== undefined) this.another(name, held)
    this.held.delete(name)
  }

  #answered(nonce: string): Sent | undefined {
    const response = this.unanswered.find((one) => one.nonce === nonce)
    if (response !== undefined) this.unanswered = this.unanswered.filter((one) => one !== response)
    return response
  }

  #holds(name: string, resource: Resource | undefined): void {
    const before = this.held.get(name)
    if (resource === undefined) this.held.delete(name)
    else this.held.set(name, resource)
    this.rejected.delete(name)
    this.troubled.delete(name)
    // A listener or cluster works on with what it was until it has everything that it names now.
    if (!isWhole(this.kind) || resource === undefined) this.others.delete(name)
    else if (before !== undefined && before.version !== resource.version) this.another(name, before)
  }

  #refused(name: string, resource: Resource | undefined, again: boolean, wasUnsure: boolean): void {
    if (!this.wants(name)) return
    this.troubled.add(name)
    if (this.latest.get(name)?.version === resource?.version) {
      const held = this.held.get(name)
      if (held === undefined) this.latest.delete(name)
      // What was sent in between may have been taken: then it has to be told again what it had before.
      else this.latest.set(name, wasUnsure ? { version: UNSURE, needs: held.needs } : held)
    }
    if (again) this.retry.add(name)
    else this.rejected.set(name, resource?.version ?? REMOVAL)
    // By now something else may be wanted of it.
    this.due.add(name)
  }

  /** Every content of a name that the node may work with. */
  *mayBe(name: string): Iterable<Held> {
    const held = this.held.get(name)
    if (held !== undefined) yield held
    yield* this.others.get(name) ?? []
    for (const { resources } of this.unanswered) for (const one of resources) if (one.name === name) yield one
  }

  another(name: string, one: Held): void {
    this.others.set(name, [...(this.others.get(name) ?? []), one].slice(-MAX_OTHERS))
  }
}

function checkName(name: string, limits: XdsLimits): void {
  if (name.length > limits.nameLength) throw new StreamRefusal('INVALID_ARGUMENT', `a name is longer than ${limits.nameLength} characters`)
}
