import type { Entropy } from '../core/clock.ts'
import { MAX_TOKEN } from './jose/compact.ts'

interface Entry<T> {
  readonly text: string
  readonly value: T
  /** Milliseconds since the epoch. */
  readonly until: number
}

/** Entries whose hashes collide, at most. */
const BUCKET = 4
/** Characters of a JWT that are hashed: the last, of its signature, which nobody chooses. */
const HASHED = 12

/**
 * What is known of tokens, by the whole token: found by a hash, believed only if every character is the
 * same. Two generations instead of a list by last use: when the younger is full, the older goes.
 */
export class TokenCache<T> {
  readonly #half: number
  readonly #seed: number
  #young = new Map<number, Entry<T>[]>()
  #old = new Map<number, Entry<T>[]>()
  #youngSize = 0
  #oldSize = 0

  /** @param size Entries at most. */
  constructor(size: number, entropy: Entropy) {
    this.#half = Math.max(1, Math.floor(size / 2))
    const [a = 0, b = 0, c = 0, d = 0] = entropy.bytes(4)
    this.#seed = (a << 24) | (b << 16) | (c << 8) | d
  }

  get size(): number {
    return this.#youngSize + this.#oldSize
  }

  get(text: string, now: number): T | undefined {
    const hash = this.#hash(text)
    const young = find(this.#young.get(hash), text, now)
    if (young !== undefined) return young.value
    const old = find(this.#old.get(hash), text, now)
    if (old === undefined) return undefined
    this.#oldSize -= drop(this.#old, hash, text)
    this.#insert(hash, old)
    return old.value
  }

  set(text: string, value: T, until: number): void {
    this.delete(text)
    this.#insert(this.#hash(text), { text: copyOf(text), value, until })
  }

  delete(text: string): void {
    const hash = this.#hash(text)
    this.#youngSize -= drop(this.#young, hash, text)
    this.#oldSize -= drop(this.#old, hash, text)
  }

  /** Removes what `matches` says. Walks everything: not for the request path. */
  remove(matches: (value: T) => boolean): void {
    this.#youngSize -= sweep(this.#young, matches)
    this.#oldSize -= sweep(this.#old, matches)
  }

  #insert(hash: number, entry: Entry<T>): void {
    if (this.#youngSize >= this.#half) {
      this.#old = this.#young
      this.#oldSize = this.#youngSize
      this.#young = new Map()
      this.#youngSize = 0
    }
    const bucket = this.#young.get(hash)
    if (bucket === undefined) this.#young.set(hash, [entry])
    else if (bucket.length < BUCKET) bucket.push(entry)
    else {
      bucket.shift()
      bucket.push(entry)
      return
    }
    this.#youngSize++
  }

  #hash(text: string): number {
    let hash = this.#seed
    // Where other tokens have what tells them apart isn't known: presigned requests may all end the same. `ey` is base64url of `{"`.
    const from = text.startsWith('ey') ? Math.max(0, text.length - HASHED) : 0
    for (let at = from; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
    return hash ^ (hash >>> 15)
  }
}

/** What texts are copied through. */
const COPIED = Buffer.allocUnsafeSlow(MAX_TOKEN)

/** A copy: the text may be a slice that holds on to a whole request. */
function copyOf(text: string): string {
  const copy = COPIED.toString('latin1', 0, COPIED.write(text, 'latin1'))
  return copy === text ? copy : Buffer.from(text, 'utf8').toString('utf8') // longer than any token, or not of octets
}

function find<T>(bucket: Entry<T>[] | undefined, text: string, now: number): Entry<T> | undefined {
  if (bucket === undefined) return undefined
  for (const entry of bucket) if (entry.text === text) return entry.until > now ? entry : undefined
  return undefined
}

/** Removes the entry of `text`; how many were removed. */
function drop<T>(generation: Map<number, Entry<T>[]>, hash: number, text: string): number {
  const bucket = generation.get(hash)
  const at = bucket?.findIndex((entry) => entry.text === text) ?? -1
  if (bucket === undefined || at < 0) return 0
  bucket.splice(at, 1)
  if (bucket.length === 0) generation.delete(hash)
  return 1
}

function sweep<T>(generation: Map<number, Entry<T>[]>, matches: (value: T) => boolean): number {
  let removed = 0
  for (const [hash, bucket] of generation) {
    const kept = bucket.filter(({ value }) => !matches(value))
    removed += bucket.length - kept.length
    if (kept.length === 0) generation.delete(hash)
    else if (kept.length < bucket.length) generation.set(hash, kept)
  }
  return removed
}
