/** Where something was found, in an array of whole numbers: used again for what is looked for next, since nobody else has a turn meanwhile. */
export class Places {
  #places = new Int32Array(16)
  #count = 0

  get count(): number {
    return this.#count
  }

  at(i: number): number {
    return this.#places[i]!
  }

  clear(): void {
    this.#count = 0
  }

  add(place: number): void {
    if (this.#count === this.#places.length) {
      const larger = new Int32Array(this.#count * 2)
      larger.set(this.#places)
      this.#places = larger
    }
    this.#places[this.#count++] = place
  }
}
