import type { Clock, Entropy } from './clock.ts'

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz' // Crockford's base 32: no i, l, o, u

/**
 * Makes ids that sort by time: 10 characters of milliseconds, 4 of a counter, 8 of a seed drawn once per process.
 * They name things, they protect nothing: who knows an id has gained no right by it.
 */
export function idMaker(clock: Clock, entropy: Entropy): () => string {
  const seed = Array.from(entropy.bytes(8), (byte) => ALPHABET[byte & 31]).join('')
  let counter = 0
  let lastMs = 0
  let head = ''
  return () => {
    const ms = Math.max(clock.now(), lastMs)
    if (ms !== lastMs || head === '') {
      lastMs = ms
      head = base32(ms, 10)
    }
    counter = (counter + 1) & 0xfffff
    return head + base32(counter, 4) + seed
  }
}

function base32(value: number, length: number): string {
  let rest = value
  let text = ''
  for (let i = 0; i < length; i++) {
    text = ALPHABET[rest % 32] + text
    rest = Math.floor(rest / 32)
  }
  return text
}
