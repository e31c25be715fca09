/** Something that is in at most one roster at a time. The roster alone writes `slot`. */
export interface Rostered {
  /** Place in the roster; -1 outside of it. */
  slot: number
}

/**
 * What is under way right now: members come and go by the thousand a second, in no order.
 *
 * Not a `Set` or a `Map`: V8 gives those a new table after every few dozen removals, and each old table keeps what it held,
 * and the next table, from the garbage collector's quick rounds. All that ever passed through would live until the next full
 * round. A slot of an array holds on to nothing once it is written over.
 */
export class Roster<T extends Rostered> implements Iterable<T> {
  readonly #slots: T[] = []

  get size(): number {
    return this.#slots.length
  }

  /** A second time does nothing. */
  add(member: T): void {
    if (this.#slots[member.slot] === member) return
    member.slot = this.#slots.length
    this.#slots.push(member)
  }

  /** Does nothing to what isn't here. */
  delete(member: T): void {
    const { slot } = member
    if (this.#slots[slot] !== member) return
    member.slot = -1
    const last = this.#slots.pop()!
    if (last === member) return
    this.#slots[slot] = last
    last.slot = slot
  }

  /** The members as they are when this is called, whoever comes or goes meanwhile. */
  [Symbol.iterator](): Iterator<T> {
    return this.#slots.slice().values()
  }
}
