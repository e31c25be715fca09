/** One cell of a space: what is known of its inputs, actions that lie in it, and how it is told. */
import { ALL, type Action } from '../../core/action.ts'
import { TooManyCells, type ActionCell, type CellInput, type CellValues, type OpenInput, type Scalar } from './cells.ts'
import { someOf } from './celltext.ts'
import type { TextClass } from './sets/partition.ts'
import type { SetClass } from './sets/sets.ts'
import type { Space, Step } from './space.ts'
import type { PatternBase, RequestValue } from './vocabulary.ts'

/** What was chosen of one step: values and texts that the same patterns meet. */
export interface Piece<P> {
  readonly step: Step<P>
  readonly tag: string
  values: readonly string[]
  texts: readonly TextClass[]
  sets: readonly { readonly of: SetClass; readonly named: ReadonlyMap<string, boolean> }[]
  /** Every class of the step with this tag is in it. */
  whole: boolean
  readonly alive: readonly number[]
}

/** Texts of one class that are looked at for an action, at most. */
const MAX_TRIES = 24

export class SpaceCell<A extends Action, P extends PatternBase> implements ActionCell {
  readonly covering: readonly number[]
  readonly #space: Space<A, P>
  readonly #pieces: readonly Piece<P>[]
  readonly #tags: ReadonlyMap<string, string>

  constructor(space: Space<A, P>, covering: readonly number[], pieces: readonly Piece<P>[], tags: ReadonlyMap<string, string>) {
    this.covering = covering
    this.#space = space
    this.#pieces = pieces
    this.#tags = tags
  }

  #piece(field: string): Piece<P> | undefined {
    return this.#pieces.find(({ step }) => step.field === field)
  }

  get text(): string {
    const { words, rest } = this.listed
    return `${someOf(words)}${rest}`
  }

  get listed(): { readonly words: readonly string[]; readonly rest: string } {
    const within: string[] = []
    const except: string[] = []
    const said = (field: string, as = (text: string): string => text): string | undefined => {
      const piece = this.#piece(field)
      const found = piece === undefined ? undefined : saidOf(piece)
      within.push(...(found?.within ?? []).map(as))
      except.push(...(found?.except ?? []).map(as))
      return found?.text
    }
    const { first, rest } = this.#space
    const named = said(first)
    const words = this.#piece(first)?.values ?? []
    const text = rest({
      tag: (field) => this.#tags.get(field) ?? '',
      values: (field) => this.#piece(field)?.values ?? [],
      isWhole: (field) => this.#piece(field)?.whole ?? true,
      said,
    })
    return {
      words: named === undefined ? words : [named, ...words],
      rest: `${text}${listed(', within ', within)}${listed(', except ', except)}`,
    }
  }

  input(root: 'request' | 'params', name: string): CellInput {
    if (root === 'params') return { kind: 'fixed', value: undefined }
    const own = this.#space.input?.(name, this.#tags)
    if (own !== undefined && !('as' in own)) return own
    const piece = this.#piece(own?.as ?? name)
    return piece === undefined ? { kind: 'fixed', value: undefined } : inputOf(piece)
  }

  action(values: CellValues): A | undefined {
    for (let attempt = 0; attempt < MAX_TRIES; attempt++) {
      const parts = new Map<string, string | readonly string[]>()
      for (const piece of this.#pieces) {
        const part = valueOf(piece, values, attempt)
        if (part === undefined) return undefined
        parts.set(piece.step.field, part)
      }
      const action = this.#space.action({
        text: (field) => String(parts.get(field) ?? ''),
        texts: (field) => (parts.get(field) ?? []) as readonly string[],
        given: values,
      })
      // A form may have a few texts too many.
      if (this.#space.isCanonical(action) && this.has(action)) return action
    }
    return undefined
  }

  has(action: Action): boolean {
    return this.#pieces.every(({ step, values, texts, sets }) => {
      const value = this.#space.valueOf(action as A, step.field)
      if (typeof value !== 'string') return sets.some(({ of }) => of.has(value))
      return values.includes(value) || texts.some((one) => one.has(value))
    })
  }
}

function keyOf<P>({ step }: Piece<P>): string {
  return `request.${step.field}`
}

function isAbsent<P>({ step }: Piece<P>, value: string): boolean {
  return step.absent === undefined ? value === ALL : step.absent(value)
}

/** What an action of the cell has: what is given, or else something of the piece. */
function valueOf<P>(piece: Piece<P>, given: CellValues, attempt: number): string | readonly string[] | undefined {
  const { values, texts, sets } = piece
  const key = keyOf(piece)
  if (sets.length > 0) {
    const text = given.get(key)
    if (text !== undefined) return splitSet(String(text))
    const { parts } = sets[0]!.of
    return parts.map((part) => nth(part, attempt) ?? '').toSorted()
  }
  if (given.has(key)) {
    const value = given.get(key)
    return value === undefined ? values.find((one) => isAbsent(piece, one)) : String(value)
  }
  for (const text of texts) {
    const found = nth(text, attempt)
    if (found !== undefined) return found
  }
  return values.find((one) => !isAbsent(piece, one)) ?? values[0]
}

