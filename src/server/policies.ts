import type { Policy, PolicySource } from '../core/policy.ts'

/** Holds the running policy. A swap is one assignment: every exchange is decided by exactly one version. */
export class PolicyHolder<P extends Policy> implements PolicySource {
  #current: P
  readonly #listeners = new Set<(policy: P) => void>()

  constructor(first: P) {
    this.#current = first
  }

  get current(): P {
    return this.#current
  }

  swap(next: P): void {
    this.#current = next
    for (const listener of this.#listeners) listener(next)
  }

  subscribe(listener: (policy: P) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
