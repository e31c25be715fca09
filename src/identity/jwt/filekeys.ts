import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Timer } from '../../core/clock.ts'
import type { Issuer, IssuerDeps } from '../issuer.ts'
import type { VerificationKey } from '../jose/jwk.ts'
import type { KeyAnswer } from '../keys/source.ts'
import type { Keys } from '../signed.ts'
import { readKeys, type KeysRead } from './keytext.ts'

/** Where keys are: in a file, or in the configuration itself. */
export type KeyPlace =
  | { readonly file: string; readonly kid?: string | undefined }
  | { readonly pem: string; readonly kid?: string | undefined }

/** How often files are read anew, in milliseconds; sooner where a token names a key that isn't known, but not more often than the second. */
export const REREAD_MS = 5_000
const REREAD_UNKNOWN_MS = 1_000
/** Largest file, in bytes. */
export const MAX_KEY_FILE = 1024 * 1024

interface Place {
  /** What the operator is told of; a name of the configuration. */
  readonly label: string
  readonly read: () => KeysRead
  /** What was good last. */
  keys: ReadonlyMap<string, VerificationKey>
  /** Why what is there now is not used; undefined while it is. */
  failure: string | undefined
}

/**
 * The keys of an issuer that publishes none. Files are read anew all the time; what can't be used never replaces what was good last, and
 * is said once. A key that is no longer there ends what it signed.
 */
export class FileKeys implements Keys, Pick<Issuer, 'status' | 'onKeysLeft' | 'close'> {
  readonly #issuer: string
  readonly #deps: Pick<IssuerDeps, 'clock' | 'log'>
  readonly #places: readonly Place[]
  readonly #listeners: Parameters<Issuer['onKeysLeft']>[0][] = []
  #keys: ReadonlyMap<string, VerificationKey> = new Map()
  #readAt = Number.NEGATIVE_INFINITY
  #timer: Timer | undefined

  constructor(issuer: string, places: readonly KeyPlace[], deps: Pick<IssuerDeps, 'clock' | 'log' | 'folder'>) {
    this.#issuer = issuer
    this.#deps = deps
    this.#places = places.map((place, i) => ({ ...placeOf(place, i, deps.folder), keys: new Map(), failure: undefined }))
    this.#reread()
    if (places.some((place) => 'file' in place)) this.#wait()
  }

  find(kid: string): KeyAnswer {
    const known = this.#keys.get(kid)
    if (known !== undefined) return known
    if (this.#deps.clock.monotonic() - this.#readAt >= REREAD_UNKNOWN_MS) this.#reread()
    return this.#keys.get(kid) ?? (this.#places.some(({ failure }) => failure !== undefined) ? 'unavailable' : 'unknown')
  }

  /** Every key that is good now. */
  all(): Iterable<VerificationKey> {
    return this.#keys.values()
  }

  readonly only = (algorithm: string): string | undefined => {
    const able = [...this.#keys.values()].filter(({ algorithms }) => algorithms.has(algorithm))
    return able.length === 1 ? able[0]!.kid : undefined
  }

  status(): { readonly ready: boolean; readonly detail: string } {
    const failures = this.#places.flatMap(({ label, failure }) => (failure === undefined ? [] : [`${label} is not used: ${failure}`]))
    const count = this.#keys.size === 0 ? 'no keys' : this.#keys.size === 1 ? '1 key' : `${this.#keys.size} keys`
    return { ready: this.#keys.size > 0, detail: [count, ...failures].join('; ') }
  }

  onKeysLeft(listener: Parameters<Issuer['onKeysLeft']>[0]): void {
    this.#listeners.push(listener)
  }

  close(): void {
    this.#timer?.cancel()
  }

  #wait(): void {
    this.#timer = this.#deps.clock.after(REREAD_MS, () => {
      this.#reread()
      this.#wait()
    })
  }

  #reread(): void {
    this.#readAt = this.#deps.clock.monotonic()
    for (const place of this.#places) this.#take(place, place.read())
    const before = this.#keys
    this.#keys = new Map(this.#places.flatMap(({ keys }) => [...keys]))
    const left = [...before.values()].filter(({ kid, material }) => this.#keys.get(kid)?.material !== material).map(({ kid }) => kid)
    if (left.length > 0) for (const listener of this.#listeners) listener(this.#issuer, left)
  }

  #take(place: Place, read: KeysRead): void {
    const failure =
      'refused' in read ? read.refused : this.#ambiguous(place, read) ? 'another place has another key of the same id' : undefined
    if (!('refused' in read) && failure === undefined) place.keys = read
    if (failure === place.failure) return
    const { label } = place
    const meanwhile = place.keys.size === 0 ? 'none of its keys are known' : 'the last good ones stay'
    this.#deps.log(
      failure === undefined
        ? `issuer ${this.#issuer}: ${label} is used again`
        : `issuer ${this.#issuer}: ${label} is not used: ${failure}; ${meanwhile}`,
    )
    place.failure = failure
  }

  /** One id for two keys: neither is meant for certain. What is there already stays. */
  #ambiguous(place: Place, read: ReadonlyMap<string, VerificationKey>): boolean {
    return this.#places.some((other) => {
      if (other === place) return false
      return [...read.values()].some(({ kid, material }) => (other.keys.get(kid)?.material ?? material) !== material)
    })
  }
}

function placeOf(place: KeyPlace, index: number, folder: string): Pick<Place, 'label' | 'read'> {
  if ('pem' in place) {
    const read = readKeys(place.pem, place.kid)
    return { label: `\`keys.${index}\``, read: () => read }
  }
  let last: { readonly text: string; readonly read: KeysRead } | undefined
  return {
    label: place.file,
    read() {
      const text = readText(resolve(folder, place.file))
      if (typeof text !== 'string') return text
      if (last?.text !== text) last = { text, read: readKeys(text, place.kid) }
      return last.read
    },
  }
}

function readText(path: string): string | { readonly refused: string } {
  try {
    // A pipe would be waited for without end.
    const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const info = fstatSync(file)
      if (!info.isFile()) return { refused: 'it is not a file' }
      if (info.size > MAX_KEY_FILE) return { refused: `it is larger than ${MAX_KEY_FILE} bytes` }
      return readFileSync(file, 'utf8')
    } finally {
      closeSync(file)
    }
  } catch (error) {
    return { refused: (error as NodeJS.ErrnoException).code ?? 'it can not be read' }
  }
}
