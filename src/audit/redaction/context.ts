/** What is known of a line while it is read: what stands before a value says whether it is a secret. */
import { isAuthorization, isSecretName, SCHEME, type Form } from './forms.ts'
import { mayBePassword, optionsOf, type Options } from './programs.ts'
import type { ValueOptions } from './value.ts'

/** Of a line. Names are shorter. */
const KEPT = 512

/** A token behind `Bearer`, where nothing else says that it is one. */
const BEARER = 16

/** Beginnings and ends of what is left out of a run. */
export type Spans = readonly (readonly [begin: number, end: number])[]

/** Why the next value could be a secret. */
type Interest = 'name' | 'authorization' | 'scheme' | 'bearer' | 'option' | undefined

/** `data:` and `stringData:` of a Secret. */
interface Section {
  readonly kind: 'yaml' | 'json'
  /** Of the line that begins it. */
  readonly indent: number
  /** Values are no base64. */
  readonly plain: boolean
}

/** Commands that begin another. */
const WRAPPER = /^(?:.*\/)?(?:env|sudo|doas|nohup|time|timeout|exec|nice|setsid|stdbuf|xargs|busybox)$/

export class Context {
  readonly #forms: ReadonlySet<Form>
  readonly #words: boolean
  line = ''
  #program = ''
  #options: Options | undefined
  #cut = false
  #run = ''
  #interest: Interest
  #section: Section | undefined

  /** @param words Texts are words of a command, each of which ends with U+0000 */
  constructor(forms: ReadonlySet<Form>, words: boolean) {
    this.#forms = forms
    this.#words = words
  }

  add(text: string): void {
    this.line += text
    if (this.line.length > 2 * KEPT) {
      this.line = this.line.slice(-KEPT)
      this.#cut = true
    }
  }

  /** At the beginning of a line that may be anything. */
  get isFresh(): boolean {
    return this.line === '' && this.#section === undefined
  }

  /** What says nothing of what follows. */
  passed(text: string): void {
    this.add(text)
    this.#interest = undefined
  }

  /** Whether a value of a Secret's `data` could come. */
  get inData(): boolean {
    return this.#section?.plain === false
  }

  /** The terminal draws somewhere else. */
  moved(): void {
    this.add('\u001b')
    this.#interest = undefined
  }

