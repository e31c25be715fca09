import { statSync } from 'node:fs'
import { realDisk, type Disk } from '../disk.ts'

/** The real disk with a given amount of room and faults on demand. */
export class FaultyDisk implements Disk {
  /** Bytes that still fit. */
  room = Number.POSITIVE_INFINITY
  /** Code that every write fails with. */
  failWrite: string | undefined
  /** Code that every sync fails with; the bytes may be there all the same. */
  failSync: string | undefined
  /** Syncs wait for this. */
  hold: Promise<void> | undefined
  #syncing = 0

  open = (path: string, how: 'create' | 'existing' | 'either'): number => realDisk.open(path, how)

  write = (file: number, bytes: Uint8Array, offset: number, length: number): number => {
    if (this.failWrite !== undefined) throw fault(this.failWrite)
    const fits = Math.min(length, this.room)
    // As a real disk does: what fits is written, and only the next call fails.
    if (fits === 0) throw fault('ENOSPC')
    const written = realDisk.write(file, bytes, offset, fits)
    this.room -= written
    return written
  }

  sync = async (file: number): Promise<void> => {
    this.#syncing++
    try {
      await this.hold
      if (this.failSync !== undefined) throw fault(this.failSync)
      await realDisk.sync(file)
    } finally {
      this.#syncing--
    }
  }

  /** Resolves once no sync has been under way for some turns of the event loop. */
  async idle(): Promise<void> {
    for (let quiet = 0; quiet < 10; quiet++) {
      await new Promise((resolve) => setImmediate(resolve))
      if (this.#syncing > 0) quiet = 0
    }
  }

  syncNow = (file: number): void => {
    if (this.failSync !== undefined) throw fault(this.failSync)
    realDisk.syncNow(file)
  }

  syncFolder = (path: string): void => realDisk.syncFolder(path)

  truncate = (file: number, length: number): void => {
    this.room += realDisk.size(file) - length
    realDisk.truncate(file, length)
  }

  size = (file: number): number => realDisk.size(file)
  names = (path: string, file: number): boolean => realDisk.names(path, file)
  close = (file: number): void => realDisk.close(file)

  remove = (path: string): void => {
    this.room += statSync(path, { throwIfNoEntry: false })?.size ?? 0
    realDisk.remove(path)
  }
}

function fault(code: string): Error {
  return Object.assign(new Error(code), { code })
}
