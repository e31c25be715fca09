import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Timer } from '../core/clock.ts'
import type { IssuerDeps } from './issuer.ts'

/** How often a file is looked at, in milliseconds. */
export const LOOK_MS = 5_000
/** Largest file, in bytes. */
const MAX_FILE = 1024 * 1024

export interface FileListParts<T> {
  /** Name of the issuer whose file it is. */
  readonly issuer: string
  readonly file: string
  /** Reads the whole text, as Latin-1. Throws a TypeError whose message says what is wrong with it. */
  readonly read: (text: string) => readonly T[]
  /** Called after each change of what is in it. */
  readonly changed: (before: readonly T[], after: readonly T[]) => void
}

/** What stands in a file, read anew when it changes. What can't be used never replaces what was good last. */
export class FileList<T> {
  readonly #parts: FileListParts<T>
  readonly #path: string
  readonly #deps: Pick<IssuerDeps, 'clock' | 'log'>
  #all: readonly T[] | undefined
  #stamp = ''
  #failure: string | undefined
  #timer: Timer

  constructor(parts: FileListParts<T>, { folder, ...deps }: Pick<IssuerDeps, 'clock' | 'log' | 'folder'>) {
    this.#parts = parts
    this.#path = resolve(folder, parts.file)
    this.#deps = deps
    this.#look()
    this.#timer = this.#wait()
  }

  /** Undefined as long as it could never be read. */
  get all(): readonly T[] | undefined {
    return this.#all
  }

  /** What is wrong with the file as it is now, with its name. */
  get failure(): string | undefined {
    return this.#failure === undefined ? undefined : `${this.#parts.file}: ${this.#failure}`
  }

  close(): void {
    this.#timer.cancel()
  }

  #wait(): Timer {
    return this.#deps.clock.after(LOOK_MS, () => {
      this.#look()
      this.#timer = this.#wait()
    })
  }

  #look(): void {
    const { issuer, file, read, changed } = this.#parts
    try {
      const { mtimeMs, size, ino } = statSync(this.#path)
      const stamp = `${ino} ${mtimeMs} ${size}`
      if (stamp === this.#stamp && this.#failure === undefined) return
      if (size > MAX_FILE) throw new TypeError('it is larger than 1 MiB')
      const after = read(readFileSync(this.#path, 'latin1'))
      const before = this.#all ?? []
      this.#stamp = stamp
      this.#failure = undefined
      this.#all = after
      changed(before, after)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      const failure = code ?? message
      // Said once, not each time that it is looked at.
      if (failure !== this.#failure) this.#deps.log(`issuer ${issuer}: ${file} is not used: ${failure}`)
      this.#failure = failure
    }
  }
}
