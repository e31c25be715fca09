/**
 * Mutants that no input tells from what is written, each with the reason. They are passed over; an entry that meets no mutant any more is an
 * error, so that none outlives its line.
 */

export interface Equivalent {
  /** The line's text without what surrounds it. */
  readonly line: string
  /** As `npm run load -- mutants --list` tells it. */
  readonly change: string
  readonly because: string
}

export const EQUIVALENT: Readonly<Record<string, readonly Equivalent[]>> = {}
