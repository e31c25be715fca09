/**
 * The texts of a form, cut by sets of texts: the determinised automaton of all of them at once, whose accepting states with
 * the same answers are one class. Nothing is sampled: a class that has no text is not there.
 */
import { TooManyCells } from '../cells.ts'
import type { Form } from './form.ts'
import type { Machine } from './machine.ts'

/** Any of some sets, or with `every` whatever is in none of them. */
export interface Language {
  readonly machines: readonly Machine[]
  readonly every: boolean
}

/** Texts that the same languages have. */
export interface TextClass {
  /** By language. */
  readonly meets: readonly boolean[]
  readonly has: (text: string) => boolean
  /** Texts of it, the shortest first. At its end it says whether those were all. */
  readonly texts: () => Generator<string, boolean>
  /** The one text of it, where that is known. */
  readonly only: string | undefined
  readonly said: () => Said
}

/** A class as people write it. */
export interface Said {
  /** What all of it is in, the narrowest only; nothing where it is in no set in particular. */
  readonly within: readonly (readonly string[])[]
  /** What of that is in none of it, the widest only. */
  readonly except: readonly string[]
}

/** States of one automaton, at most. */
const MAX_STATES = 20_000

export function hasText({ machines, every }: Language, text: string): boolean {
  return machines.some((one) => one.has(text)) !== every
}

export function languageKey({ machines, every }: Language): string {
  return JSON.stringify([every, ...machines.map(({ key }) => key).toSorted()])
}

/**
 * Cuts the texts of `form`, but those of `excluded`.
 * @param quiet What is excluded goes without saying
 * @throws TooManyCells
 */
export function cutTexts(form: Form, excluded: readonly Machine[], languages: readonly Language[], quiet = false): readonly TextClass[] {
  const machines = [...new Map([...languages.flatMap((one) => one.machines), ...excluded].map((one) => [one.key, one])).values()]
  const automaton = new Automaton(form, machines)
  const places = new Map(machines.map((one, i) => [one.key, i]))
  const bits = languages.map((one) => one.machines.map(({ key }) => places.get(key)!))
  const out = excluded.map(({ key }) => places.get(key)!)
  const groups = new Map<string, { readonly meets: readonly boolean[]; readonly nodes: number[] }>()
  for (const [node, accepted] of automaton.accepting) {
    if (out.some((place) => accepted.has(place))) continue
    const meets = bits.map((some, i) => some.some((place) => accepted.has(place)) !== languages[i]!.every)
    const key = meets.map(Number).join('')
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { meets, nodes: [node] })
    else group.nodes.push(node)
  }
  return [...groups.values()].map(({ meets, nodes }) => {
    const accepted = nodes.map((node) => automaton.accepting.get(node)!)
    const texts = shared(() => automaton.texts(nodes))
    return {
      meets,
      has: (text) =>
        form.machine.has(text) && !excluded.some((one) => one.has(text)) && languages.every((one, i) => hasText(one, text) === meets[i]),
      texts,
      only: machines.find(({ only }, i) => only !== undefined && accepted.every((set) => set.has(i)))?.only,
      said: () =>
        say(
          machines,
          bits.filter((_, i) => meets[i] === true && !languages[i]!.every),
          new Set([...bits.flatMap((some, i) => (languages[i]!.every ? [] : some)), ...out].filter((one) => !quiet || !out.includes(one))),
          accepted,
          [...automaton.accepting.values()],
        ),
    }
  })
}

/** The same sequence for whoever asks, of which nothing is made twice: a class is in many cells, and each of them wants its first texts. */
function shared(make: () => Generator<string, boolean>): () => Generator<string, boolean> {
  const known: string[] = []
  let source: Generator<string, boolean> | undefined
  let areAll: boolean | undefined
  return function* () {
    for (let at = 0; ; at++) {
      if (at === known.length) {
        if (areAll !== undefined) return areAll
        const next = (source ??= make()).next()
        if (next.done === true) return (areAll = next.value)
        known.push(next.value)
      }
      yield known[at]!
    }
  }
}

