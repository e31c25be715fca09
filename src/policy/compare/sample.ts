const SHORTHANDS: Readonly<Record<string, string>> = { d: '1', w: 'w', s: ' ', D: 'x', W: '-', S: 'x' }

/**
 * A text that a pattern of plain parts matches, such as `OPS-[0-9]{4}`: the first of alternatives, the first character of a
 * class, once where it may be more. Of other patterns it need not be one: whoever asks tries it.
 */
export function sampleOf(pattern: string): string {
  return new Sampler(pattern).alternatives()
}

class Sampler {
  readonly #pattern: string
  #at = 0

  constructor(pattern: string) {
    this.#pattern = pattern
  }

  /** The first of them; reads up to the end of the group. */
  alternatives(): string {
    const first = this.#sequence()
    while (this.#take('|')) this.#sequence()
    return first
  }

  #sequence(): string {
    let text = ''
    while (this.#at < this.#pattern.length && !'|)'.includes(this.#pattern[this.#at]!)) {
      const one = this.#atom()
      text += one.repeat(this.#times())
    }
    return text
  }

  #atom(): string {
    const character = this.#pattern[this.#at++]!
    switch (character) {
      case '^':
      case '$':
        return ''
      case '.':
        return 'x'
      case '\\': {
        const escaped = this.#pattern[this.#at++] ?? ''
        return SHORTHANDS[escaped] ?? escaped
      }
      case '[':
        return this.#class()
      case '(': {
        if (this.#take('?')) while (this.#at < this.#pattern.length && this.#pattern[this.#at++] !== ':');
        const inner = this.alternatives()
        this.#take(')')
        return inner
      }
      default:
        return character
    }
  }

  #class(): string {
    const negated = this.#take('^')
    const first = this.#atom()
    while (this.#at < this.#pattern.length && this.#pattern[this.#at] !== ']') this.#at += this.#pattern[this.#at] === '\\' ? 2 : 1
    this.#at++
    return negated ? (first === 'x' ? 'y' : 'x') : first
  }

  /** How often the part before has to be there, at least once. */
  #times(): number {
    const counted = /^\{(\d+)(?:,\d*)?\}/.exec(this.#pattern.slice(this.#at))
    if (counted !== null) this.#at += counted[0].length
    else while ('*+?'.includes(this.#pattern[this.#at] ?? ' ')) this.#at++
    return counted === null ? 1 : Math.min(512, Number(counted[1]))
  }

  #take(character: string): boolean {
    if (this.#pattern[this.#at] !== character) return false
    this.#at++
    return true
  }
}
