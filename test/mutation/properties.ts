/** `fast-check` with one seed, so that a mutant meets the same cases each time, and with few runs where few do. */
import * as fc from 'fast-check'

export * from 'fast-check'

const SEED = 20_260_302
let most = Number.POSITIVE_INFINITY

/** Each property runs this often at most. */
export function boundRuns(runs: number): void {
  most = runs
}

export function assert<T>(property: fc.IRawProperty<T>, parameters: fc.Parameters<T> = {}): Promise<void> | void {
  return fc.assert(property, { seed: SEED, ...parameters, endOnFailure: true, numRuns: Math.min(parameters.numRuns ?? 100, most) })
}
