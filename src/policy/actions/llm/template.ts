/**
 * The action vocabulary of language models: `chat gpt-4o*`, `embed text-embedding-3-*`, `chat,count anthropic/claude-*`,
 * `models`.
 *
 * In a rule, `*` for operations leaves out what is `GUARDED`; in a guardrail it leaves out nothing.
 */
import type { LlmAction } from '../../../core/action.ts'
import { readGlobs } from '../sets/read.ts'
import { ANY, meetsValue, type Side, type Values } from '../sets/values.ts'
import { asciiProblem, isProblem, wordList } from '../text.ts'
import type { Parsed, PatternBase } from '../vocabulary.ts'
import { isCanonical } from './canonical.ts'
import { GUARDED, MODEL, OPERATIONS, WITH_MODEL, WITHOUT_MODEL } from './known.ts'

export interface LlmPattern extends PatternBase {
  readonly protocol: 'llm'
  readonly side: Side
  readonly operations: ReadonlySet<string>
  readonly models: Values
}

/** Reads one pattern. */
export function parsePattern(text: string, side: Side): Parsed<LlmPattern> {
  const problem = asciiProblem(text)
  if (problem !== undefined) return problem
  const [operation = '', models, ...more] = text.split(' ')
  if (more.length > 0)
    return {
      problem: 'it is operations and models',
      help: 'write for example `chat gpt-4o*`; limit tokens with `when: request.tokens <= 1000`',
    }
  const listed =
    operation === '*'
      ? OPERATIONS.filter((one) => side === 'takes' || !GUARDED.includes(one))
      : wordList(operation, 'operations', OPERATIONS)
  if (isProblem(listed)) return listed
  const without = operation === '*' ? undefined : listed.find((one) => WITHOUT_MODEL.includes(one))
  if (models !== undefined && without !== undefined) return { problem: `\`${without}\` is on no model`, help: `write \`${without}\` alone` }
  const needs = operation === '*' ? undefined : listed.find((one) => WITH_MODEL.includes(one))
  if (models === undefined && needs !== undefined)
    return { problem: `\`${needs}\` says not of which model`, help: `write \`${text} gpt-4o*\`, or \`${text} *\` for all` }
  if (models !== undefined && models !== models.toLowerCase())
    return { problem: `\`${models}\` has upper-case letters`, help: `write \`${models.toLowerCase()}\`: models are compared in lower case` }
  const read = models === undefined ? ANY : readGlobs(models, MODEL, 'model')
  if (isProblem(read)) return read
  const operations = new Set(models === undefined ? listed : listed.filter((one) => WITH_MODEL.includes(one)))
  return { pattern: { protocol: 'llm', text, parameters: [], side, operations, models: read } }
}

/** The plain definition, which the index must agree with. */
export function matchesPattern(pattern: LlmPattern, action: LlmAction): boolean {
  return isCanonical(action) && meetsCanonical(pattern, action)
}

/** Whether it meets an action that is canonical. */
export function meetsCanonical({ side, operations, models }: LlmPattern, action: LlmAction): boolean {
  return operations.has(action.operation) && meetsValue(models, action.model, side)
}
