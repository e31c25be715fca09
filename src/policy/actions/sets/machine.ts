/** Sets of texts as machines that read them character by character, so that they can be cut against one another exactly. */
import { isLiteral, isPlainText, matchesGlob, type Glob } from './glob.ts'
import { literalPath, matchesPath, type PathSet } from './path.ts'
import type { Side } from './values.ts'

/** Some characters, as a class of a regular expression or one by itself. */
export interface Characters {
  readonly key: string
  readonly has: (character: string) => boolean
}

export interface State {
  readonly accepts: boolean
  readonly edges: readonly { readonly on: Characters; readonly to: number }[]
  /** Takes whatever an earlier state of the machine may take: where both are reached, this one is enough. */
  readonly star: boolean
}

/** A set of texts. The first state is where it starts. */
export interface Machine {
  /** The same for the same set. */
  readonly key: string
  /** As people write it. */
  readonly said: string
  /** The one text of it, where there is just one. */
  readonly only: string | undefined
  readonly states: readonly State[]
  readonly has: (text: string) => boolean
}

/** A set of commands: one glob for each word, and with `rest` any further ones, of a rule plain ones. */
interface WordSets {
  readonly words: readonly Glob[]
  readonly rest: boolean
  readonly side: Side
}

/** Parts the words of a command where it is one text; it can stand in none of them. */
export const WORD_END = '\0'

export function one(character: string): Characters {
  return { key: `=${character}`, has: (other) => other === character }
}

export function but(character: string): Characters {
  return { key: `!${character}`, has: (other) => other !== character }
}

const NONE: Characters = { key: 'none', has: () => false }
const ANY: Characters = { key: 'any', has: () => true }
const PLAIN: Characters = { key: 'plain', has: isPlainText }
const PLAIN_NO_OPTION: Characters = { key: 'plain, no option', has: (character) => character !== '-' && isPlainText(character) }

/** Makes a machine from left to right. */
class Sequence {
  readonly #states: { accepts: boolean; edges: { on: Characters; to: number }[]; star: boolean }[] = [
    { accepts: false, edges: [], star: false },
  ]

  get states(): readonly State[] {
    return this.#states
  }

  get #last(): number {
    return this.#states.length - 1
  }

  #add(star = false): number {
    return this.#states.push({ accepts: false, edges: [], star }) - 1
  }

  text(text: string): this {
    for (const character of text) this.character(one(character))
    return this
  }

  character(on: Characters): this {
    const from = this.#last
    this.#states[from]!.edges.push({ on, to: this.#add() })
    return this
  }

  /** Any number of characters, none included. */
  star(on: Characters): this {
    const state = this.#states[this.#last]!
    state.edges.push({ on, to: this.#last })
    state.star = true
    return this
  }

  accept(): this {
    this.#states[this.#last]!.accepts = true
    return this
  }

  /** @param filled It is not empty. */
  glob({ pieces, strict }: Glob, star: Characters, filled = false): this {
    const [first = '', ...rest] = pieces
    this.text(first)
    if (rest.length === 0) return this
    if (strict && first === '') this.#noOption(rest[0]!)
    else {
      if (filled && pieces.every((piece) => piece === '')) this.character(star)
      this.star(strict ? PLAIN : star).text(rest[0]!)
    }
    for (const piece of rest.slice(1)) this.star(strict ? PLAIN : star).text(piece)
    return this
  }

  /** A strict star at the beginning and what follows it: not empty, and no option. */
  #noOption(piece: string): void {
    const from = this.#last
    const after = this.#add(true)
    this.#states[from]!.edges.push({ on: PLAIN_NO_OPTION, to: after })
    this.#states[after]!.edges.push({ on: PLAIN, to: after })
    this.text(piece)
    // The star may take nothing, and then the piece is what it begins with.
    if (piece !== '' && !piece.startsWith('-')) this.#states[from]!.edges.push({ on: one(piece[0]!), to: after + 1 })
  }

  path({ segments, rest }: PathSet, inner: Characters, all: Characters): this {
    // Every path has a segment.
    if (segments.length === 0 && !rest) return this.character(NONE)
    for (const [i, segment] of segments.entries()) {
      if (i > 0) this.text('/')
      this.glob(segment, inner, true)
    }
    if (!rest) return this
    if (segments.length > 0) this.text('/')
    return this.star(all)
  }

  command({ words, rest, side }: WordSets): this {
    for (const [i, word] of words.entries()) {
      if (i > 0) this.text(WORD_END)
      this.glob(word, but(WORD_END))
    }
    this.accept()
    if (!rest) return this
    this.text(WORD_END)
    if (side === 'takes') return this.star(ANY).accept()
    const begun = this.#last
    this.character(PLAIN).accept()
    this.#states[this.#last]!.edges.push({ on: PLAIN, to: this.#last }, { on: one(WORD_END), to: begun })
    return this
  }
}

