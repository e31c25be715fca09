/** Key ids that a provider has said it doesn't have: bounded, and forgotten after a while. */
export class AbsentKids {
  readonly #until = new Map<string, number>()
  readonly #size: number
  readonly #life: number

  constructor(size: number, life: number) {
    this.#size = size
    this.#life = life
  }

  has(kid: string, now: number): boolean {
    const until = this.#until.get(kid)
    if (until === undefined) return false
    if (until > now) return true
    this.#until.delete(kid)
    return false
  }

  add(kid: string, now: number): void {
    // The oldest makes room: a map keeps the order of insertion.
    if (this.#until.size >= this.#size) this.#until.delete(this.#until.keys().next().value!)
    this.#until.set(kid, now + this.#life)
  }

  clear(): void {
    this.#until.clear()
  }
}