type Sets = readonly ReadonlySet<number>[]

/**
 * @param met By language that the class is in, its machines
 * @param named Machines of sets that are said by what is in them, not by what isn't
 */
function say(
  machines: readonly Machine[],
  met: readonly (readonly number[])[],
  named: ReadonlySet<number>,
  accepted: Sets,
  all: Sets,
): Said {
  const touches = (some: readonly number[], set: ReadonlySet<number>): boolean => some.some((one) => set.has(one))
  const covers = (a: readonly number[], b: readonly number[]): boolean => all.every((set) => !touches(b, set) || touches(a, set))
  const narrow = (some: readonly (readonly number[])[], drops: (one: readonly number[], by: readonly number[]) => boolean) =>
    some.filter((one, i) => !some.some((by, j) => i !== j && drops(one, by) && !(drops(by, one) && i < j)))
  const within = narrow(met, (one, by) => covers(one, by))
  const there = (some: readonly number[]): readonly number[] => some.filter((one) => accepted.some((set) => set.has(one)))
  const out = machines.flatMap((_, i) =>
    named.has(i) && !accepted.some((set) => set.has(i)) && all.some((set) => set.has(i) && within.every((some) => touches(some, set)))
      ? [[i]]
      : [],
  )
  return {
    within: within.map((some) => there(some).map((one) => machines[one]!.said)),
    except: narrow(out, (one, by) => covers(by, one)).map(([one]) => machines[one!]!.said),
  }
}

/** Characters that a text may have where no set names others, the ones to be seen in examples first. */
const UNIVERSE = 'xyzabcdefghijklmnopqrstuvw1023456789XYZABCDEFGHIJKLMNOPQRSTUVW-_./:@,=+%~!$&\'()*;?#"<>[]\\^`{|} \0'

/** Where a text may be in one machine, the form's being the first. */
interface Somewhere {
  readonly machine: number
  readonly places: readonly number[]
  readonly accepts: boolean
  /** By character of the alphabet, what comes next, as far as that was asked; `NOWHERE` where the text leaves the machine. */
  readonly next: number[]
}

const NOWHERE = -1

interface Found {
  /** Of each machine that a text is still in, by number. */
  readonly alive: readonly number[]
  readonly depth: number
}

class Automaton {
  /** By state that ends a text of the form: which machines have it. */
  readonly accepting = new Map<number, ReadonlySet<number>>()
  readonly #machines: readonly Machine[]
  readonly #alphabet: readonly string[]
  /** Each is known by its number, and how a text goes on from it is found once, in however many states of the whole it is. */
  readonly #somewhere: Somewhere[] = []
  readonly #numbers = new Map<string, number>()
  readonly #found: Found[] = []
  readonly #before: number[][] = []
  readonly #next: (readonly (readonly [character: string, to: number])[])[] = []
  readonly #longest: number