function shown({ pieces }: Glob): string {
  return pieces.join('*')
}

export function globMachine(glob: Glob): Machine {
  return {
    key: `glob ${glob.strict} ${JSON.stringify(glob.pieces)}`,
    said: shown(glob),
    only: isLiteral(glob) ? glob.pieces[0]! : undefined,
    states: new Sequence().glob(glob, ANY).accept().states,
    has: (text) => matchesGlob(glob, text),
  }
}

export function literalMachine(text: string): Machine {
  return { key: `text ${text}`, said: text, only: text, states: new Sequence().text(text).accept().states, has: (other) => other === text }
}

/** @param prefix What stands before the paths of the set */
export function pathMachine(paths: PathSet, prefix = ''): Machine {
  const only = literalPath(paths)
  const { segments, rest } = paths
  return {
    key: `path ${prefix} ${rest} ${JSON.stringify(segments)}`,
    said: `${prefix}${[...segments.map(shown), ...(rest ? ['**'] : [])].join('/')}`,
    only: only === undefined ? undefined : `${prefix}${only}`,
    states: new Sequence().text(prefix).path(paths, but('/'), ANY).accept().states,
    has: (text) => text.startsWith(prefix) && matchesPath(paths, text.slice(prefix.length)),
  }
}

const NO_COLON: Characters = { key: 'no colon', has: (character) => character !== ':' }
const IN_MOUNT: Characters = { key: 'no colon and no slash', has: (character) => character !== ':' && character !== '/' }

/** Mounts of the paths of a set, as the options of an action have them. */
export function mountMachine(paths: PathSet, readOnly: boolean): Machine {
  const made = new Sequence().text('mount /').path(paths, IN_MOUNT, NO_COLON)
  if (!readOnly) made.accept()
  const { segments, rest } = paths
  return {
    key: `mount ${readOnly} ${rest} ${JSON.stringify(segments)}`,
    said: `mount /${[...segments.map(shown), ...(rest ? ['**'] : [])].join('/')}${readOnly ? ':ro' : ''}`,
    only: undefined,
    states: made.text(':ro').accept().states,
    has: (text) => {
      const match = /^mount \/([^:]*)(:ro)?$/.exec(text)
      return match !== null && (!readOnly || match[2] !== undefined) && matchesPath(paths, match[1]!)
    },
  }
}

/** Commands as one text, their words parted by `WORD_END`. */
export function commandMachine(command: WordSets, has: (words: readonly string[]) => boolean): Machine {
  const { words, rest, side } = command
  const literal = !rest && words.every(isLiteral)
  return {
    key: `command ${side} ${rest} ${JSON.stringify(words)}`,
    said: [...words.map(shown), ...(rest ? ['**'] : [])].join(' '),
    only: literal ? words.map(({ pieces }) => pieces[0]!).join(WORD_END) : undefined,
    states: new Sequence().command(command).accept().states,
    has: (text) => has(text.split(WORD_END)),
  }
}
