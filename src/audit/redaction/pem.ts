/** Reads the body of a private key in PEM (RFC 7468) or in the armour of OpenPGP up to its last line, which stays. */
import { MARKER } from './forms.ts'
import type { Left, Mode } from './mode.ts'
import { Pieces, type Output } from './pieces.ts'

/** The lines of a key are this long; only its last may be shorter. So what follows half a key doesn't hide with it. */
const LINE = 60
/** What is longer on one line is base64 and nothing else. */
const LOOK = 128
/** With what paints it. */
const HELD = 4096
/** Of all lines. */
const LIMIT = 32 * 1024

const END = '-----END '
const HEADERS = ['Proc-Type:', 'DEK-Info:', 'Version:', 'Comment:']

export class PrivateKey implements Mode {
  readonly #out: Output
  /** Since the last line that certainly was one. */
  readonly #held = new Pieces()
  #line = ''
  #isLast = false
  #escape = false
  #marked = false
  #length = 0

  constructor(out: Output) {
    this.#out = out
  }

  take(character: string, at: number): Left | undefined {
    this.#held.write(character, at)
    if (++this.#length > LIMIT) return this.#leave()
    if (this.#line.startsWith(END)) return this.#end(character)
    const isBreak = this.#escape ? 'nrt'.includes(character) : character <= ' ' && character !== '\0' && character !== '\u001b'
    if (this.#escape && !isBreak) return this.#leave()
    this.#escape = !this.#escape && character === '\\'
    if (this.#escape) return undefined
    if (isHeader(this.#line) && character !== '\n' && character !== '\r')
      return this.#line.length < LOOK ? this.#add(character) : this.#leave()
    if (isBreak && this.#line !== END.trimEnd()) return this.#break()
    if (character === '-' && isBase64(this.#line) && !HEADERS.some((name) => name.startsWith(`${this.#line}-`))) this.#break()
    return this.#add(character)
  }

  painted(text: string, at: number): Left | undefined {
    this.#held.write(text, at)
    this.#length += text.length
    return this.#held.length > HELD ? this.#leave() : undefined
  }

  wraps(): boolean {
    return false
  }

  end(): Left {
    this.#drop()
    return { again: [] }
  }

  #add(character: string): Left | undefined {
    this.#line += character
    // OpenPGP has a check sum behind it.
    if (this.#isLast) return END.startsWith(this.#line) || /^=[A-Za-z0-9+/]{0,4}$/.test(this.#line) ? undefined : this.#leave()
    if (isBase64(this.#line)) {
      if (this.#line.length > LOOK) {
        this.#drop()
        this.#line = this.#line.slice(0, LOOK)
      }
      return undefined
    }
    return END.startsWith(this.#line) || isHeader(this.#line) || HEADERS.some((name) => name.startsWith(this.#line))
      ? undefined
      : this.#leave()
  }

  #break(): undefined {
    if (this.#line === '') return
    // A short line may be the last one, or belong to what follows.
    if (this.#line.length < LINE && !isHeader(this.#line)) this.#isLast = true
    else this.#drop()
    this.#line = ''
  }

  #end(character: string): Left | undefined {
    this.#line += character
    if (!/^[A-Z0-9 -]$/.test(character) || this.#line.length > LOOK) return this.#leave()
    if (!this.#line.endsWith('-----')) return undefined
    const last = this.#line
    const { length } = this.#held
    this.#drop(length - last.length)
    return { again: this.#held.take() }
  }

  /** Leaves out what is held. @param length All of it unless said */
  #drop(length = this.#held.length): void {
    const { at } = this.#held
    if (this.#held.takeFirst(length).some(({ text }) => text.trim() !== '') && !this.#marked) {
      this.#out.mark(MARKER, at)
      this.#marked = true
    }
  }

  #leave(): Left {
    return { again: this.#held.take() }
  }
}

function isBase64(line: string): boolean {
  return /^[A-Za-z0-9+/]+={0,3}[A-Za-z0-9+/]{0,4}$/.test(line)
}

function isHeader(line: string): boolean {
  return HEADERS.some((name) => line.startsWith(name))
}
