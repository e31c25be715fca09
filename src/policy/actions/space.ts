/**
 * The actions of a protocol as choices that follow one another: an operation, then what it is on. A cell is one class for each
 * choice, cut only by the patterns that the choices before it left over, so that what doesn't meet isn't multiplied.
 */
import type { Action } from '../../core/action.ts'
import { TooManyCells, type ActionCell, type CellInput, type CellValues, type Wanted } from './cells.ts'
import type { Form } from './sets/form.ts'
import type { Machine } from './sets/machine.ts'
import { cutTexts, languageKey, type Language, type TextClass } from './sets/partition.ts'
import { cutSets, needKey, type SetClass, type SetNeed } from './sets/sets.ts'
import { SpaceCell, type Piece } from './spacecell.ts'
import type { PatternBase, RequestValue } from './vocabulary.ts'

/** What can be chosen. `tag` says what later choices depend on: classes of different tags are never one. */
export type Choice<P> = ValueChoice<P> | TextChoice<P> | SetChoice<P>

export interface ValueChoice<P> {
  readonly kind: 'value'
  readonly value: string
  readonly tag?: string
  readonly meets: (pattern: P) => boolean
}

export interface TextChoice<P> {
  readonly kind: 'texts'
  readonly form: Form
  /** Texts of the form that are another choice. */
  readonly but?: readonly Machine[]
  /** They go without saying. */
  readonly quiet?: boolean
  readonly tag?: string
  /** Languages that a text has to be in, all of them; undefined where the pattern meets none. */
  readonly needs: (pattern: P) => readonly Language[] | undefined
}

export interface SetChoice<P> {
  readonly kind: 'sets'
  readonly form: Form
  readonly tag?: string
  readonly needs: (pattern: P) => SetNeed
  /** One text that may be in a set. */
  readonly language: (text: string) => Language
}

/** What a pattern asks of texts. */
interface Asked {
  readonly number: number
  readonly keys: readonly string[]
  readonly languages: readonly Language[]
}

export interface Step<P> {
  readonly field: string
  readonly choices: readonly Choice<P>[]
  /** Whether a condition over the field can't read it in an action that has this value. Otherwise for `*` only. */
  readonly absent?: (value: string) => boolean
  /** What a condition reads. Otherwise the text itself. */
  readonly read?: (value: string) => RequestValue
  /** Texts worth a try, made of others that fit and of what conditions name. */
  readonly tries?: (fitting: readonly string[], named: readonly string[]) => readonly string[]
}

export interface Space<A extends Action, P extends PatternBase> {
  /** What is chosen after what was: its tags by field. Undefined where everything is. */
  readonly next: (tags: ReadonlyMap<string, string>) => Step<P> | undefined
  /** What an action has at a field. */
  readonly valueOf: (action: A, field: string) => string | readonly string[]
  readonly action: (values: ActionValues) => A
  readonly isCanonical: (action: A) => boolean
  /** The field that stands first, and how the rest is said. */
  readonly first: string
  readonly rest: (cell: CellText) => string
  /** What is known of a field of `request` that is no choice of its own. */
  readonly input?: (name: string, tags: ReadonlyMap<string, string>) => CellInput | { readonly as: string } | undefined
}

export interface ActionValues {
  readonly text: (field: string) => string
  readonly texts: (field: string) => readonly string[]
  /** Also of inputs that are no choice. */
  readonly given: CellValues
}

/** What a cell's text is made of. */
export interface CellText {
  readonly tag: (field: string) => string
  /** Values of a field that are no texts of a form: words, `*`, nothing. */
  readonly values: (field: string) => readonly string[]
  /**
   * The field as a pattern says it; undefined where only such values are there. What it leaves out is told at the end.
   * @param as How that is said of the field
   */
  readonly said: (field: string, as?: (text: string) => string) => string | undefined
  /** All that patterns of the field could tell apart is in it. */
  readonly isWhole: (field: string) => boolean
}

export function* spaceCells<A extends Action, P extends PatternBase>(
  space: Space<A, P>,
  patterns: readonly P[],
  wanted: Wanted,
): Generator<ActionCell> {
  yield* new Splitting(space, patterns, wanted).cells()
}

/** What was chosen so far, and the patterns that it left over. */
interface Chosen<P> {
  readonly alive: readonly number[]
  readonly pieces: readonly Piece<P>[]
  readonly tags: ReadonlyMap<string, string>
}

class Splitting<A extends Action, P extends PatternBase> {
  readonly #space: Space<A, P>
  readonly #patterns: readonly P[]
  readonly #wanted: Wanted
  /** Classes by what cuts them. */
  readonly #texts = new Map<string, readonly TextClass[]>()
  readonly #sets = new Map<string, readonly SetClass[]>()
  /** What each pattern asks of a choice. */
  readonly #asked = new WeakMap<Choice<P>, Map<number, Asked | undefined>>()

  constructor(space: Space<A, P>, patterns: readonly P[], wanted: Wanted) {
    this.#space = space
    this.#patterns = patterns
    this.#wanted = wanted
  }

