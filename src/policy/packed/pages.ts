/**
 * Many small values as JSON, one after the other in one array of octets: handed from one thread to another without being copied, nothing
 * for a garbage collector to walk through, and a value is made of it when somebody asks for that one.
 */
export interface Pages {
  readonly octets: Uint8Array<ArrayBuffer>
  /** Where each begins, and where the last ends. */
  readonly starts: Uint32Array<ArrayBuffer>
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Each different text once, by its number. */
export class Numbered {
  readonly texts: string[] = []
  readonly #numbers = new Map<string, number>()

  of(text: string): number {
    let number = this.#numbers.get(text)
    if (number === undefined) {
      number = this.texts.length
      this.texts.push(text)
      this.#numbers.set(text, number)
    }
    return number
  }
}

/** Pages of texts that are JSON already. */
export function pagesOf(texts: readonly string[]): Pages {
  const starts = new Uint32Array(texts.length + 1)
  // Of each code unit of UTF-16, three octets of UTF-8 at most; most are ASCII.
  let octets = new Uint8Array(texts.reduce((sum, { length }) => sum + length, 16))
  let end = 0
  for (const [i, text] of texts.entries()) {
    while (octets.length - end < text.length * 3) {
      const larger = new Uint8Array(octets.length * 2)
      larger.set(octets.subarray(0, end))
      octets = larger
    }
    end += encoder.encodeInto(text, octets.subarray(end)).written
    starts[i + 1] = end
  }
  return { octets: octets.slice(0, end), starts }
}

export function countOf({ starts }: Pages): number {
  return starts.length - 1
}

/** What is on one page. Whoever asks knows what was written there. */
export function pageAt<T>({ octets, starts }: Pages, index: number): T {
  return JSON.parse(decoder.decode(octets.subarray(starts[index], starts[index + 1]))) as T
}
