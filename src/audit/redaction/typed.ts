/**
 * Input of a terminal that doesn't show it is a password, most likely. A line that was typed is held until the terminal has shown all
 * of it, and left out where the next line of output begins first.
 */
import { MARKER } from './forms.ts'
import { Output, Pieces, type Piece } from './pieces.ts'

/** Characters of a line, and of all that wait to be shown. */
const LINE_LIMIT = 4096
const LIMIT = 64 * 1024

const ESC = '\u001b'

/** Return, line feed, and what interrupts or ends input. */
const ENDS = '\r\n\u0003\u0004\u001a\u001c'

interface Line {
  readonly held: Pieces
  /** Characters that a terminal would show, and how many of them it has. */
  expected: string
  shown: number
  /** What ended it; undefined while it is typed. */
  end: Piece | undefined
}

/** Takes sequences of a terminal apart from what it shows. */
class Letters {
  #sequence = ''

  /** True for a character that is shown, or would be. */
  isShown(character: string): boolean {
    const before = this.#sequence
    if (character === ESC) this.#sequence = ESC
    else if (before === ESC) this.#sequence = '[O]'.includes(character) ? `${ESC}${character}` : ''
    else if (before === `${ESC}[`) this.#sequence = character >= '@' && character <= '~' ? '' : before
    else if (before === `${ESC}]`) this.#sequence = character === '\u0007' || character < ' ' ? '' : before
    else this.#sequence = ''
    return before === '' && character >= ' ' && character !== '\u007f' && character !== ESC
  }
}

export class Typed {
  readonly #out = new Output()
  readonly #input = new Letters()
  readonly #output = new Letters()
  #lines: Line[] = []
  #waiting = 0
  /** The next line of output is that of a line that was shown and let go, though others wait behind it. */
  #owed = false

  get markers(): number {
    return this.#out.markers
  }

  /** What was typed. Answers what may be kept. */
  typed({ at, text }: Piece): readonly Piece[] {
    for (const character of text) this.#type(character, at)
    return this.#out.take()
  }

  /** What the terminal shows. */
  shown(text: string): readonly Piece[] {
    if (this.#lines.length === 0) for (const character of text) this.#output.isShown(character)
    else for (const character of text) this.#show(character)
    return this.#out.take()
  }

  end(): readonly Piece[] {
    while (this.#lines.length > 0) this.#decide()
    return this.#out.take()
  }

  #type(character: string, at: number): void {
    let line = this.#lines.at(-1)
    if (line === undefined || line.end !== undefined) {
      line = { held: new Pieces(), expected: '', shown: 0, end: undefined }
      this.#lines.push(line)
    }
    const isShown = this.#input.isShown(character)
    this.#waiting++
    if (ENDS.includes(character)) line.end = { at, text: character }
    else {
      line.held.write(character, at)
      if (isShown) line.expected += character
      // Of a line that is too long the rest is one of its own.
      if (line.held.length >= LINE_LIMIT) line.end = { at, text: '' }
    }
    this.#shownWhole()
    while (this.#waiting > LIMIT) this.#decide()
  }

  #show(character: string): void {
    const isShown = this.#output.isShown(character)
    const line = this.#lines[0]
    if (line === undefined) return
    if (character === '\n' && this.#owed) this.#owed = false
    else if (character === '\n' && line.end !== undefined) this.#decide()
    else if (isShown && line.shown < line.expected.length && line.expected.startsWith(character, line.shown)) {
      line.shown += character.length
      this.#shownWhole()
      this.#owed = this.#lines.length > 0 && this.#lines[0] !== line
    }
  }

  /** Lets go of lines that are over and were shown, and of keys that show nothing. */
  #shownWhole(): void {
    for (let line = this.#lines[0]; line !== undefined; line = this.#lines[0]) {
      if (line.shown < line.expected.length || (line.end === undefined && line.expected !== '')) return
      this.#decide()
    }
  }

  #decide(): void {
    const { held, expected, shown, end } = this.#lines.shift()!
    this.#waiting -= held.length + (end?.text.length ?? 0)
    const { at } = held
    const pieces = held.take()
    if (shown === expected.length) this.#out.writeAll(pieces)
    else this.#out.mark(MARKER, at)
    if (end !== undefined) this.#out.write(end.text, end.at)
  }
}
