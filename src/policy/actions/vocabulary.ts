import type { Action } from '../../core/action.ts'
import type { Type } from '../when/types.ts'
import type { ActionCell, Wanted } from './cells.ts'
import type { Places } from './places.ts'
import type { Side } from './sets/values.ts'

/** What patterns of every protocol have. */
export interface PatternBase {
  readonly protocol: Action['protocol']
  /** As written. */
  readonly text: string
  /** Names that `params.` of a condition knows, in order. */
  readonly parameters: readonly string[]
}

/** What is wrong with a text, and what to write instead. */
export interface Problem {
  readonly problem: string
  readonly help?: string | undefined
}

export type Parsed<P> =
  | { readonly pattern: P; readonly problem?: undefined; readonly help?: undefined }
  | (Problem & { readonly pattern?: undefined })

/** The patterns of one resource, compiled: finds what covers an action. */
export interface ActionIndex<T> {
  find(action: Action): readonly T[]
}

/** The same, where what is found are records: whole numbers one after the other. */
export interface RecordIndex {
  readonly words: Int32Array
  /** Where in `words` the record of each place begins. Good until somebody looks for something else. */
  look(action: Action): Places
}

/** An index of records that is kept, and handed over, as it is. */
export interface FlatIndex {
  /** Those of several indexes may be in one array. */
  readonly words: Int32Array<ArrayBuffer>
  /** Where its own begin, and end. */
  readonly base: number
  readonly end: number
  /** Methods that only it has a number for. */
  readonly methods: readonly string[]
}

/** Makes flat indexes. */
export interface Flattening<P> {
  /** `record` says in whole numbers what everything that the patterns of one place bring comes to. */
  readonly write: <V>(entries: Iterable<readonly [P, V]>, record: (values: readonly V[]) => readonly number[]) => FlatIndex
  readonly read: (flat: FlatIndex) => RecordIndex
}

/** A field of `request`. JSON of unknown shape is `dyn`. */
export type RequestValue = string | bigint | boolean | readonly string[] | Readonly<Record<string, unknown>>

/** What every protocol's action vocabulary brings: how its patterns and actions are read, compared and matched. */
export interface Vocabulary<A extends Action, P extends PatternBase> {
  readonly protocol: A['protocol']
  /** A pattern to show to whoever wrote something else. */
  readonly example: string
  /** An action to show to whoever asked for something else. */
  readonly exampleAction: string
  /** Fields of `request` in conditions. */
  readonly fields: Readonly<Record<string, Type>>
  readonly parse: (text: string, side: Side) => Parsed<P>
  /** Whether a pattern that takes away may be about an action that isn't in canonical form. Undefined where there is none. */
  readonly mayMeet?: (pattern: P, action: A) => boolean
  /** Whether a pattern that was parsed as one that takes away is about some of what the action is about. Undefined where nothing is a list. */
  readonly partly?: (pattern: P, action: A) => boolean
  /** One concrete action as people write it, in its canonical form, or what is wrong with the text. */
  readonly read: (text: string) => A | Problem
  /** The same from a name and properties, as OpenID AuthZEN has it. */
  readonly readParts: (name: string, properties: Readonly<Record<string, unknown>>) => A | Problem
  /** Whether the pattern covers the action, for a guardrail whether it meets it. The plain definition, which the index must agree with. */
  readonly matches: (pattern: P, action: A) => boolean
  /** Values of the pattern's parameters in an action that it matches; undefined for one that can't be decoded. */
  readonly parameters: (pattern: P, action: A) => ReadonlyMap<string, string | undefined>
  /** Fields of `request`. Those that hold no one value are left out, so that a condition over them can't be told. */
  readonly request: (action: A) => ReadonlyMap<string, RequestValue>
  /** Whether every action that `b` meets is met by `a`. */
  readonly covers: (a: P, b: P) => boolean
  /** Whether some action is met by both. */
  readonly overlaps: (a: P, b: P) => boolean
  /** Whether nothing is left out. */
  readonly isAll: (pattern: P) => boolean
  /** Patterns of a guardrail that together meet every action; undefined where some can't be written. */
  readonly everything?: readonly string[]
  /**
   * The actions that some of the patterns cover, cut into cells: each such action is in exactly one.
   * @throws TooManyCells
   */
  readonly cells: (patterns: readonly P[], wanted: Wanted) => Iterable<ActionCell>
  readonly index: <V, T>(entries: Iterable<readonly [P, V]>, combine: (values: readonly V[]) => T) => { find(action: A): readonly T[] }
  /** Undefined where there is no such form. */
  readonly flat?: Flattening<P>
}

const NONE: ReadonlyMap<string, string | undefined> = new Map()

/** Protocols without parameters in their patterns. */
export function noParameters(): ReadonlyMap<string, string | undefined> {
  return NONE
}
