/** Regular expressions as Envoy reads them, each compiled once. */
import { RE2JS } from 're2js'
import type { Regexes } from '../envoy/evaluate.ts'

const patterns = new Map<string, RE2JS>()

function compiled(pattern: string): RE2JS {
  const known = patterns.get(pattern) ?? RE2JS.compile(pattern)
  patterns.set(pattern, known)
  return known
}

export const regexes: Regexes = {
  wholly: (pattern, text) => compiled(pattern).matches(text),
  anywhere: (pattern, text) => compiled(pattern).matcher(text).find(),
}
