/**
 * Leaves secrets of known forms out of a text that comes in any pieces. It reads runs of letters, and holds one until it is over: what
 * is written depends on the text alone, never on how it was cut.
 */
import { Context, type Spans } from './context.ts'
import { isBase64, isEncodedKey, MARKER, SUSPICIOUS, tokensIn, type Form } from './forms.ts'
import type { Left, Mode } from './mode.ts'
import { PrivateKey } from './pem.ts'
import { Output, Pieces, type Piece, type Stage } from './pieces.ts'
import { isLetter, Rest } from './rest.ts'
import { Url } from './url.ts'
import { Value } from './value.ts'

const RUN = /[A-Za-z0-9_+/.~-]+/y
/** What says nothing of what follows it, several at once. */
const INDIFFERENT = /[^A-Za-z0-9_+/.~\-\0-\u001f "'`:={}\\]+/y
/** A run is held for so long; of a longer one, this much is read again with what follows. */
const RUN_LIMIT = 4096
const OVERLAP = 512
/** Modes that one text goes through at most. */
const MODES = 8
/** Of a control sequence. */
const SEQUENCE_LIMIT = 64
/** A word that is shorter is no secret that a terminal could have broken. */
const WRAPPED = 8

const ESC = '\u001b'

/** The last word of `-----BEGIN … PRIVATE KEY-----`, and what stands before it. */
const KEY = /^(?:KEY|BLOCK)-----/
const KEY_BEGINS = /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE (?:KEY )?$/

export class Scanner implements Stage {
  readonly #forms: ReadonlySet<Form>
  readonly #words: boolean
  readonly #out = new Output()
  readonly #held = new Pieces()
  #context: Context
  /** The run that is held, without sequences of the terminal, which stand in `sequences`. */
  #run = ''
  #sequences = ''
  #sequence = ''
  /** A space, and the return behind it, by which a shell breaks a line that is too long for the terminal. */
  #wrap = ''
  #mode: Mode | undefined
  /** When the last piece came. */
  #last = 0
  #plain = false

  /** @param words Texts are words of a command, each of which ends with U+0000 */
  constructor(forms: ReadonlySet<Form>, words = false) {
    this.#forms = forms
    this.#words = words
    this.#context = new Context(forms, words)
  }

  /** How often something was left out. */
  get markers(): number {
    return this.#out.markers
  }

  pass({ at, text }: Piece): readonly Piece[] {
    this.#last = at
    for (let from = 0; from < text.length;) {
      if (this.#isFresh) {
        const end = text.indexOf('\n', from) + 1
        const line = text.slice(from, end)
        if (end > 0 && line.length < RUN_LIMIT && !SUSPICIOUS.test(line)) {
          this.#out.write(line, at)
          from = end
          continue
        }
      }
      if (this.#mode === undefined && this.#sequence === '' && this.#wrap === '') {
        RUN.lastIndex = from
        if (RUN.test(text)) {
          this.#letters(text.slice(from, RUN.lastIndex), at)
          from = RUN.lastIndex
          continue
        }
        INDIFFERENT.lastIndex = from
        if (this.#run === '' && INDIFFERENT.test(text)) {
          this.#out.write(text.slice(from, INDIFFERENT.lastIndex), at)
          this.#context.passed(text.slice(from, INDIFFERENT.lastIndex))
          from = INDIFFERENT.lastIndex
          continue
        }
      }
      this.#character(text[from++]!, at)
    }
    return this.#out.take()
  }

  end(): readonly Piece[] {
    const at = this.#last
    if (this.#sequence !== '') this.#sequenceOver(at, false)
    if (this.#wrap !== '') this.#unwrapped(at)
    while (this.#mode !== undefined) this.#left(this.#mode.end())
    this.#runOver('')
    this.#context = new Context(this.#forms, this.#words)
    return this.#out.take()
  }

  /** Nothing that came before has a say in what comes next. */
  get #isFresh(): boolean {
    const isRead = this.#run === '' && this.#mode === undefined && this.#sequence === '' && this.#wrap === ''
    return isRead && !this.#words && this.#context.isFresh
  }

  /** What the terminal is told between letters is no part of them. */
  #character(character: string, at: number): void {
    if (this.#sequence !== '') this.#inSequence(character, at)
    else if (character === ESC) {
      if (this.#wrap !== '') this.#unwrapped(at)
      this.#sequence = ESC
    } else if (this.#wrap === '' && character === ' ' && this.#mayWrap()) this.#wrap = ' '
    else if (this.#wrap === ' ' && character === '\r') this.#wrap = ' \r'
    else {
      if (this.#wrap === ' \r' && isLetter(character)) this.#transparent(this.#takeWrap(), at)
      else if (this.#wrap !== '') this.#unwrapped(at)
      this.#read(character, at)
    }
  }

  #mayWrap(): boolean {
    return !this.#words && (this.#mode === undefined ? this.#run.length >= WRAPPED : this.#mode.wraps())
  }

  #takeWrap(): string {
    const wrap = this.#wrap
    this.#wrap = ''
    return wrap
  }

  #unwrapped(at: number): void {
    for (const character of this.#takeWrap()) this.#read(character, at)
  }

  #inSequence(character: string, at: number): void {
    const isSecond = this.#sequence === ESC
    // What begins another, or is none, ends it.
    if (character < ' ' || character > '~') {
      this.#sequenceOver(at, false)
      this.#character(character, at)
      return
    }
    this.#sequence += character
    if (isSecond ? character === '[' : character < '@' && this.#sequence.length < SEQUENCE_LIMIT) return
    this.#sequenceOver(at, !isSecond && (character === 'm' || character === 'K'))
  }

  /** @param paints It changes how letters look, and not where they stand */
  #sequenceOver(at: number, paints: boolean): void {
    const sequence = this.#sequence
    this.#sequence = ''
    if (paints) {
      this.#transparent(sequence, at)
      return
    }
    if (this.#mode !== undefined) this.#left(this.#mode.end())
    this.#runOver(ESC)
    this.#out.write(sequence, at)
    this.#context.moved()
  }

  #transparent(text: string, at: number): void {
    // What one mode leaves may begin another, which holds what comes before this.
    for (let round = 0; this.#mode !== undefined && round < MODES; round++) {
      const left = this.#mode.painted(text, at)
      if (left === undefined) return
      this.#left(left)
    }
    if (this.#run === '') {
      this.#out.write(text, at)
      return
    }
    this.#held.write(text, at)
    if (text.startsWith(ESC)) this.#sequences += text
    if (this.#held.length > 2 * RUN_LIMIT) this.#runOver('')
  }

  #read(character: string, at: number): void {
    if (this.#mode !== undefined) {
      const left = this.#mode.take(character, at)
      if (left !== undefined) this.#left(left)
    } else if (isLetter(character)) this.#letters(character, at)
    else this.#separator(character, at)
  }

  #left({ again, plain = false }: Left): void {
    this.#mode = undefined
    const before = this.#plain
    this.#plain ||= plain
    for (const { at, text } of again) for (const character of text) this.#read(character, at)
    this.#plain = before
  }

  #letters(run: string, at: number): void {
    for (let from = 0; from < run.length;) {
      const taken = run.slice(from, from + RUN_LIMIT - this.#run.length)
      this.#run += taken
      this.#held.write(taken, at)
      from += taken.length
      if (this.#run.length < RUN_LIMIT) continue
      this.#tooLong()
      if (this.#mode === undefined) continue
      for (const character of run.slice(from)) this.#read(character, at)
      return
    }
  }

  /** A run that is longer than is held: what can't be a secret any more is let go. */
  #tooLong(): void {
    const run = this.#run
    const spans = this.#isData('') ? [[0, run.length] as const] : this.#tokens()
    const end = spans.at(-1)?.[1] ?? 0
    const cut = this.#sequences === '' && end < run.length ? Math.max(end, run.length - OVERLAP) : run.length
    const rest = this.#held
    const first = rest.takeFirst(cut === run.length ? rest.length : cut)
    this.#write(run.slice(0, cut), first, spans)
    this.#run = run.slice(cut)
    this.#context.ran('')
    if (end === run.length) this.#mode = new Rest(this.#out)
  }

  #separator(character: string, at: number): void {
    this.#runOver(character)
    if (this.#mode !== undefined) {
      this.#read(character, at)
      return
    }
    this.#out.write(character, at)
    if (character === '\n' || character === '\r') {
      this.#context.newLine()
      return
    }
    const value = this.#context.separated(character)
    if (value !== undefined) this.#mode = new Value(value, this.#out)
    else if (character === ':' && !this.#plain && this.#forms.has('urls') && /[A-Za-z0-9+.-]:$/.test(this.#context.line))
      this.#mode = new Url(this.#out)
  }

  #runOver(next: string): void {
    const run = this.#run
    if (run === '') return
    const context = this.#context
    const key = run.includes('-----') ? KEY.exec(run) : null
    if (key !== null && this.#forms.has('private-keys') && KEY_BEGINS.test(context.line.slice(-64))) {
      this.#runIs([[key[0].length, key[0].length]])
      this.#mode = new PrivateKey(this.#out)
      return
    }
    const value = context.valueIn(run, next)
    const spans = value?.spans ?? (this.#isData(next) ? [[0, run.length] as const] : this.#tokens())
    const isWhole = spans.at(-1)?.[1] === run.length
    this.#runIs(spans)
    if (value !== undefined) this.#mode = new Value(value.options, this.#out)
    else if (isWhole && next === '=') this.#mode = new Rest(this.#out)
  }

  #runIs(spans: Spans): void {
    const run = this.#run
    this.#run = ''
    this.#write(run, this.#held.take(), spans)
    // What is left out says nothing of what follows.
    this.#context.ran(spans.length === 0 ? run : '*')
  }

  #write(run: string, pieces: readonly Piece[], spans: Spans): void {
    const sequences = this.#sequences
    this.#sequences = ''
    if (spans.length === 0) {
      this.#out.writeAll(pieces)
      return
    }
    const { at } = pieces[0]!
    let from = 0
    for (const [begin, end] of spans) {
      this.#out.write(run.slice(from, begin), at)
      if (end > begin) this.#out.mark(MARKER, at)
      from = end
    }
    this.#out.write(run.slice(from) + sequences, at)
  }

  #isData(next: string): boolean {
    return this.#context.inData && /^[\r\n="'\\]?$/.test(next) && isBase64(this.#run) && this.#context.isData()
  }

  #tokens(): Spans {
    if (!this.#forms.has('tokens')) return []
    return isEncodedKey(this.#run) ? [[0, this.#run.length]] : tokensIn(this.#run)
  }
}
