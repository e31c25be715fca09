import { glob, globCovers, globKey, globsOverlap, isLiteral, literal, matchesGlob, type Glob } from './glob.ts'

/** A set of paths: `/srv/*\/data/**`. A segment is a glob, of which a star stands for one that isn't empty; `**` is all below. */
export interface PathSet {
  readonly segments: readonly Glob[]
  /** Ends with `**`: one or more further segments. */
  readonly rest: boolean
}

const NOTHING = literal('')

/** Reads the part of a path behind its first slash. */
export function pathSet(text: string): PathSet | string {
  const parts = text.split('/')
  const rest = parts.at(-1) === '**'
  const named = rest ? parts.slice(0, -1) : parts
  if (named.some((part) => part.includes('**'))) return '`**` only comes last, as a segment of its own'
  return { segments: named.map((part) => glob(part)), rest }
}

/** A path behind its first slash as its segments. */
export function matchesPath({ segments, rest }: PathSet, path: string): boolean {
  const parts = path.split('/')
  if (rest ? parts.length <= segments.length : parts.length !== segments.length) return false
  return segments.every((segment, i) => matchesSegment(segment, parts[i]!))
}

function matchesSegment(segment: Glob, text: string): boolean {
  return (text !== '' || isLiteral(segment)) && matchesGlob(segment, text)
}

/** Whether all paths of `b` are in `a`. */
export function pathCovers(a: PathSet, b: PathSet): boolean {
  for (const [i, segment] of a.segments.entries()) {
    const other = b.segments[i]
    if (other === undefined || !segmentCovers(segment, other)) return false
  }
  if (a.rest) return b.rest || b.segments.length > a.segments.length
  return !b.rest && b.segments.length === a.segments.length
}

function segmentCovers(a: Glob, b: Glob): boolean {
  if (isLiteral(b)) return matchesSegment(a, b.pieces[0]!)
  return globCovers(a, b)
}

/** Whether some path is in both. */
export function pathsOverlap(a: PathSet, b: PathSet): boolean {
  const shared = Math.min(a.segments.length, b.segments.length)
  for (let i = 0; i < shared; i++) if (!segmentsOverlap(a.segments[i]!, b.segments[i]!)) return false
  if (a.rest && b.rest) return true
  if (a.rest) return b.segments.length > a.segments.length
  if (b.rest) return a.segments.length > b.segments.length
  return a.segments.length === b.segments.length
}

function segmentsOverlap(a: Glob, b: Glob): boolean {
  if (isLiteral(a) || isLiteral(b)) {
    const [text, other] = isLiteral(a) ? [a.pieces[0]!, b] : [b.pieces[0]!, a]
    return matchesSegment(other, text)
  }
  return globsOverlap(a, b)
}

/** The folders above the set: what has some path of it inside. Without the root, which is empty. */
export function foldersAbove({ segments, rest }: PathSet): readonly PathSet[] {
  const all = segments.map((_, i): PathSet => ({ segments: segments.slice(0, i), rest: false })).slice(1)
  return rest ? [...all, { segments, rest: false }] : all
}

export const ROOT: PathSet = { segments: [NOTHING], rest: false }

/** The path itself, where the set is of one. */
export function literalPath({ segments, rest }: PathSet): string | undefined {
  return rest || !segments.every(isLiteral) ? undefined : segments.map(({ pieces }) => pieces[0]!).join('/')
}

export function pathKey({ segments, rest }: PathSet): string {
  return JSON.stringify([rest, ...segments.map(globKey)])
}

/** Whether a path has one spelling: no empty segment but the last, no dot segment, nothing encoded, plain characters only. */
export function isPlainPath(path: string): boolean {
  return path.length <= 4096 && /^\/[A-Za-z0-9\-._~!$&'()+,;=:@/]*$/.test(path) && !path.includes('//') && !/\/\.{1,2}(?:\/|$)/.test(path)
}
