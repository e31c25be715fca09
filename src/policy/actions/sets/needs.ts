/** What the fields of patterns ask of a text. */
import type { Glob } from './glob.ts'
import { globMachine, literalMachine } from './machine.ts'
import type { Language } from './partition.ts'
import type { Values } from './values.ts'
import { isEveryWord, type Words } from './words.ts'

/** Those of any glob. */
export function globsNeed(globs: readonly Glob[]): readonly Language[] {
  return [{ machines: globs.map(globMachine), every: false }]
}

export function valuesNeed(values: Values): readonly Language[] {
  return values.any ? [] : globsNeed(values.globs)
}

export function wordsNeed(words: Words): readonly Language[] {
  return isEveryWord(words) ? [] : [{ machines: [...words.values].map(literalMachine), every: words.every }]
}
