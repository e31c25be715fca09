/** What is kept of a stream while it passes: never more than a limit. */

/** The first bytes of a stream. */
export class Beginning {
  readonly #limit: number
  readonly #pieces: Uint8Array[] = []
  #length = 0
  #cut = false

  constructor(limit: number) {
    this.#limit = limit
  }

  get length(): number {
    return this.#length
  }

  /** True if there was more than is kept. */
  get cut(): boolean {
    return this.#cut
  }

  /** Keeps a copy of what still has room. */
  add(bytes: Uint8Array): void {
    const kept = bytes.slice(0, this.#limit - this.#length)
    if (kept.length < bytes.length) this.#cut = true
    if (kept.length === 0) return
    this.#pieces.push(kept)
    this.#length += kept.length
    // Many small pieces would cost more than what is in them.
    if (this.#pieces.length > 64) this.#pieces.splice(0, this.#pieces.length, this.bytes())
  }

  bytes(): Uint8Array {
    const all = new Uint8Array(this.#length)
    let at = 0
    for (const piece of this.#pieces) {
      all.set(piece, at)
      at += piece.length
    }
    return all
  }

  text(): string {
    return new TextDecoder().decode(this.bytes())
  }
}

/** Joins what is sent together. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    all.set(piece, at)
    at += piece.length
  }
  return all
}
