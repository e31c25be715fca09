/**
 * A value and the one before it. While one is rotated, the provider may know the new one already, or only the old one still: whichever
 * it refuses, the other is there to be tried.
 */
export class Overlap<T> {
  readonly #same: (a: T, b: T) => boolean
  #newest: T | undefined
  #before: T | undefined
  #useBefore = false

  constructor(same: (a: T, b: T) => boolean) {
    this.#same = same
  }

  /** The one in use; the other where `usable` doesn't hold of it but does of that. Undefined while there is none at all. */
  current(usable: (value: T) => boolean = () => true): T | undefined {
    const [first, second] = this.#useBefore ? [this.#before, this.#newest] : [this.#newest, this.#before]
    return first !== undefined && !usable(first) && second !== undefined && usable(second) ? second : first
  }

  /** Takes a value as the newest. False if it is that already. */
  adopt(value: T): boolean {
    if (this.#newest !== undefined && this.#same(this.#newest, value)) return false
    this.#before = this.#newest
    this.#newest = value
    this.#useBefore = false
    return true
  }

  /** Changes over to the other one. False if there is none that is `usable`. */
  change(usable: (value: T) => boolean = () => true): boolean {
    const other = this.#useBefore ? this.#newest : this.#before
    if (other === undefined || !usable(other)) return false
    this.#useBefore = !this.#useBefore
    return true
  }

  get newest(): T | undefined {
    return this.#newest
  }
}
