/** SHA-256 (FIPS 180-4), synchronous and free of any platform, for the version of a policy. Not for secrets. */

function fractions(root: (prime: number) => number, count: number): Uint32Array {
  const words = new Uint32Array(count)
  for (let n = 2, i = 0; i < count; n++) {
    let prime = true
    for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) prime = false
    if (!prime) continue
    const value = root(n)
    words[i++] = (value - Math.floor(value)) * 0x1_0000_0000
  }
  return words
}

const INITIAL = fractions(Math.sqrt, 8)
const ROUND = fractions(Math.cbrt, 64)

/** Hex digest of the UTF-8 form of `text`. */
export function sha256(text: string): string {
  const bytes = new TextEncoder().encode(text)
  const padded = new Uint8Array(((bytes.length + 8) >> 6) * 64 + 64)
  padded.set(bytes)
  padded[bytes.length] = 0x80
  const view = new DataView(padded.buffer)
  view.setUint32(padded.length - 8, Math.floor((bytes.length * 8) / 0x1_0000_0000))
  view.setUint32(padded.length - 4, bytes.length * 8)
  const hash = Uint32Array.from(INITIAL)
  const words = new Uint32Array(64)
  for (let at = 0; at < padded.length; at += 64) block(view, at, words, hash)
  return Array.from(hash, (word) => word.toString(16).padStart(8, '0')).join('')
}

function rotate(word: number, by: number): number {
  return (word >>> by) | (word << (32 - by))
}

function block(view: DataView, at: number, words: Uint32Array, hash: Uint32Array): void {
  for (let i = 0; i < 16; i++) words[i] = view.getUint32(at + i * 4)
  for (let i = 16; i < 64; i++) {
    const [x, y] = [words[i - 15]!, words[i - 2]!]
    const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3)
    const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10)
    words[i] = words[i - 16]! + s0 + words[i - 7]! + s1
  }
  let [a, b, c, d, e, f, g, h] = hash as unknown as [number, number, number, number, number, number, number, number]
  for (let i = 0; i < 64; i++) {
    const t1 = (h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + ROUND[i]! + words[i]!) | 0
    const t2 = ((rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = c
    c = b
    b = a
    a = (t1 + t2) | 0
  }
  for (const [i, word] of [a, b, c, d, e, f, g, h].entries()) hash[i] = hash[i]! + word
}
