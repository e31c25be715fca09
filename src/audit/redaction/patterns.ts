/** Leaves out what patterns of the configuration match. They are looked for in a line, or in stretches of one that is long. */
import type { RE2JS } from 're2js'
import { MARKER } from './forms.ts'
import { Output, Pieces, type Piece, type Stage } from './pieces.ts'

/** What a pattern matches may be so long. */
const LENGTH = 1024

export class Patterns implements Stage {
  readonly #patterns: readonly RE2JS[]
  readonly #out = new Output()
  readonly #held = new Pieces()

  constructor(patterns: readonly RE2JS[]) {
    this.#patterns = patterns
  }

  get markers(): number {
    return this.#out.markers
  }

  pass({ at, text }: Piece): readonly Piece[] {
    for (let from = 0; from < text.length;) {
      const room = text.slice(from, from + 2 * LENGTH - this.#held.length)
      const end = room.search(/[\r\n]/)
      const taken = end === -1 ? room : room.slice(0, end)
      this.#held.write(taken, at)
      from += taken.length
      if (end !== -1) {
        this.#decide(this.#held.length)
        this.#out.write(room[end]!, at)
        from++
      } else if (this.#held.length === 2 * LENGTH) this.#decide(LENGTH)
    }
    return this.#out.take()
  }

  end(): readonly Piece[] {
    this.#decide(this.#held.length)
    return this.#out.take()
  }

  /** Decides on all that begins before `limit`. */
  #decide(limit: number): void {
    const { text } = this.#held
    let done = 0
    while (done < limit) {
      const next = this.#next(text, done)
      if (next === undefined || next[0] >= limit) break
      this.#out.writeAll(this.#held.takeFirst(next[0] - done))
      const { at } = this.#held
      this.#held.takeFirst(next[1] - next[0])
      this.#out.mark(MARKER, at)
      done = next[1]
    }
    if (done < limit) this.#out.writeAll(this.#held.takeFirst(limit - done))
  }

  /** What is matched first from a place on; of several, the longest. */
  #next(text: string, from: number): readonly [number, number] | undefined {
    let found: readonly [number, number] | undefined
    for (const pattern of this.#patterns) {
      const matcher = pattern.matcher(text)
      if (!matcher.find(from)) continue
      const [begin, end] = [matcher.start(), matcher.end()]
      if (end > begin && (found === undefined || begin < found[0] || (begin === found[0] && end > found[1]))) found = [begin, end]
    }
    return found
  }
}