  *cells(): Generator<ActionCell> {
    const { wants, most } = this.#wanted
    let count = 0
    const waiting: Chosen<P>[] = [{ alive: this.#patterns.map((_, number) => number), pieces: [], tags: new Map() }]
    for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
      const { alive, pieces, tags } = one
      if (!alive.some(wants)) continue
      const step = this.#space.next(tags)
      if (step === undefined) {
        if (++count > most) throw new TooManyCells()
        yield new SpaceCell(this.#space, alive, pieces, tags)
      } else
        for (const piece of [...this.#cut(step, alive)].toReversed())
          waiting.push({ alive: piece.alive, pieces: [...pieces, piece], tags: new Map([...tags, [step.field, piece.tag]]) })
    }
  }

  /** Classes of a step that the same patterns meet, of one tag each. */
  #cut(step: Step<P>, alive: readonly number[]): Iterable<Piece<P>> {
    const pieces = new Map<string, Piece<P>>()
    const add = (tag: string, met: readonly number[], part: Partial<Pick<Piece<P>, 'values' | 'texts' | 'sets'>>): void => {
      const key = `${tag} ${met.join()}`
      const { values = [], texts = [], sets = [] } = part
      const piece = pieces.get(key)
      if (piece === undefined) pieces.set(key, { step, tag, values, texts, sets, whole: false, alive: met })
      else {
        piece.values = [...piece.values, ...values]
        piece.texts = [...piece.texts, ...texts]
        piece.sets = [...piece.sets, ...sets]
      }
    }
    for (const choice of step.choices) {
      const tag = choice.tag ?? ''
      if (choice.kind === 'value') {
        const met = alive.filter((number) => choice.meets(this.#patterns[number]!))
        add(tag, met, { values: [choice.value] })
      } else if (choice.kind === 'texts')
        this.#cutTexts(choice, alive, (met, text) => add(tag, met, text.only === undefined ? { texts: [text] } : { values: [text.only] }))
      else
        this.#cutSets(step, choice, alive, (met, set, named) =>
          add(`${tag} ${[...named.values()].join()}`, met, { sets: [{ of: set, named }] }),
        )
    }
    const tags = Map.groupBy(pieces.values(), ({ tag }) => tag)
    for (const some of tags.values()) if (some.length === 1) some[0]!.whole = true
    return pieces.values()
  }

  #cutTexts(choice: TextChoice<P>, alive: readonly number[], add: (met: readonly number[], text: TextClass) => void): void {
    const { form, but = [], quiet = false } = choice
    const asked = alive.flatMap((number) => this.#needs(choice, number) ?? [])
    const distinct = new Map(asked.flatMap(({ keys, languages }) => languages.map((one, i) => [keys[i]!, one] as const)))
    const order = [...distinct.keys()].toSorted()
    const key = JSON.stringify([form.machine.key, but.map((one) => one.key), order, quiet])
    let classes = this.#texts.get(key)
    if (classes === undefined)
      this.#texts.set(
        key,
        (classes = cutTexts(
          form,
          but,
          order.map((one) => distinct.get(one)!),
          quiet,
        )),
      )
    const places = new Map(order.map((one, i) => [one, i]))
    const each = asked.map(({ number, keys }) => ({ number, bits: keys.map((one) => places.get(one)!) }))
    for (const text of classes)
      add(
        each.flatMap(({ number, bits }) => (bits.every((bit) => text.meets[bit]) ? [number] : [])),
        text,
      )
  }

  #needs(choice: TextChoice<P>, number: number): Asked | undefined {
    let known = this.#asked.get(choice)
    if (known === undefined) this.#asked.set(choice, (known = new Map()))
    if (!known.has(number)) {
      const languages = choice.needs(this.#patterns[number]!)
      known.set(number, languages && { number, keys: languages.map(languageKey), languages })
    }
    return known.get(number)
  }

  #cutSets(
    step: Step<P>,
    { form, needs, language }: SetChoice<P>,
    alive: readonly number[],
    add: (met: readonly number[], set: SetClass, named: ReadonlyMap<string, boolean>) => void,
  ): void {
    const { named, most } = this.#wanted
    // Whether something that a condition names is in the set is told apart, as if a pattern asked for it.
    const texts = [...(named(step.field) ?? [])].filter((text) => form.machine.has(text))
    const asked = alive.map((number) => needs(this.#patterns[number]!))
    const distinct = new Map(
      [...asked, ...texts.map((text): SetNeed => ({ of: 'touched', language: language(text) }))].map((need) => [needKey(need), need]),
    )
    const order = [...distinct.keys()].toSorted()
    const key = JSON.stringify([form.machine.key, order])
    let classes = this.#sets.get(key)
    if (classes === undefined)
      this.#sets.set(
        key,
        (classes = cutSets(
          form,
          order.map((one) => distinct.get(one)!),
          most,
        )),
      )
    const places = new Map(order.map((one, i) => [one, i]))
    const bits = asked.map((need) => places.get(needKey(need))!)
    const namedBits = texts.map((text) => [text, places.get(needKey({ of: 'touched', language: language(text) }))!] as const)
    for (const set of classes)
      add(
        alive.filter((_, i) => set.meets[bits[i]!]),
        set,
        new Map(namedBits.map(([text, bit]) => [text, set.meets[bit]!])),
      )
  }
}