  constructor(form: Form, machines: readonly Machine[]) {
    this.#machines = [form.machine, ...machines]
    this.#longest = form.longest
    this.#alphabet = alphabetOf(this.#machines)
    const numbers = new Map<string, number>()
    const reach = (alive: readonly number[], depth: number): number => {
      const key = alive.join()
      const known = numbers.get(key)
      if (known !== undefined) return known
      if (this.#found.length >= MAX_STATES) throw new TooManyCells()
      const number = this.#found.push({ alive, depth }) - 1
      numbers.set(key, number)
      return number
    }
    reach(
      this.#machines.map((_, machine) => this.#numberOf(machine, [0])),
      0,
    )
    for (let at = 0; at < this.#found.length; at++) {
      const { alive, depth } = this.#found[at]!
      const ended = alive.flatMap((one) => (this.#somewhere[one]!.accepts ? [this.#somewhere[one]!.machine] : []))
      if (ended[0] === 0) this.accepting.set(at, new Set(ended.slice(1).map((machine) => machine - 1)))
      const next: (readonly [string, number])[] = []
      // What is longer is no text.
      if (depth < this.#longest)
        for (const [which, character] of this.#alphabet.entries()) {
          const to = this.#step(alive, which)
          if (to !== undefined) next.push([character, reach(to, depth + 1)])
        }
      this.#next.push(next)
    }
  }

  #step(alive: readonly number[], which: number): readonly number[] | undefined {
    const result: number[] = []
    for (const one of alive) {
      const from = this.#somewhere[one]!
      const to = (from.next[which] ??= this.#after(from, this.#alphabet[which]!))
      if (to !== NOWHERE) result.push(to)
      else if (from.machine === 0) return undefined
    }
    return result
  }

  #after({ machine, places }: Somewhere, character: string): number {
    const { states } = this.#machines[machine]!
    let to: number[] = []
    for (const place of places)
      for (const edge of states[place]!.edges) if (edge.on.has(character) && !to.includes(edge.to)) to.push(edge.to)
    if (to.length > 1) {
      const star = Math.max(...to.map((place) => (states[place]!.star ? place : -1)))
      to = to.filter((place) => place >= star).toSorted((a, b) => a - b)
    }
    return to.length === 0 ? NOWHERE : this.#numberOf(machine, to)
  }

  #numberOf(machine: number, places: readonly number[]): number {
    const key = `${machine}:${places.join()}`
    const known = this.#numbers.get(key)
    if (known !== undefined) return known
    const accepts = places.some((place) => this.#machines[machine]!.states[place]!.accepts)
    const number = this.#somewhere.push({ machine, places, accepts, next: [] }) - 1
    this.#numbers.set(key, number)
    return number
  }

  /** Texts that end in one of some states, the shortest first; whether they are all. */
  *texts(nodes: readonly number[]): Generator<string, boolean> {
    const far = this.#distances(nodes)
    // By how long the shortest text is that begins so.
    const waiting: { readonly at: number; readonly text: string; readonly length: number }[][] = []
    let count = 0
    const put = (at: number, text: string, length: number): void => {
      const left = far.get(at)
      if (left === undefined || length + left > this.#longest || count++ > MAX_BEGINNINGS) return
      ;(waiting[length + left] ??= []).push({ at, text, length })
    }
    put(0, '', 0)
    for (let whole = 0; whole < waiting.length; whole++) {
      const here = waiting[whole]
      if (here === undefined) continue
      for (let one = here.pop(); one !== undefined; one = here.pop()) {
        if (far.get(one.at) === 0) yield one.text
        for (const [character, to] of this.#next[one.at]!.toReversed()) put(to, one.text + character, one.length + 1)
      }
    }
    return count <= MAX_BEGINNINGS
  }

  /** How many characters each state is before one of some, at least. */
  #distances(nodes: readonly number[]): ReadonlyMap<number, number> {
    if (this.#before.length === 0)
      for (const [from, next] of this.#next.entries()) for (const [, to] of next) (this.#before[to] ??= []).push(from)
    const far = new Map(nodes.map((node) => [node, 0]))
    for (const [node, distance] of far) for (const from of this.#before[node] ?? []) if (!far.has(from)) far.set(from, distance + 1)
    return far
  }
}

/** Beginnings of texts that are looked at for more of them, at most. */
const MAX_BEGINNINGS = 100_000

/** One character of each kind that nothing tells apart. */
function alphabetOf(machines: readonly Machine[]): readonly string[] {
  const classes = new Map(machines.flatMap(({ states }) => states.flatMap(({ edges }) => edges.map(({ on }) => [on.key, on] as const))))
  const named = [...classes.keys()].flatMap((key) => (key.startsWith('=') ? [key.slice(1)] : []))
  const all = [...classes.values()]
  const kinds = new Map<string, string>()
  // What stands for all letters that nothing names.
  let spare = 0x4e00
  while (named.includes(String.fromCodePoint(spare))) spare++
  for (const character of new Set([...UNIVERSE.split(''), ...named, String.fromCodePoint(spare)])) {
    const kind = all.map((one) => Number(one.has(character))).join('')
    if (!kinds.has(kind)) kinds.set(kind, character)
  }
  return [...kinds.values()]
}
