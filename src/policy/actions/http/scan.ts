/**
 * A path as the trie looks at it: where its segments are, and a number for the text of each. Looked at once, character by character,
 * into arrays that are used again for the next path, since nobody else has a turn meanwhile.
 */
import { isSegmentCode, MAX_SEGMENTS } from './template.ts'

/** What lies deeper is met by `**` only, whatever it is. */
const LOOKED_AT = MAX_SEGMENTS + 1
export const starts = new Int32Array(LOOKED_AT)
export const ends = new Int32Array(LOOKED_AT)
export const hashes = new Int32Array(LOOKED_AT)

const SLASH = 0x2f
const DOT = 0x2e

/** The next number of a text by its next character; it begins with 0. */
export function hashed(hash: number, code: number): number {
  return (Math.imul(hash, 31) + code) | 0
}

export function hashOf(text: string): number {
  let hash = 0
  for (let i = 0; i < text.length; i++) hash = hashed(hash, text.charCodeAt(i))
  return hash
}

/** Takes in a path that is canonical and in its normal form, as most are: its number of segments, or -1 for one to be looked at closer. */
export function scan(path: string): number {
  return scanned(path, false)
}

/** The same of a path that is known to be. */
export function scanNormal(path: string): number {
  return scanned(path, true)
}

function scanned(path: string, known: boolean): number {
  const { length } = path
  if (length === 0 || path.charCodeAt(0) !== SLASH) return -1
  let count = 0
  let hash = 0
  let start = 1
  for (let i = 1; i < length; i++) {
    const code = path.charCodeAt(i)
    if (code === SLASH) {
      if (i === start) return -1
      note(count++, start, i, hash)
      hash = 0
      start = i + 1
    } else {
      if (!known && !isSegmentCode(code) && (code !== DOT || i === start)) return -1
      hash = hashed(hash, code)
    }
  }
  note(count, start, length, hash)
  return count + 1
}

function note(number: number, start: number, end: number, hash: number): void {
  if (number >= LOOKED_AT) return
  starts[number] = start
  ends[number] = end
  hashes[number] = hash
}
