/** Cells: the actions of one resource, cut so finely that within each piece all patterns say the same of every action. */
import type { Action } from '../../core/action.ts'
import type { RequestValue } from './vocabulary.ts'

/** What stands in a condition as a literal. JSON that nobody declared is a text of it, and the empty text where it is absent. */
export type Scalar = string | number | boolean

/** An input that actions of a cell have several values of. */
export interface OpenInput {
  readonly kind: 'open'
  /** The same for the same place in actions, whatever a pattern calls it: `segment 2`, `request.namespace`. */
  readonly key: string
  /** `json` is a value within JSON of unknown shape, as its text. */
  readonly type: 'string' | 'number' | 'json'
  readonly admits: (value: Scalar) => boolean
  /** Actions may have nothing there that can be read, so that a condition over it is an error. */
  readonly mayFail: boolean
  /** All that it can be; undefined where that is too much to list. */
  readonly values?: readonly Scalar[] | undefined
  /** Whole numbers that it lies within, both included. */
  readonly range?: readonly [number, number] | undefined
  /** One that it can be besides those given; undefined where there is none. Left out where that is not known. */
  readonly other?: ((but: ReadonlySet<Scalar>) => Scalar | undefined) | undefined
  /** Values worth a try where a condition looks into it, made of what conditions name. */
  readonly tries: (named: readonly Scalar[]) => readonly Scalar[]
}

/** What is known, in one cell, of a value that a condition can read. */
export type CellInput =
  /** One for all of its actions; undefined where there is none, and a condition over it is an error. */
  | { readonly kind: 'fixed'; readonly value: RequestValue | undefined }
  | OpenInput
  /** A list, of which it is known whether something is in it for all actions; undefined where for some only. */
  | { readonly kind: 'list'; readonly open: OpenInput; readonly has: (value: Scalar) => boolean | undefined }

/** Values for open inputs by their key; undefined for one that can't be read. */
export type CellValues = ReadonlyMap<string, Scalar | undefined>

/** A set of actions that the same patterns cover. */
export interface ActionCell {
  /** For people, as a pattern says it: `GET /orders/{id}`, `get,list pods -n shop`. */
  readonly text: string
  /** The same as words that stand in a list, such as verbs, and what is behind them; undefined where it has no such list. */
  readonly listed?: { readonly words: readonly string[]; readonly rest: string } | undefined
  /** Numbers of the patterns that cover it, ascending. */
  readonly covering: readonly number[]
  /** What a condition beside this pattern reads as `request.<name>` or `params.<name>`. */
  readonly input: (root: 'request' | 'params', name: string, pattern: number) => CellInput
  /** An action of the cell, with values for open inputs; undefined if they don't fit, or if none is found. */
  readonly action: (values: CellValues) => Action | undefined
  /** Whether an action is in it. */
  readonly has: (action: Action) => boolean
}

/** Which cells are asked for. */
export interface Wanted {
  /** Texts that conditions name, by the field of `request` that they look at; undefined for a field that none looks at. */
  readonly named: (field: string) => ReadonlySet<string> | undefined
  /** Whether cells that a pattern covers are wanted. A cell that only others cover is left out. */
  readonly wants: (pattern: number) => boolean
  /** How many there may be, else `TooManyCells`. */
  readonly most: number
}

/** Thrown where patterns overlap in more ways than may be looked at. */
export class TooManyCells extends Error {}
