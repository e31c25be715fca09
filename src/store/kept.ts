/** What a gateway is told at run time and keeps, such as revocations: changed by nobody, once it is there, until it is over. */
export interface Kept {
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  /** From then on it counts for nothing. Undefined: it holds until it is removed. */
  readonly until: number | undefined
}

/**
 * Where such are kept. Every implementation passes the suite in `kept.test.ts`. A method rejects if the store can't be reached, and has
 * changed nothing then.
 */
export interface KeptStore<T extends Kept> {
  /** Keeps one unless there are `maximum` already. Those that are over at `now` don't count. */
  add(one: T, maximum: number, now: number): Promise<'added' | 'full'>
  /** All of them, the oldest first. */
  list(): Promise<readonly T[]>
  /** Removes one; false if there is none. */
  remove(id: string): Promise<boolean>
  /** Removes those that are over at `now`; how many. */
  sweep(now: number): Promise<number>
  /** Another number after each change by somebody else, such as another process. Cheap: it may be asked for twice a second. */
  version(): Promise<number>
  close(): Promise<void>
}
