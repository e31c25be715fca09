import { iso } from './encode.ts'

/** What was not recorded, counted until it could be said in the record itself. */
export class Gaps {
  /** Best-effort records. */
  #dropped = 0
  /** Requests refused for want of a record. */
  #refused = 0
  /** Outcomes and events that found the queue full beyond its headroom. */
  #lost = 0
  #since: number | undefined
  #cause = ''

  get empty(): boolean {
    return this.#dropped + this.#refused + this.#lost === 0
  }

  count(what: 'dropped' | 'refused' | 'lost', cause: string, time: number): void {
    if (what === 'dropped') this.#dropped++
    else if (what === 'refused') this.#refused++
    else this.#lost++
    this.#since ??= time
    this.#cause = cause
  }

  /** The record that says so, and what to call once it is durable. */
  take(now: number, since = this.#since ?? now, cause = this.#cause): { readonly text: string; readonly told: () => void } {
    const [dropped, refused, lost] = [this.#dropped, this.#refused, this.#lost]
    return {
      text: `"time":"${iso(now)}","kind":"gap","since":"${iso(Math.min(since, this.#since ?? since))}","cause":${JSON.stringify(cause)},"dropped":${dropped},"refused":${refused},"lost":${lost}`,
      told: () => {
        this.#dropped -= dropped
        this.#refused -= refused
        this.#lost -= lost
        if (this.empty) this.#since = undefined
      },
    }
  }
}
