import type { LlmAction } from '../../../core/action.ts'
import { asciiProblem, isProblem, notKnown, textProperties } from '../text.ts'
import type { Problem } from '../vocabulary.ts'
import { isCanonical } from './canonical.ts'
import { OPERATIONS, WITH_MODEL } from './known.ts'

const FORM = 'write for example `chat gpt-4o tokens=1000`'

/** Reads one concrete action; tokens are those that the answer may have at most. */
export function readAction(text: string): LlmAction | Problem {
  const problem = asciiProblem(text)
  if (problem !== undefined) return problem
  if (/[*,]/.test(text)) return { problem: 'it asks for one concrete action, without `*` and lists', help: FORM }
  const match = /^(\S+)(?: (?!tokens=)(\S+))?(?: tokens=(\d{1,12}))?$/.exec(text)
  if (match === null) return { problem: 'it is an operation, a model and tokens', help: FORM }
  const [, operation = '', model, tokens] = match
  return made(operation, model, tokens === undefined ? undefined : Number(tokens))
}

function made(operation: string, model: string | undefined, tokens: number | undefined): LlmAction | Problem {
  if (!OPERATIONS.includes(operation)) return notKnown(operation, 'the operations', OPERATIONS)
  const needs = WITH_MODEL.includes(operation)
  if (needs && model === undefined) return { problem: `\`${operation}\` says not of which model`, help: FORM }
  if (!needs && model !== undefined) return { problem: `\`${operation}\` is on no model`, help: `write \`${operation}\` alone` }
  const action: LlmAction = { protocol: 'llm', operation, model: (model ?? '').toLowerCase(), ...(tokens === undefined ? {} : { tokens }) }
  return isCanonical(action) ? action : { problem: `\`${model}\` is not a model`, help: FORM }
}

/** The same from an operation and properties; `tokens` is a number. */
export function readParts(operation: string, properties: Readonly<Record<string, unknown>>): LlmAction | Problem {
  const read = textProperties(properties, ['model'], ['tokens'])
  if (isProblem(read)) return read
  const { tokens } = properties
  if (tokens !== undefined && !(typeof tokens === 'number' && Number.isSafeInteger(tokens) && tokens >= 0))
    return { problem: 'the property `tokens` is no whole number' }
  return made(operation, read.model, tokens)
}
