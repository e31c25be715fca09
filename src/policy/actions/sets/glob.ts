/**
 * A set of texts: `web-*`, where each `*` stands for any characters, also for none.
 *
 * A strict one is for the words of commands: its `*` stands for plain characters only, never for what a shell would look
 * at, and one that begins with `*` is met by no option and by no empty word.
 */
export interface Glob {
  /** What stands between the stars: one piece is a literal. */
  readonly pieces: readonly string[]
  readonly strict: boolean
}

/** Stars of one glob at most. */
export const MAX_STARS = 8

/** Stands for a `*` of another glob; private-use characters are in no pattern. */
const STAR = '\uE000'
/** A `*` that is also for what a shell would look at. */
const LOOSE_STAR = '\uE001'

const PLAIN = /^[A-Za-z0-9_@%+=:,./\uE000-]*$/

/** Whether nothing in it means anything to a shell. */
export function isPlainText(text: string): boolean {
  return PLAIN.test(text) && !text.includes(STAR)
}

export function literal(text: string): Glob {
  return { pieces: [text], strict: false }
}

/** Reads `web-*`; every `*` is a star. */
export function glob(text: string, strict = false): Glob {
  return { pieces: text.split(/\*+/), strict }
}

export function isLiteral({ pieces }: Glob): boolean {
  return pieces.length === 1
}

/** `*` alone, for all texts. */
export function isStar({ pieces, strict }: Glob): boolean {
  return !strict && pieces.length > 1 && pieces.every((piece) => piece === '')
}

export function matchesGlob(one: Glob, text: string): boolean {
  return matches(one, text, one.strict && startsWithStar(one))
}

/** Whether all texts of `b` are in `a`. */
export function globCovers(a: Glob, b: Glob): boolean {
  const text = b.pieces.join(b.strict ? STAR : LOOSE_STAR)
  // Neither of the two that begin with a strict star has an option.
  return matches(a, text, a.strict && startsWithStar(a) && !(b.strict && startsWithStar(b)))
}

function startsWithStar({ pieces }: Glob): boolean {
  return pieces.length > 1 && pieces[0] === ''
}

/** The leftmost place of each piece is as good as any: what stands between two is taken by a star either way. */
function matches({ pieces, strict }: Glob, text: string, noOption: boolean): boolean {
  const first = pieces[0]!
  if (pieces.length === 1) return text === first
  if (noOption && (text === '' || text.startsWith('-') || text.startsWith(LOOSE_STAR))) return false
  if (!text.startsWith(first)) return false
  const last = pieces.at(-1)!
  const end = text.length - last.length
  let at = first.length
  if (end < at || !text.endsWith(last)) return false
  const takes = (from: number, to: number): boolean => !strict || PLAIN.test(text.slice(from, to))
  for (const piece of pieces.slice(1, -1)) {
    if (piece === '') continue
    const found = text.indexOf(piece, at)
    if (found === -1 || found + piece.length > end || !takes(at, found)) return false
    at = found + piece.length
  }
  return takes(at, end)
}

/** Whether some text is in both. */
export function globsOverlap(a: Glob, b: Glob): boolean {
  if (isLiteral(a)) return matchesGlob(b, a.pieces[0]!)
  if (isLiteral(b)) return matchesGlob(a, b.pieces[0]!)
  // Of two that both begin with a star, any common text can have a plain character in front.
  if (a.strict && startsWithStar(a) && b.pieces[0]!.startsWith('-')) return false
  if (b.strict && startsWithStar(b) && a.pieces[0]!.startsWith('-')) return false
  return meet(a, b)
}

/** Goes through both side by side. Cost by the product of their lengths, paid at load only. */
function meet(a: Glob, b: Glob): boolean {
  const [left, right] = [a.pieces.join(STAR), b.pieces.join(STAR)]
  const takesBy = (one: Glob, character: string): boolean => !one.strict || PLAIN.test(character)
  let row = new Set([0])
  // `row` has the places in `right` that can be reached with so much of `left`.
  const widen = (places: Set<number>, at: number): Set<number> => {
    // A star of the left takes what comes on the right; a star of the right can take nothing.
    for (const place of places) {
      const character = right[place]
      if (character === STAR) places.add(place + 1)
      else if (character !== undefined && left[at] === STAR && takesBy(a, character)) places.add(place + 1)
    }
    return places
  }
  widen(row, 0)
  for (let i = 0; i < left.length; i++) {
    const next = new Set<number>()
    for (const place of row) {
      const character = right[place]
      if (left[i] === STAR) next.add(place)
      else if (character === STAR && takesBy(b, left[i]!)) next.add(place)
      else if (character === left[i]) next.add(place + 1)
    }
    row = widen(next, i + 1)
    if (row.size === 0) return false
  }
  return row.has(right.length)
}

/** Key under which equal globs are found. */
export function globKey({ pieces, strict }: Glob): string {
  return `${strict ? '!' : ''}${pieces.join(STAR)}`
}
