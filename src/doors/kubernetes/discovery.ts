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
const MAX_KNOWN = 2000

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
  readonly #asking = new Map<string, Promise<void>>()

  constructor(parts: DiscoveryParts) {
    this.#parts = parts
  }

  readonly namespaced = (group: string, version: string, resource: string): boolean | undefined => {
    const built = isNamespaced(group, resource)
    if (built !== undefined) return built
    const key = keyOf(group, version)
    const known = this.#known.get(key)
    if (known === undefined || known.until <= this.#parts.clock.monotonic()) void this.ask(group, version)
    return known?.resources.get(resource)
  }

  /** Whether it has to be waited for to tell. */
  knows(group: string, version: string, resource: string): boolean {
    return isNamespaced(group, resource) !== undefined || this.#known.has(keyOf(group, version))
  }

  /** Asks the cluster what there is. Never rejects. */
  ask(group: string, version: string): Promise<void> {
    const key = keyOf(group, version)
    const asking = this.#asking.get(key)
    if (asking !== undefined) return asking
    const answer = this.#ask(key)
      .catch(() => this.#keep(key, this.#known.get(key)?.resources ?? new Map(), RETRY_MS))
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
    this.#keep(key, found, FRESH_MS)
  }

  #keep(key: string, resources: ReadonlyMap<string, boolean>, ms: number): void {
    // Groups that nobody has are asked about, too: by whoever makes them up.
    if (this.#known.size >= MAX_KNOWN) this.#known.clear()
    this.#known.set(key, { resources, until: this.#parts.clock.monotonic() + ms })
  }
}

function keyOf(group: string, version: string): string {
  const part = encodeURIComponent
  return group === '' ? `/api/${part(version)}` : `/apis/${part(group)}/${part(version)}`
}
