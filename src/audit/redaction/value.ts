/** Reads what stands behind the name of a secret: `password: …`, `--token …`, `Authorization: Bearer …`. */
import { MARKER, NO_SECRET } from './forms.ts'
import type { Mode, Left } from './mode.ts'
import { Pieces, type Output } from './pieces.ts'
import { isPorts } from './programs.ts'

/** A value is looked at for so long before it is one. */
const LOOK = 16
/** A quotation that is longer, or never ends, must not hide what comes behind it. */
const LIMIT = 4096

// eslint-disable-next-line no-control-regex -- what a terminal reads
const PAINT = /\u001b\[[^@-~]*[mK]/g

const PRIVATE_KEY = '-----BEGIN '

export interface ValueOptions {
  /** Whether it may stand apart from its name. */
  readonly spaces: boolean
  /** What ends it where it isn't quoted: `argument` is the end of one, `line` that of the line. */
  readonly until: 'word' | 'line' | 'argument'
  /** Characters besides that end it. */
  readonly stops?: string
  /** The quotation that has begun already. */
  readonly quote?: string
  readonly escaped?: boolean
  /** Its name is an option: what begins with two dashes is the next one. */
  readonly option?: boolean
  /** Numbers of ports are none. */
  readonly ports?: boolean
  /** Some of it was left out already. */
  readonly marked?: boolean
}

export class Value implements Mode {
  readonly #options: ValueOptions
  readonly #out: Output
  readonly #held = new Pieces()
  #quote: string
  #escaped: boolean
  #backslash = false
  #begun: boolean
  #marked: boolean
  #length = 0

  constructor(options: ValueOptions, out: Output) {
    this.#options = options
    this.#out = out
    this.#quote = options.quote ?? ''
    this.#escaped = options.escaped ?? false
    this.#marked = options.marked ?? false
    this.#begun = this.#marked || this.#quote !== ''
  }

  take(character: string, at: number): Left | undefined {
    if (!this.#begun) return this.#before(character, at)
    const isOver = this.#ends(character)
    this.#backslash = character === '\\' && !this.#backslash
    if (isOver || ++this.#length > LIMIT) return this.#leave(character, at)
    if (this.#marked) return undefined
    this.#held.write(character, at)
    const { text } = this.#held
    if (text === PRIVATE_KEY) return { again: this.#held.take() }
    if (text.length >= LOOK) this.#mark()
    return undefined
  }

  painted(text: string, at: number): undefined {
    if (this.#held.length === 0) this.#out.write(text, at)
    else this.#held.write(text, at)
    if (this.#held.length > LIMIT) this.#mark()
  }

  wraps(): boolean {
    return this.#begun
  }

  end(): Left {
    return this.#leave('', 0)
  }

  #before(character: string, at: number): Left | undefined {
    const { spaces, option = false } = this.#options
    const held = this.#held.text
    if (held === '-' && character === '-') return this.#leave(character, at)
    if (held === '' && spaces && (character === ' ' || character === '\t')) this.#out.write(character, at)
    else if (held === '' && option && character === '-') this.#held.write(character, at)
    else if ((held === '' || held === '\\') && (character === '"' || character === "'")) {
      this.#out.writeAll(this.#held.take())
      this.#out.write(character, at)
      this.#quote = character
      this.#escaped = held !== ''
      this.#begun = true
    } else if (held === '' && character === '\\') this.#held.write(character, at)
    else {
      this.#begun = true
      return this.take(character, at)
    }
    return undefined
  }

  #ends(character: string): boolean {
    if (character === '\0' || character === '\n' || character === '\r') return true
    if (this.#quote !== '') return character === this.#quote && (this.#escaped || !this.#backslash)
    const { until, stops = '' } = this.#options
    return until !== 'argument' && (stops.includes(character) || (until === 'word' && character <= ' '))
  }

  #leave(character: string, at: number): Left {
    const value = this.#held.text.replace(PAINT, '')
    const isNone = NO_SECRET.test(value) || value === '-' || value === '\\' || (this.#options.ports === true && isPorts(value))
    if (isNone) this.#out.writeAll(this.#held.take())
    else if (value !== '') this.#mark()
    return { again: character === '' ? [] : [{ at, text: character }] }
  }

  #mark(): void {
    const { at, text } = this.#held
    this.#held.take()
    this.#out.mark(MARKER, at)
    this.#out.write((text.match(PAINT) ?? []).join(''), at)
    this.#marked = true
  }
}