/** A text of a class, another one for each attempt as far as there are so many. */
function nth(text: TextClass, attempt: number): string | undefined {
  if (text.only !== undefined) return text.only
  let last: string | undefined
  let i = 0
  for (const one of text.texts()) {
    last = one
    if (i++ >= attempt) break
  }
  return last
}

/** Options parted by commas, as they are shown. */
function splitSet(text: string): readonly string[] {
  return text === '' ? [] : text.split(', ')
}

function inputOf<P>(piece: Piece<P>): CellInput {
  const { step, values, texts, sets } = piece
  const readable = values.filter((one) => !isAbsent(piece, one))
  const read = step.read ?? ((value: string): RequestValue => value)
  if (sets.length > 0) return sets.every(({ of }) => of.isEmpty) ? { kind: 'fixed', value: [] } : setInput(piece)
  if (texts.length === 0 && readable.length === 0) return { kind: 'fixed', value: undefined }
  if (texts.length === 0 && values.length === 1) return { kind: 'fixed', value: read(values[0]!) }
  return {
    kind: 'open',
    key: keyOf(piece),
    type: 'string',
    admits: (value) => typeof value === 'string' && (readable.includes(value) || texts.some((one) => one.has(value))),
    mayFail: readable.length < values.length,
    // Of what is read as something else, its text can't be compared.
    values: texts.length > 0 || step.read !== undefined ? undefined : readable,
    other:
      step.read !== undefined
        ? undefined
        : (but) => {
            const named = readable.find((one) => !but.has(one))
            if (named !== undefined) return named
            return otherText(texts, but)
          },
    tries: (named) => {
      const fitting = [...readable, ...texts.flatMap((one) => firstTexts(one))]
      const more = named.map(String)
      const tried = [...fitting, ...more, ...(step.tries?.(fitting, more) ?? [])]
      return [...new Set(tried)].filter((one) => readable.includes(one) || texts.some((some) => some.has(one)))
    },
  }
}

/** @throws TooManyCells where there are too many to know that there is none */
function otherText(texts: readonly TextClass[], but: ReadonlySet<Scalar>): string | undefined {
  for (const text of texts) {
    const some = text.texts()
    let next = some.next()
    while (next.done !== true && but.has(next.value)) next = some.next()
    if (next.done !== true) return next.value
    if (!next.value) throw new TooManyCells()
  }
  return undefined
}

function firstTexts(text: TextClass): readonly string[] {
  const found: string[] = []
  for (const one of text.texts()) if (found.push(one) >= MAX_TRIES) break
  return found
}

function setInput<P>(piece: Piece<P>): CellInput {
  const open: OpenInput = {
    kind: 'open',
    key: keyOf(piece),
    type: 'string',
    admits: (value) => piece.sets.some(({ of }) => of.has(splitSet(String(value)))),
    mayFail: false,
    tries: (named) => {
      const smallest = piece.sets.flatMap(({ of }) => Array.from({ length: 4 }, (_, i) => of.parts.map((part) => nth(part, i) ?? '')))
      const more = smallest.flatMap((set) => [set, ...named.map((one) => [...new Set([...set, String(one)])])])
      return [...new Set(more.map((set) => set.toSorted().join(', ')))].filter((text) =>
        piece.sets.some(({ of }) => of.has(splitSet(text))),
      )
    },
  }
  return {
    kind: 'list',
    open,
    has: (value) => {
      const told = new Set(piece.sets.map(({ named }) => named.get(String(value))))
      return told.size === 1 ? [...told][0] : undefined
    },
  }
}

interface PieceSaid {
  readonly text: string | undefined
  readonly within: readonly string[]
  readonly except: readonly string[]
}

function saidOf<P>({ texts, sets, values }: Piece<P>): PieceSaid {
  if (sets.length > 0) {
    const parts = sets[0]!.of.parts.map(partSaid)
    return {
      text: parts.length === 0 ? undefined : parts.map(({ text }) => text).join(', '),
      within: [],
      except: parts.flatMap(({ except }) => except),
    }
  }
  if (texts.length === 0) return { text: undefined, within: [], except: [] }
  const said = texts.map((one) => one.said())
  // Several classes that the same patterns meet are one to people.
  const mains = [...new Set(said.flatMap(({ within }) => within[0] ?? [ALL]))]
  return {
    text: mains.includes(ALL) ? ALL : someOf(mains),
    within: said.length === 1 ? said[0]!.within.slice(1).map(someOf) : [],
    except: [...new Set(said.flatMap(({ except }) => except))].filter((one) => !values.includes(one)),
  }
}

function partSaid(part: TextClass): { readonly text: string; readonly except: readonly string[] } {
  if (part.only !== undefined) return { text: part.only, except: [] }
  const { within, except } = part.said()
  return within.length === 0 ? { text: 'any other', except } : { text: [...new Set(within[0])].join(' or '), except }
}

function listed(before: string, texts: readonly string[]): string {
  const all = [...new Set(texts)].map((one) => `\`${one.replaceAll('\0', ' ')}\``)
  const told = all.length > 4 ? [...all.slice(0, 3), `${all.length - 3} more`] : all
  return told.length === 0 ? '' : `${before}${told.join(', ')}`
}
