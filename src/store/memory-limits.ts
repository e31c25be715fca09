import type { Limit, Limiter } from '../core/limiter.ts'

/** Parts that a window is counted in. The oldest counts whole until all of it has passed, so that no window ever holds more than it may. */
const PARTS = 16
/** Counters kept at most, of addresses and of all others apart: strangers with many addresses push out no principal's. */
const MAX_COUNTERS = 100_000

/** Requests by part of a window: a ring of which `latest` is the part that is now. */
interface Counter {
  readonly counts: Uint32Array
  latest: number
  total: number
}

/** Limits of one process, forgotten with it. Of more counters than are kept, the one that was used longest ago goes. */
export function memoryLimiter(maximum = MAX_COUNTERS): Limiter & { readonly size: number } {
  const tables = { address: new Map<string, Counter>(), other: new Map<string, Counter>() }

  const counterOf = (limit: Limit, now: number): Counter => {
    const table = limit.key.startsWith('address ') ? tables.address : tables.other
    const name = `${limit.id} ${limit.requests} ${limit.window} ${limit.key}`
    const part = Math.floor(now / partOf(limit))
    const known = table.get(name)
    const counter = known ?? { counts: new Uint32Array(PARTS + 1), latest: part, total: 0 }
    // The order of a map is that of insertion: what is used goes to its end.
    if (known !== undefined) table.delete(name)
    else if (table.size >= maximum) table.delete(table.keys().next().value!)
    table.set(name, counter)
    forward(counter, part)
    return counter
  }

  return {
    charge(limits, now) {
      const counters = limits.map((limit) => counterOf(limit, now))
      const used = limits.filter((limit, i) => counters[i]!.total >= limit.requests)
      if (used.every(({ observed }) => observed === true))
        for (const counter of counters) {
          counter.counts[counter.latest % (PARTS + 1)]!++
          counter.total++
        }
      if (used.length === 0) return undefined
      const waits = used.map((limit) => wait(limit, counters[limits.indexOf(limit)]!, now))
      return { limits: used, retryAfter: Math.max(...waits) }
    },
    get size() {
      return tables.address.size + tables.other.size
    },
  }
}

/** Length of a part in milliseconds. */
function partOf({ window }: Limit): number {
  return window / PARTS
}

/** Forgets the parts that have passed. Time that goes backwards counts into the latest. */
function forward(counter: Counter, part: number): void {
  const passed = Math.min(part - counter.latest, PARTS + 1)
  for (let i = 1; i <= passed; i++) {
    const slot = (counter.latest + i) % (PARTS + 1)
    counter.total -= counter.counts[slot]!
    counter.counts[slot] = 0
  }
  if (passed > 0) counter.latest = part
}

/** Milliseconds until so many of the oldest requests have passed that one more fits. */
function wait(limit: Limit, { counts, latest, total }: Counter, now: number): number {
  let left = total
  for (let part = latest - PARTS; part <= latest; part++) {
    left -= counts[((part % (PARTS + 1)) + PARTS + 1) % (PARTS + 1)]!
    // Where the clock has gone back, no more than the window is promised.
    if (left < limit.requests)
      return Math.max(1, Math.ceil(Math.min((part + PARTS + 1) * partOf(limit) - now, limit.window + partOf(limit))))
  }
  return limit.window
}
