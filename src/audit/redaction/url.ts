/** Reads what follows `scheme:` to see whether it names somebody with a secret (RFC 3986 §3.2.1): `//name:secret@host`. */
import { MARKER } from './forms.ts'
import type { Left, Mode } from './mode.ts'
import { Pieces, type Output } from './pieces.ts'

/** What is longer has no such part. */
const LIMIT = 512

/** Up to the last `@`, since who writes such a thing by hand doesn't always encode it. A number and a slash are a port. */
const USER = /^(\/\/[^\s:@/?#]*:)(?!\d{1,5}(?:\/|$))(?!\/\/)(.+)@/

export class Url implements Mode {
  readonly #out: Output
  readonly #held = new Pieces()

  constructor(out: Output) {
    this.#out = out
  }

  take(character: string, at: number): Left | undefined {
    const isOver = character <= ' ' || '"\'<>`'.includes(character) || this.#held.length >= LIMIT
    if (isOver) return this.#leave([{ at, text: character }])
    this.#held.write(character, at)
    return couldBe(this.#held) ? undefined : this.#leave([])
  }

  painted(): Left {
    return this.#leave([])
  }

  wraps(): boolean {
    return false
  }

  end(): Left {
    return this.#leave([])
  }

  #leave(next: Left['again']): Left {
    const found = USER.exec(this.#held.text)
    if (found === null) return { again: [...this.#held.take(), ...next], plain: true }
    const [, user, secret] = found as unknown as [string, string, string]
    this.#out.writeAll(this.#held.takeFirst(user.length))
    const { at } = this.#held
    this.#held.takeFirst(secret.length)
    this.#out.mark(MARKER, at)
    return { again: [...this.#held.take(), ...next] }
  }
}

/** Looks at the beginning only: until the colon there is nothing that could be a secret. */
function couldBe(held: Pieces): boolean {
  if (held.length > 64) return true
  const { text } = held
  return text === '/' || /^\/\/[^:@/?#]*(?::|$)/.test(text)
}
