import { causeOf, writeAll, type Disk } from './disk.ts'

/** Causes that mean: no room. */
const FULL = new Set(['ENOSPC', 'EDQUOT'])

/** True for a fault that free space would cure. */
export function isFull(cause: string): boolean {
  return FULL.has(cause)
}

/**
 * Space held back on the disk of the record. Once the disk is full it is given free, so that what was already let
 * through can still be recorded; nothing new is let through until it can be held back again.
 */
export class Reserve {
  readonly #path: string
  readonly #size: number
  readonly #disk: Disk
  #held = false

  constructor(path: string, size: number, disk: Disk) {
    this.#path = path
    this.#size = size
    this.#disk = disk
  }

  /** Holds the space back; false if there isn't enough. */
  hold(): boolean {
    if (this.#held || this.#size === 0) return true
    let file: number | undefined
    try {
      this.#disk.remove(this.#path)
      file = this.#disk.open(this.#path, 'create')
      writeAll(this.#disk, file, Buffer.alloc(this.#size))
      this.#held = true
    } catch (error) {
      if (!isFull(causeOf(error))) throw error
    } finally {
      if (file !== undefined) this.#disk.close(file)
      if (!this.#held) this.#disk.remove(this.#path)
    }
    return this.#held
  }

  /** Gives the space free. */
  release(): void {
    if (!this.#held) return
    this.#held = false
    this.#disk.remove(this.#path)
  }
}
