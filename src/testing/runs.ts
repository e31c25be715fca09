/** How often properties are tried. */
import { AssertionError } from 'node:assert/strict'

const times = Number(process.env['OSTIARY_RUNS'] ?? 1)
if (!(times > 0)) throw new Error('`OSTIARY_RUNS` is by how much properties are tried more often, such as 10')

/** So many as find what a change breaks, times `OSTIARY_RUNS`: `.ci/run` takes more than who waits for the tests. */
export function runs(usual: number): number {
  return Math.ceil(usual * times)
}

/**
 * Holds a property in rounds, until what it is for was met often enough: that is up to chance, and whether a test fails must not be.
 * @throws AssertionError with what was met, if it is not enough after 20 rounds; what `round` throws
 */
export async function untilEnough(round: () => Promise<void> | void, isEnough: () => boolean, met: () => unknown): Promise<void> {
  for (let rounds = 0; rounds < 20; rounds++) {
    await round()
    if (isEnough()) return
  }
  throw new AssertionError({ message: `not enough was met: ${JSON.stringify(met())}` })
}
