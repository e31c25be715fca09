import type { Meter } from '../../../core/meter.ts'
import type { RequestDeps } from '../../../secrets/request.ts'
import type { TokenSource } from '../../../secrets/clientauth/tokensource.ts'
import { graphLimits, type GraphLimits } from './limits.ts'
import { GraphFailure, groupsOf, type Groups } from './pages.ts'

/** What is known of an account's groups, until then (milliseconds since the epoch). */
export type Membership =
  | { readonly outcome: 'groups'; readonly groups: Groups; readonly until: number }
  | { readonly outcome: 'unknown'; readonly cause: string; readonly until: number }

export interface DirectoryParts extends RequestDeps {
  /** The issuer's name. */
  readonly issuer: string
  readonly endpoint: string
  /** The gateway's own tokens, in a tenant. */
  readonly tokensOf: (tenant: string) => TokenSource
  readonly kinds: 'security' | 'all'
  /** Milliseconds. */
  readonly cacheFor: number
  readonly meter: Meter
  readonly log: (line: string) => void
  readonly limits?: Partial<GraphLimits>
}

/**
 * The groups of accounts, from Microsoft Graph. An answer is believed for `cacheFor` and not a moment longer; one that can't be had is
 * *unknown*, never empty.
 */
export class Directory {
  readonly #parts: DirectoryParts
  readonly #limits: GraphLimits
  /** The one that was learnt first is first. */
  readonly #known = new Map<string, Membership>()
  readonly #asking = new Map<string, Promise<Membership>>()
  #kept = 0
  #heldUntil = 0
  #failure: string | undefined

  constructor(parts: DirectoryParts) {
    this.#parts = parts
    this.#limits = { ...graphLimits, ...parts.limits }
  }

  /** Why the last question had no answer; undefined while all is well. */
  get failure(): string | undefined {
    return this.#failure
  }

  membership(tenant: string, account: 'users' | 'servicePrincipals', object: string): Membership | Promise<Membership> {
    const key = `${tenant}/${account}/${object}`
    const now = this.#parts.clock.now()
    const found = this.#known.get(key)
    const known = found !== undefined && now < found.until ? found : undefined
    if (known !== undefined && !(known.outcome === 'groups' && known.until - now <= this.#limits.ahead)) return known
    const asking = this.#asking.get(key)
    if (asking !== undefined) return asking
    if (now < this.#heldUntil) return known ?? this.#unknown('it asked to be left alone for a while', this.#heldUntil)
    if (this.#asking.size >= this.#limits.concurrent) return known ?? this.#unknown('too many questions at once', now)
    const answer = this.#ask(key, tenant, account, object).finally(() => this.#asking.delete(key))
    this.#asking.set(key, answer)
    return answer
  }

  async #ask(key: string, tenant: string, account: 'users' | 'servicePrincipals', object: string): Promise<Membership> {
    const { tokensOf, cacheFor, clock, issuer, meter, log } = this.#parts
    // Membership may change while the pages come: it is as old as its first.
    const asked = clock.now()
    try {
      const groups = await groupsOf({ ...this.#parts, tokens: tokensOf(tenant), limits: this.#limits }, account, object)
      if (this.#failure !== undefined) log(`issuer ${issuer}: Microsoft Graph answers again`)
      this.#failure = undefined
      meter.count('identity_graph', { issuer, outcome: 'ok' })
      return this.#keep(key, { outcome: 'groups', groups, until: asked + cacheFor })
    } catch (error) {
      if (!(error instanceof GraphFailure)) throw error
      if (this.#failure !== error.message)
        log(`issuer ${issuer}: Microsoft Graph can not be asked for groups: ${error.message}; those of overfull tokens stay unknown`)
      this.#failure = error.message
      meter.count('identity_graph', { issuer, outcome: 'failed' })
      const now = clock.now()
      if (error.holdOff > 0) this.#heldUntil = now + error.holdOff
      // What was learnt before is good until its own end.
      const before = this.#known.get(key)
      if (before?.outcome === 'groups' && now < before.until) return before
      return this.#keep(key, this.#unknown(error.message, now))
    }
  }

  #unknown(cause: string, from: number): Membership {
    const soon = this.#parts.clock.now() + this.#limits.failedFor
    return { outcome: 'unknown', cause, until: Math.min(soon, from + this.#limits.failedFor) }
  }

  #keep(key: string, membership: Membership): Membership {
    this.#drop(key)
    this.#known.set(key, membership)
    this.#kept += weight(membership)
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= this.#limits.accounts && this.#kept <= this.#limits.groups) break
      this.#drop(oldest)
    }
    return membership
  }

  #drop(key: string): void {
    const one = this.#known.get(key)
    if (one === undefined) return
    this.#known.delete(key)
    this.#kept -= weight(one)
  }
}

function weight(membership: Membership): number {
  return membership.outcome === 'groups' ? membership.groups.size : 0
}
