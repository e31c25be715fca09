/**
 * What a recorded program printed goes to the terminal of somebody else, later. Only what draws is let through: no sequence that
 * sets the clipboard or a title, none that the terminal would answer (its answer would be typed into the shell), none that changes
 * what its keys or its mouse send.
 */

/** Longest parameters of a sequence that draws. */
const SEQUENCE_LIMIT = 64

/** Control sequences without private marks: cursor, erasing, scrolling, attributes, margins. */
const DRAWS = new Set('@ABCDEFGHIJKLMPSTXZ`adefgmrsu')
/** Private modes: wrapping, the cursor, the other screen. */
const MODES = new Set(['7', '25', '47', '1047', '1048', '1049'])
/** Two-character sequences: save and restore the cursor, line feeds, tab stops. */
const ESCAPES = new Set('78DEHM')

const ESC = '\u001b'

/** Makes output harmless, in pieces that may be cut anywhere. */
export class Neutral {
  #state: 'text' | 'escape' | 'charset' | 'sequence' | 'string' = 'text'
  #held = ''

  pass(text: string): string {
    let shown = ''
    for (const character of text) shown += this.#next(character)
    return shown
  }

  /** Takes back what may have been left behind: attributes, margins, the other screen, a hidden cursor. */
  end(): string {
    this.#state = 'text'
    return `${ESC}(B\u000f${ESC}[?1049l${ESC}[?7h${ESC}[?25h${ESC}[r${ESC}[0m`
  }

  #next(character: string): string {
    const code = character.codePointAt(0)!
    if (character === ESC) return this.#begin()
    // These end whatever was begun.
    if (code === 0x18 || code === 0x1a) return this.#ended('')
    switch (this.#state) {
      case 'text':
        return isText(code) ? character : ''
      case 'escape':
        return this.#escape(character)
      case 'charset':
        return this.#ended(character === 'B' || character === '0' ? `${this.#held}${character}` : '')
      case 'sequence':
        return this.#sequence(character, code)
      case 'string':
        // One that never ends must not hide all that comes after it.
        if (code === 7 || code === 10 || code === 13 || code === 0x9c) return this.#ended(code === 10 || code === 13 ? character : '')
        return ''
    }
  }

  #begin(): string {
    this.#state = 'escape'
    this.#held = ESC
    return ''
  }

  #escape(character: string): string {
    this.#held += character
    if (character === '[') this.#state = 'sequence'
    else if (character === '(' || character === ')') this.#state = 'charset'
    else if ('PX]^_'.includes(character)) this.#state = 'string'
    else return this.#ended(ESCAPES.has(character) ? this.#held : '')
    return ''
  }

  #sequence(character: string, code: number): string {
    if (code < 0x20 || code >= 0x7f) return this.#ended(code === 10 || code === 13 ? character : '')
    if (this.#held.length < SEQUENCE_LIMIT) this.#held += character
    if (code < 0x40) return ''
    const whole = this.#held.endsWith(character) && draws(this.#held.slice(2, -1), character)
    return this.#ended(whole ? this.#held : '')
  }

  #ended(shown: string): string {
    this.#state = 'text'
    this.#held = ''
    return shown
  }
}

function isText(code: number): boolean {
  if (code < 0x20) return code === 8 || code === 9 || code === 10 || code === 13 || code === 14 || code === 15
  return code < 0x7f || code > 0x9f
}

function draws(parameters: string, final: string): boolean {
  if (final === 'h' || final === 'l')
    return (
      parameters.startsWith('?') &&
      parameters
        .slice(1)
        .split(';')
        .every((mode) => MODES.has(mode))
    )
  // Counts past what a screen has would only keep the terminal busy; `3J` would take the lines that were there before.
  return DRAWS.has(final) && /^[\d;:]*$/.test(parameters) && !/\d{5}/.test(parameters) && !(final === 'J' && parameters === '3')
}

/** Everything that was printed, as text: characters that would steer a terminal are shown, and nothing is left out. */
export function visible(text: string): string {
  return text.replaceAll('\r\n', '\n').replaceAll(/\p{C}/gu, (character) => {
    const code = character.codePointAt(0)!
    if (character === '\n' || character === '\t') return character
    if (code < 0x20) return String.fromCodePoint(0x2400 + code)
    return code === 0x7f ? '\u2421' : '\ufffd'
  })
}
