import type { HttpPattern, Segment } from './template.ts'

/** Whether some request is covered by both patterns. */
export function overlaps(a: HttpPattern, b: HttpPattern): boolean {
  if (!methodsOverlap(a.method, b.method)) return false
  const shared = Math.min(a.segments.length, b.segments.length)
  for (let i = 0; i < shared; i++) if (!segmentsOverlap(a.segments[i]!, b.segments[i]!)) return false
  if (a.rest && b.rest) return true
  if (a.rest) return b.segments.length > a.segments.length
  if (b.rest) return a.segments.length > b.segments.length
  return a.segments.length === b.segments.length
}

/** Whether every request that `b` covers is covered by `a`. */
export function covers(a: HttpPattern, b: HttpPattern): boolean {
  if (!(a.method === '*' || a.method === b.method || (a.method === 'GET' && b.method === 'HEAD'))) return false
  for (const [i, segment] of a.segments.entries()) {
    const other = b.segments[i]
    if (other === undefined || !segmentCovers(segment, other)) return false
  }
  if (a.rest) return b.segments.length > a.segments.length || b.rest
  return !b.rest && b.segments.length === a.segments.length
}

function methodsOverlap(a: string, b: string): boolean {
  return a === '*' || b === '*' || a === b || (a === 'GET' && b === 'HEAD') || (a === 'HEAD' && b === 'GET')
}

function segmentsOverlap(a: Segment, b: Segment): boolean {
  if (a.kind === 'literal' && b.kind === 'literal') return a.text === b.text
  const literal = a.kind === 'literal' ? a : b.kind === 'literal' ? b : undefined
  return literal === undefined || literal.text !== ''
}

function segmentCovers(a: Segment, b: Segment): boolean {
  if (a.kind === 'literal') return b.kind === 'literal' && a.text === b.text
  return b.kind === 'parameter' || b.text !== ''
}
