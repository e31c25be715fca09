import { X509Certificate } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Timer } from '../../core/clock.ts'
import type { Issuer, IssuerDeps } from '../issuer.ts'

/** How often the file is looked at, in milliseconds. */
export const LOOK_MS = 5_000
/** Largest file, in bytes. */
const MAX_FILE = 1024 * 1024

/**
 * The authorities of a PEM file, read anew when it changes. What can't be used never replaces what was good last. An authority that is no
 * longer in it ends whatever it vouched for.
 */
export class Authorities implements Pick<Issuer, 'status' | 'onKeysLeft' | 'close'> {
  readonly #issuer: string
  readonly #file: string
  readonly #path: string
  readonly #deps: Pick<IssuerDeps, 'clock' | 'log'>
  readonly #listeners: Parameters<Issuer['onKeysLeft']>[0][] = []
  #all: readonly X509Certificate[] = []
  #stamp = ''
  #failure: string | undefined
  #timer: Timer

  constructor(issuer: string, file: string, { folder, ...deps }: Pick<IssuerDeps, 'clock' | 'log' | 'folder'>) {
    this.#issuer = issuer
    this.#file = file
    this.#path = resolve(folder, file)
    this.#deps = deps
    this.#look()
    this.#timer = this.#wait()
  }

  get all(): readonly X509Certificate[] {
    return this.#all
  }

  status(): { readonly ready: boolean; readonly detail: string } {
    const count = this.#all.length === 1 ? '1 authority' : `${this.#all.length} authorities`
    return { ready: this.#all.length > 0, detail: this.#failure === undefined ? count : `${count}; ${this.#file}: ${this.#failure}` }
  }

  onKeysLeft(listener: Parameters<Issuer['onKeysLeft']>[0]): void {
    this.#listeners.push(listener)
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
    try {
      const { mtimeMs, size, ino } = statSync(this.#path)
      const stamp = `${ino} ${mtimeMs} ${size}`
      if (stamp === this.#stamp && this.#failure === undefined) return
      if (size > MAX_FILE) throw new TypeError('it is larger than 1 MiB')
      const read = readAuthoritiesOf(readFileSync(this.#path, 'latin1'))
      this.#stamp = stamp
      this.#failure = undefined
      const kept = new Set(read.map(idOf))
      const left = this.#all.map(idOf).filter((id) => !kept.has(id))
      this.#all = read
      if (left.length > 0) for (const listener of this.#listeners) listener(this.#issuer, left)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      const failure = code ?? message
      // Said once, not each time that it is looked at.
      if (failure !== this.#failure) this.#deps.log(`issuer ${this.#issuer}: ${this.#file} is not used: ${failure}`)
      this.#failure = failure
    }
  }
}

/** SHA-256 of a certificate, as records show it. */
export function idOf({ fingerprint256 }: X509Certificate): string {
  return fingerprint256.replaceAll(':', '').toLowerCase()
}

function readAuthoritiesOf(text: string): readonly X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)
  if (blocks === null) throw new TypeError('there is no certificate in it')
  const read = blocks.map((pem) => {
    try {
      return new X509Certificate(pem)
    } catch {
      throw new TypeError('one of its certificates can not be read')
    }
  })
  if (read.some(({ ca }) => !ca)) throw new TypeError('one of its certificates is not of an authority')
  return read
}
