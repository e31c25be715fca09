/** Text on its way into a recording, with the time at which each piece of it came. */

export interface Piece {
  /** Milliseconds, of whichever clock. */
  readonly at: number
  readonly text: string
}

/** Reads text in any pieces, and answers what of it is decided. What it answers all together depends on the text alone. */
export interface Stage {
  pass(piece: Piece): readonly Piece[]
  /** What was still held; what comes next begins anew. */
  end(): readonly Piece[]
}

/** Pieces one after the other; what came at the same time is one. */
export class Pieces {
  #pieces: Piece[] = []
  #text = ''
  #at = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  /** When the first of it came. */
  get at(): number {
    return this.#pieces[0]?.at ?? this.#at
  }

  get text(): string {
    return this.#pieces.map(({ text }) => text).join('') + this.#text
  }

  write(text: string, at: number): void {
    if (at !== this.#at) this.#close()
    this.#at = at
    this.#text += text
    this.#length += text.length
  }

  take(): readonly Piece[] {
    this.#close()
    const pieces = this.#pieces
    this.#pieces = []
    this.#length = 0
    return pieces
  }

  /** The first of it, so many characters. */
  takeFirst(length: number): readonly Piece[] {
    const first: Piece[] = []
    let left = length
    for (const { at, text } of this.take()) {
      if (left > 0) first.push({ at, text: text.slice(0, left) })
      if (text.length > left) this.write(text.slice(Math.max(0, left)), at)
      left -= text.length
    }
    return first
  }

  #close(): void {
    if (this.#text !== '') this.#pieces.push({ at: this.#at, text: this.#text })
    this.#text = ''
  }
}

/** Where decided text goes, and how often something was left out of it. */
export class Output extends Pieces {
  markers = 0

  mark(marker: string, at: number): void {
    this.write(marker, at)
    this.markers++
  }

  writeAll(pieces: readonly Piece[]): void {
    for (const { at, text } of pieces) this.write(text, at)
  }
}