  ran(run: string): void {
    if (this.#words && this.#isProgram(run)) this.#program = run
    this.#options = optionsOf(run) ?? this.#options
    this.#interest = this.#interestOf(run)
    this.#run = run
    this.add(run)
  }

  #isProgram(run: string): boolean {
    if (this.line === '' || /(?:[;|&(`]\s*|[\0\s]-[a-z]*c[\0\s]+["']?)$/.test(this.line.slice(-16))) return true
    return WRAPPER.test(this.#program) && !run.startsWith('-') && /[\s\0]$/.test(this.line)
  }

  #interestOf(run: string): Interest {
    if (this.#forms.has('authorization')) {
      if (this.#interest === 'authorization' && SCHEME.test(run)) return 'scheme'
      if (isAuthorization(run)) return 'authorization'
      if (run.length === 6 && run.toLowerCase() === 'bearer') return 'bearer'
    }
    if (this.#forms.has('arguments') && this.#options?.apart?.test(run) === true) return 'option'
    return isSecretName(run) ? 'name' : undefined
  }

  newLine(): void {
    if (this.line !== '' && this.#forms.has('secret-data')) this.#lineEnds()
    this.line = ''
    this.#cut = false
    this.#interest = undefined
    this.#options = undefined
    this.#program = ''
  }

  #lineEnds(): void {
    const begins = this.#cut ? undefined : /^(\s*(?:- )?)(data|stringData):\s*$/.exec(this.line)
    if (begins) this.#section = { kind: 'yaml', indent: begins[1]!.length, plain: begins[2] === 'stringData' }
    else if (this.#section?.kind === 'yaml' && this.line.trim() !== '' && indentOf(this.line) <= this.#section.indent)
      this.#section = undefined
  }

  /** Reads what is no letter, and answers how the value is to be read that follows, if one does. */
  separated(character: string): ValueOptions | undefined {
    this.add(character)
    if (character === '{' && this.#forms.has('secret-data')) this.#object()
    if (character === '}' && this.#section?.kind === 'json') this.#section = undefined
    return this.#pair(character) ?? this.#plainData(character) ?? (this.#interest === undefined ? undefined : this.#following(character))
  }

  /** A run that is a secret, or begins one, since it stands where it stands. */
  valueIn(run: string, next: string): { readonly spans: Spans; readonly options: ValueOptions } | undefined {
    const { line } = this
    const [interest, options, program] = [this.#interest, this.#options, this.#program]
    if (interest !== 'authorization' && interest !== 'bearer' && !run.startsWith('-')) return undefined
    const all = [[0, run.length]] as const
    const common = { spaces: false, marked: true, ...this.stops() } as const
    if (interest === 'authorization' && /[:=]\s*["']?$/.test(line))
      return SCHEME.test(run) && next === ' ' ? undefined : { spans: all, options: { ...common, until: 'line' } }
    if (interest === 'bearer' && line.endsWith(' ') && run.length >= BEARER) return { spans: all, options: { ...common, until: 'word' } }
    if (!run.startsWith('-') || !this.#forms.has('arguments') || next === '=' || !/(?:^|[\s\0"'])$/.test(line)) return undefined
    const isKnown = options?.attached?.test(run) === true
    const isOther = this.#words && /^-p./.test(run) && line.endsWith('\0') && mayBePassword(program, run.slice(2))
    if ((!isKnown && !isOther) || (run.length === 2 && next <= ' ')) return undefined
    const until = this.#words && line.endsWith('\0') ? 'argument' : 'word'
    const attached = { ...common, until, ...this.stops(true) } as const
    return run.length === 2 ? { spans: [], options: { ...attached, marked: false } } : { spans: [[2, run.length]], options: attached }
  }

  /** True for a value of a Secret's `data`. */
  isData(): boolean {
    if (this.#section === undefined) return false
    if (this.#section.kind === 'json') return /["\\]\s*:\s*\\*"$/.test(this.line.slice(-32))
    return !this.#cut && /^\s*["']?[\w.-]+["']?:\s+["']?$/.test(this.line) && indentOf(this.line) > this.#section.indent
  }

  #object(): void {
    const begins = /["\\]["']?(data|stringData)\\*["']\s*:\s*\{$/.exec(this.line.slice(-64))
    if (begins !== null) this.#section = { kind: 'json', indent: 0, plain: begins[1] === 'stringData' }
  }

  #pair(character: string): ValueOptions | undefined {
    if (character !== ':' || this.#options?.pair?.test(this.line) !== true || !this.#forms.has('arguments')) return undefined
    const isArgument = this.#words && /\0[^\s\0]*$/.test(this.line)
    return { spaces: false, until: isArgument ? 'argument' : 'word', ...this.stops(true) }
  }

  #plainData(character: string): ValueOptions | undefined {
    if (this.#section?.plain !== true) return undefined
    if (this.#section.kind === 'json')
      return character === '"' && /["\\]\s*:\s*\\*"$/.test(this.line.slice(-32))
        ? { spaces: false, until: 'line', quote: '"', escaped: this.line.endsWith(String.raw`\"`) }
        : undefined
    const isValue = character === ' ' && !this.#cut && /^\s*["']?[\w.-]+["']?: $/.test(this.line)
    return isValue && indentOf(this.line) > this.#section.indent ? { spaces: true, until: 'line' } : undefined
  }

  #following(character: string): ValueOptions | undefined {
    const at = this.line.lastIndexOf(this.#run)
    const between = this.line.slice(at + this.#run.length)
    const before = this.line.slice(0, at)
    const isWord = this.#words && character === '\0'
    if (this.#interest === 'scheme' && between === ' ') return { spaces: true, until: 'line', ...this.stops() }
    if (this.#interest === 'authorization' || this.#interest === 'bearer') {
      if (!/^["'\\]*\s?[:=]?\s*["']?$/.test(between)) this.#interest = undefined
      return undefined
    }
    const apart = between === ' ' || between === '\t' || isWord
    if (this.#interest === 'option') {
      this.#interest = undefined
      return apart ? { spaces: !isWord, until: isWord ? 'argument' : 'word', option: true, ports: true, ...this.stops(true) } : undefined
    }
    if (this.#interest !== 'name') return undefined
    if (apart && this.#forms.has('arguments') && /^--?[A-Za-z]/.test(this.#run) && /(?:^|[\s\0'"`(;|&])$/.test(before)) {
      this.#interest = undefined
      return { spaces: !isWord, until: isWord ? 'argument' : 'word', option: true, ...this.stops(true) }
    }
    if (!/^["'\\]*\s?[:=]?$/.test(between)) this.#interest = undefined
    else if (character === '=' || character === ':') {
      this.#interest = undefined
      return this.#assigned(character, before, between)
    }
    return undefined
  }

  #assigned(character: string, before: string, between: string): ValueOptions | undefined {
    const isOption = this.#run.startsWith('-')
    if (!this.#forms.has(isOption ? 'arguments' : 'named-values')) return undefined
    const isArgument = this.#words && isOption && (before === '' || before.endsWith('\0'))
    const isShell = this.#words || before.trim() !== ''
    if (character === '=') return { spaces: between.startsWith(' '), until: isArgument ? 'argument' : 'word', ...this.stops(isShell) }
    // In prose a colon says nothing of what follows it.
    const isKey = /(?:^[\s<>*|+#-]*|[{[(,\0]\s*)["'\\]*$/.test(before)
    return { spaces: isKey, until: 'word', ...this.stops() }
  }

  /**
   * What would end a value here: quotations that have begun before it, and what stands between others like it.
   * @param isShell Where it isn't quoted, the next command would be no part of it
   */
  stops(isShell = false): { readonly stops: string } {
    const odd = (quote: string): string => (this.line.split(quote).length % 2 === 0 ? quote : '')
    const quotes = `${odd('"')}${odd("'")}${odd('`')}`
    const commands = isShell && quotes === '' ? ';|&' : ''
    const between = `${this.line.includes(';') ? ';' : ''}${/[?&]/.test(this.line) ? '&' : ''}${this.line.includes(',') ? ',' : ''}`
    return { stops: `${quotes}${commands}${between}` }
  }
}

function indentOf(line: string): number {
  return /^\s*(?:- )?/.exec(line)![0].length
}
