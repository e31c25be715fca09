/** What a cluster has of its own: whether a custom resource is in namespaces, which a path across all of them leaves open. */
import type { Clock } from '../../core/clock.ts'
import type { Secret } from '../../core/secret.ts'
import type { UpstreamTarget } from '../../http/engine.ts'
import { isNamespaced } from '../../policy/actions/kubernetes/known.ts'
import { askCluster } from './ask.ts'

export interface DiscoveryParts {
  readonly target: UpstreamTarget
  readonly host: string
  readonly token: (() => Secret) | undefined
  readonly clock: Clock
}

/** What is known is believed for so long, in milliseconds; what isn't is asked for again after less. */
const FRESH_MS = 300_000
const RETRY_MS = 10_000
const MAX_BYTES = 8 * 1024 * 1024
/** Groups that aren't there, of which that is remembered. */
const MAX_MISSED = 2000
/** Questions under way. Whoever makes up groups asks without a credential, and each question is a connection. */
const MAX_ASKING = 16

interface Known {
  readonly resources: ReadonlyMap<string, boolean>
  readonly until: number
}

/**
 * Answers at once from what is known, and asks the cluster meanwhile where that is nothing: until it has answered, a resource may be in
 * namespaces and may not, which fewer rules cover and more guardrails meet.
 */
export class Discovery {
  readonly #parts: DiscoveryParts
  readonly #known = new Map<string, Known>()
  /** Until when what isn't known isn't asked for again. */
  readonly #missed = new Map<string, number>()
  readonly #asking = new Map<string, Promise<void>>()

  constructor(parts: DiscoveryParts) {
    this.#parts = parts
  }

  readonly namespaced = (group: string, version: string, resource: string): boolean | undefined => {
    const built = isNamespaced(group, resource)
    if (built !== undefined) return built
    const key = keyOf(group, version)
    if (!this.#isFresh(key)) void this.ask(group, version)
    return this.#known.get(key)?.resources.get(resource)
  }

  /** Whether there is nothing to wait for: it is known, or known that it can't be told now. */
  knows(group: string, version: string, resource: string): boolean {
    return isNamespaced(group, resource) !== undefined || !isAsked(group, version) || this.#isFresh(keyOf(group, version))
  }

  /** Questions under way. */
  get asking(): number {
    return this.#asking.size
  }

  /** Groups of which something is remembered. */
  get size(): number {
    return this.#known.size + this.#missed.size
  }

  #isFresh(key: string): boolean {
    const until = this.#known.get(key)?.until ?? this.#missed.get(key)
    return until !== undefined && until > this.#parts.clock.monotonic()
  }

  /** Asks the cluster what there is, unless too much is asked already. Never rejects. */
  ask(group: string, version: string): Promise<void> {
    if (!isAsked(group, version)) return Promise.resolve()
    const key = keyOf(group, version)
    const asking = this.#asking.get(key)
    if (asking !== undefined) return asking
    if (this.#asking.size >= MAX_ASKING) return Promise.resolve()
    const answer = this.#ask(key)
      .catch(() => this.#miss(key))
      .finally(() => this.#asking.delete(key))
    this.#asking.set(key, answer)
    return answer
  }

  async #ask(key: string): Promise<void> {
    const { target, host, token } = this.#parts
    const fields = token === undefined ? [] : ['Authorization', `Bearer ${token().reveal()}`]
    const answer = await askCluster(
      target,
      { method: 'GET', path: key, host, fields: [...fields, 'Accept', 'application/json'] },
      MAX_BYTES,
    )
    if (answer.status !== 200) throw new Error(`${answer.status}`)
    const { resources } = JSON.parse(answer.body.toString()) as { resources?: { name?: unknown; namespaced?: unknown }[] }
    const found = new Map<string, boolean>()
    for (const { name, namespaced } of resources ?? [])
      if (typeof name === 'string' && typeof namespaced === 'boolean') found.set(name, namespaced)
    this.#missed.delete(key)
    this.#known.set(key, { resources: found, until: this.#parts.clock.monotonic() + FRESH_MS })
  }

  /** What was known stays; what never was doesn't displace it. */
  #miss(key: string): void {
    const until = this.#parts.clock.monotonic() + RETRY_MS
    const known = this.#known.get(key)
    if (known !== undefined) {
      this.#known.set(key, { ...known, until })
      return
    }
    if (this.#missed.size >= MAX_MISSED) this.#missed.clear()
    this.#missed.set(key, until)
  }
}

/** Whether that can be a group: whoever asks what somebody may do writes any text, and an API server decodes a slash before it looks at a path. */
function isAsked(group: string, version: string): boolean {
  return /^[a-z0-9.-]*$/.test(group) && /^[a-z0-9]+$/.test(version)
}

function keyOf(group: string, version: string): string {
  const part = encodeURIComponent
  return group === '' ? `/api/${part(version)}` : `/apis/${part(group)}/${part(version)}`
}
