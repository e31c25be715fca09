import { parse } from '@bufbuild/cel'
import type { Expr, SourceInfo } from '@bufbuild/cel-spec/cel/expr/syntax_pb.js'
import { Environment } from '@marcbachmann/cel-js'
import type { Extent } from './extent.ts'

/** Longest condition, in UTF-16 code units. */
export const MAX_CONDITION = 4096
const MAX_NODES = 1000
const MAX_DEPTH = 40

export interface ParsedCondition {
  readonly expr: Expr
  readonly source: SourceInfo
}

/** Something wrong with a condition, and the characters that it is about. */
export interface ConditionProblem extends Extent {
  readonly problem: string
  readonly help?: string | undefined
}

let explainer: Environment | undefined

/**
 * Parses a condition. Two parsers read it: one tells exactly where a mistake is and bounds size and depth, the other's
 * tree is what gets checked and evaluated.
 */
export function parseCondition(text: string): ParsedCondition | ConditionProblem {
  if (text.length > MAX_CONDITION) return { problem: `it is longer than ${MAX_CONDITION} characters`, from: 0, to: 1 }
  explainer ??= new Environment({
    unlistedVariablesAreDyn: true,
    limits: { maxAstNodes: MAX_NODES, maxDepth: MAX_DEPTH, maxListElements: 500, maxMapEntries: 1, maxCallArguments: 8 },
  })
  try {
    explainer.parse(text)
  } catch (error) {
    return explained(error, text)
  }
  try {
    const { expr, sourceInfo } = parse(text)
    if (expr !== undefined && sourceInfo !== undefined) return { expr, source: sourceInfo }
  } catch {
    // Fall through: the first parser accepts a little more of the language than the second.
  }
  return { problem: 'this part of CEL can not be used here', from: 0, to: text.length }
}

const SLIPS: readonly (readonly [pattern: RegExp, help: string])[] = [
  [/^and\b/i, 'write `&&`'],
  [/^or\b/i, 'write `||`'],
  [/^not\b/i, 'write `!`'],
  [/^=(?!=)/, 'write `==`'],
  [/^&/, 'write `&&`'],
  [/^\|/, 'write `||`'],
]

function explained(error: unknown, text: string): ConditionProblem {
  const { range, summary } = error as { range?: { start: number; end: number }; summary?: string }
  const from = Math.min(range?.start ?? 0, text.length)
  const to = Math.max(from, Math.min(range?.end ?? text.length, text.length))
  const help = SLIPS.find(([pattern]) => pattern.test(text.slice(from)))?.[1]
  return { problem: worded(summary ?? 'not understood', text), from, to, help }
}

function worded(summary: string, text: string): string {
  if (/EOF/.test(summary)) return text.trim() === '' ? 'it is empty' : 'it ends too early'
  if (/maxDepth/.test(summary)) return `it is nested deeper than ${MAX_DEPTH} levels`
  if (/max[A-Z]/.test(summary)) return 'it is too large'
  const first = summary.split('\n')[0] ?? summary
  return first.charAt(0).toLowerCase() + first.slice(1)
}
