import type { Action } from '../../core/action.ts'
import { covers, overlaps } from './http/compare.ts'
import { matchesPattern, parametersOf, parsePattern, type HttpPattern, type ParsedPattern } from './http/template.ts'
import { HttpIndex } from './http/trie.ts'

/** A set of actions as policy writes it. */
export type ActionPattern = HttpPattern

/** The patterns of one resource, compiled: finds what covers an action. */
export interface ActionIndex<T> {
  find(action: Action): readonly T[]
}

/** What every protocol's action vocabulary brings: how its patterns are read, compared and matched. */
export interface Vocabulary {
  readonly parse: (text: string) => ParsedPattern
  /** The plain definition of a match, which the index must agree with. */
  readonly matches: (pattern: ActionPattern, action: Action) => boolean
  /** Values of the pattern's parameters in an action that it matches; undefined for one that can't be decoded. */
  readonly parameters: (pattern: ActionPattern, action: Action) => ReadonlyMap<string, string | undefined>
  readonly covers: (a: ActionPattern, b: ActionPattern) => boolean
  readonly overlaps: (a: ActionPattern, b: ActionPattern) => boolean
  readonly index: <V, T>(entries: Iterable<readonly [ActionPattern, V]>, combine: (values: readonly V[]) => T) => ActionIndex<T>
}

const http: Vocabulary = {
  parse: parsePattern,
  matches: (pattern, action) => matchesPattern(pattern, action.method, action.path),
  parameters: (pattern, action) => parametersOf(pattern, action.path),
  covers,
  overlaps,
  index: (entries, combine) => {
    const index = HttpIndex.build(entries, combine)
    return { find: (action) => (action.protocol === 'http' ? index.find(action.method, action.path) : []) }
  },
}

/** Vocabularies by protocol; a folder and a line here add one. */
export const vocabularies: Readonly<Record<Action['protocol'], Vocabulary>> = { http }

/** The vocabulary of a resource's protocol; undefined for one that policy can't speak of yet. */
export function vocabularyOf(protocol: string): Vocabulary | undefined {
  return Object.hasOwn(vocabularies, protocol) ? vocabularies[protocol as Action['protocol']] : undefined
}
