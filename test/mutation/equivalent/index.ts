/**
 * Mutants that no input tells from what is written, each with the reason. They are passed over; an entry that meets no mutant any more is an
 * error, so that none outlives its line.
 */
import { ACTIONS } from './actions.ts'
import { COMPARER } from './comparer.ts'
import { DECIDING } from './deciding.ts'
import { ENGINE } from './engine.ts'

export interface Equivalent {
  /** The line's text without what surrounds it. */
  readonly line: string
  /** The same of the line before, where there are several such lines. */
  readonly after?: string
  /** How many such lines there are, where the reason is that of each. Default: 1. */
  readonly lines?: number
  /** As `npm run load -- mutants --list` tells it. */
  readonly change: string
  readonly because: string
}

/** By file. */
export type Equivalents = Readonly<Record<string, readonly Equivalent[]>>

export const EQUIVALENT: Equivalents = { ...ACTIONS, ...DECIDING, ...ENGINE, ...COMPARER }
