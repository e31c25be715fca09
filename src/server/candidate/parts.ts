/** Values with large arrays in them, taken apart so that each message is small, and put together again. */
import type { Octets } from './messages.ts'

/** Octets in one message: taking it in takes less than a millisecond. */
const MOST = 512 * 1024

type Flat = Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer>

interface Place {
  readonly array: number
  readonly words: boolean
}

/** The value with a place for each of its arrays, and the arrays by number. */
export function takenApart(value: unknown): { readonly shape: unknown; readonly arrays: readonly Uint8Array<ArrayBuffer>[] } {
  const arrays: Uint8Array<ArrayBuffer>[] = []
  const shapeOf = (one: unknown): unknown => {
    if (one instanceof Uint8Array || one instanceof Uint32Array) {
      const { buffer, byteOffset, byteLength } = one as Flat
      const place: Place = { array: arrays.push(new Uint8Array(buffer, byteOffset, byteLength)) - 1, words: one instanceof Uint32Array }
      return place
    }
    if (typeof one !== 'object' || one === null) return one
    if (Array.isArray(one)) return one.map(shapeOf)
    return Object.fromEntries(Object.entries(one).map(([name, inner]) => [name, shapeOf(inner)]))
  }
  return { shape: shapeOf(value), arrays }
}

/** Whoever asks knows what was taken apart. */
export function putTogether<T>(shape: unknown, arrays: readonly Uint8Array<ArrayBuffer>[]): T {
  const valueOf = (one: unknown): unknown => {
    if (typeof one !== 'object' || one === null) return one
    if (Array.isArray(one)) return one.map(valueOf)
    if (isPlace(one)) return one.words ? new Uint32Array(arrays[one.array]!.buffer) : arrays[one.array]
    return Object.fromEntries(Object.entries(one).map(([name, inner]) => [name, valueOf(inner)]))
  }
  return valueOf(shape) as T
}

function isPlace(value: object): value is Place {
  return 'array' in value && 'words' in value
}

/** Arrays whose octets come in order. Their memory isn't filled with zeros first, which for all of them at once would stop decisions. */
export class Coming {
  readonly #arrays: readonly Uint8Array<ArrayBuffer>[]
  /** Octets of each that are there. */
  readonly #there: number[]

  constructor(lengths: readonly number[]) {
    this.#arrays = lengths.map((length) => new Uint8Array(Buffer.allocUnsafeSlow(length).buffer))
    this.#there = lengths.map(() => 0)
  }

  take({ of, at, octets }: Octets): void {
    // What isn't next is as if it had not come.
    if (this.#there[of] !== at || at + octets.length > this.#arrays[of]!.length) return
    this.#arrays[of]!.set(octets, at)
    this.#there[of] = at + octets.length
  }

  /** Undefined unless all has come. */
  get whole(): readonly Uint8Array<ArrayBuffer>[] | undefined {
    return this.#arrays.every(({ length }, of) => this.#there[of] === length) ? this.#arrays : undefined
  }
}

export function* octetsOf(arrays: readonly Uint8Array<ArrayBuffer>[]): Generator<Octets> {
  for (const [of, array] of arrays.entries())
    for (let at = 0; at < array.length; at += MOST) yield { kind: 'octets', of, at, octets: array.subarray(at, at + MOST) }
}
