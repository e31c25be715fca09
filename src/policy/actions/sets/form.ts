/** The texts that a field can have at all, by a plain regular expression: as a machine, and as a test. */
import type { Characters, Machine, State } from './machine.ts'

export interface Form {
  readonly machine: Machine
  /** Characters of a text, at most. */
  readonly longest: number
}

/**
 * @param pattern Of characters, classes, groups, `|`, `*`, `+`, `?` and `{m,n}`, for a whole text
 * @param longest Characters of a text, at most
 */
export function formOf(pattern: RegExp, longest: number): Form {
  const whole = new RegExp(`^(?:${pattern.source})$`, 'su')
  const states = new Reader(pattern.source).states()
  const machine = {
    key: `form ${pattern.source} ${longest}`,
    said: '*',
    only: undefined,
    states,
    has: (text: string) => text.length <= longest && whole.test(text),
  }
  return { machine, longest }
}

/** A part of an expression by the places in it, each of which takes one character (Glushkov). */
interface Part {
  readonly nullable: boolean
  readonly first: readonly number[]
  readonly last: readonly number[]
}

const NOTHING: Part = { nullable: true, first: [], last: [] }

class Reader {
  readonly #source: string
  readonly #places: Characters[] = []
  readonly #follow: Set<number>[] = []
  #at = 0

  constructor(source: string) {
    this.#source = source
  }

  states(): readonly State[] {
    const whole = this.#alternatives()
    if (this.#at < this.#source.length) throw new Error(`a form has an open end: ${this.#source}`)
    const edges = (to: Iterable<number>) => [...to].map((place) => ({ on: this.#places[place]!, to: place + 1 }))
    const last = new Set(whole.last)
    return [
      { accepts: whole.nullable, edges: edges(whole.first), star: false },
      ...this.#follow.map((to, place) => ({ accepts: last.has(place), edges: edges(to), star: false })),
    ]
  }

  #alternatives(): Part {
    let part = this.#sequence()
    while (this.#take('|')) {
      const other = this.#sequence()
      part = { nullable: part.nullable || other.nullable, first: [...part.first, ...other.first], last: [...part.last, ...other.last] }
    }
    return part
  }

  #sequence(): Part {
    let part = NOTHING
    while (this.#at < this.#source.length && !'|)'.includes(this.#source[this.#at]!)) part = this.#joined(part, this.#repeated())
    return part
  }

  #joined(a: Part, b: Part): Part {
    for (const place of a.last) for (const next of b.first) this.#follow[place]!.add(next)
    return {
      nullable: a.nullable && b.nullable,
      first: a.nullable ? [...a.first, ...b.first] : a.first,
      last: b.nullable ? [...a.last, ...b.last] : b.last,
    }
  }

  #repeated(): Part {
    const from = this.#at
    const part = this.#atom()
    if (this.#take('*')) return { ...this.#again(part), nullable: true }
    if (this.#take('+')) return this.#again(part)
    if (this.#take('?')) return { ...part, nullable: true }
    const counted = /^\{(\d+)(?:,(\d+))?\}/.exec(this.#source.slice(this.#at))
    if (counted === null) return part
    const [text, least, most = least] = counted
    // Each time is a part of its own.
    const end = this.#at + text.length
    let all = Number(least) === 0 ? { ...part, nullable: true } : part
    for (let i = 1; i < Number(most); i++) {
      this.#at = from
      const next = this.#atom()
      all = this.#joined(all, i >= Number(least) ? { ...next, nullable: true } : next)
    }
    this.#at = end
    return all
  }

  #again(part: Part): Part {
    for (const place of part.last) for (const next of part.first) this.#follow[place]!.add(next)
    return part
  }

  #atom(): Part {
    if (this.#take('(')) {
      if (this.#source.startsWith('?:', this.#at)) this.#at += 2
      const part = this.#alternatives()
      this.#take(')')
      return part
    }
    const match = /^(?:\[(?:[^\]\\]|\\.)+\]|\\(?:p\{\w+\}|.)|[^\\])/.exec(this.#source.slice(this.#at))
    if (match === null) throw new Error(`a form is not understood: ${this.#source}`)
    this.#at += match[0].length
    const test = new RegExp(`^${match[0]}$`, 'su')
    const place = this.#places.push({ key: match[0], has: (character) => test.test(character) }) - 1
    this.#follow.push(new Set())
    return { nullable: false, first: [place], last: [place] }
  }

  #take(character: string): boolean {
    if (this.#source[this.#at] !== character) return false
    this.#at++
    return true
  }
}
