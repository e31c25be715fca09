/** Long work in steps, between which whoever does it may let others go first. What comes of it doesn't depend on that. */
export type Gradual<T> = Generator<undefined, T, undefined>

/** Does all of it now. */
export function atOnce<T>(work: Gradual<T>): T {
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
  }
}

/**
 * Does it in slices. A step isn't interrupted, so a slice can take longer than it is to.
 * @param pause Lets others go first, such as by `setImmediate`
 * @param slice Milliseconds
 * @param now Milliseconds of a clock that only goes forward
 */
export async function inSlices<T>(work: Gradual<T>, pause: () => Promise<void>, slice: number, now: () => number): Promise<T> {
  let since = now()
  for (;;) {
    const step = work.next()
    if (step.done === true) return step.value
    if (now() - since < slice) continue
    await pause()
    since = now()
  }
}
