import { globCovers, globsOverlap, isStar } from '../sets/glob.ts'
import { pathCovers, pathsOverlap } from '../sets/path.ts'
import { wordsCover, wordsOverlap } from '../sets/words.ts'
import type { McpPattern, Name } from './template.ts'

/** Whether some request is met by both. */
export function overlaps(a: McpPattern, b: McpPattern): boolean {
  return wordsOverlap(a.methods, b.methods) && namesOverlap(a.name, b.name)
}

function namesOverlap(a: Name, b: Name): boolean {
  if (isAll(a) || isAll(b)) return true
  if (a.kind === 'uri') return b.kind === 'uri' && pathsOverlap(a.path, b.path)
  return a.kind === 'glob' && b.kind === 'glob' && globsOverlap(a.glob, b.glob)
}

/** Any name. A pattern that has one behind its method is for methods that have names only. */
function isAll(name: Name): boolean {
  return name.kind === 'any' || (name.kind === 'glob' && isStar(name.glob))
}

/** Whether every request that `b` meets is met by `a`. */
export function covers(a: McpPattern, b: McpPattern): boolean {
  return wordsCover(a.methods, b.methods) && nameCovers(a.name, b.name)
}

function nameCovers(a: Name, b: Name): boolean {
  if (isAll(a)) return true
  if (a.kind === 'uri') return b.kind === 'uri' && pathCovers(a.path, b.path)
  return a.kind === 'glob' && b.kind === 'glob' && globCovers(a.glob, b.glob)
}
