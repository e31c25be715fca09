import type { Left, Mode } from './mode.ts'
import type { Output } from './pieces.ts'

const LETTERS = new Set('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+/.~-')

/** Of what tokens are made of. */
export function isLetter(character: string): boolean {
  return LETTERS.has(character)
}

/** The rest of a token that was longer than is held. */
export class Rest implements Mode {
  readonly #out: Output

  constructor(out: Output) {
    this.#out = out
  }

  take(character: string, at: number): Left | undefined {
    return character === '=' || isLetter(character) ? undefined : { again: [{ at, text: character }] }
  }

  painted(text: string, at: number): undefined {
    this.#out.write(text, at)
  }

  wraps(): boolean {
    return true
  }

  end(): Left {
    return { again: [] }
  }
}
