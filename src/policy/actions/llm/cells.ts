import type { LlmAction } from '../../../core/action.ts'
import type { CellInput } from '../cells.ts'
import { fieldOf } from '../celltext.ts'
import { formOf } from '../sets/form.ts'
import { valuesNeed } from '../sets/needs.ts'
import { meetsValue } from '../sets/values.ts'
import type { Space, Step } from '../space.ts'
import { isCanonical } from './canonical.ts'
import { OPERATIONS, WITH_MODEL } from './known.ts'
import type { LlmPattern } from './template.ts'

/** Form of a model. */
export const MODELS = formOf(/[a-z0-9][a-z0-9._:/@+-]*/, 255)

const OPERATION: Step<LlmPattern> = {
  field: 'operation',
  choices: OPERATIONS.map((value) => ({
    kind: 'value',
    value,
    tag: WITH_MODEL.includes(value) ? 'model' : 'none',
    meets: ({ operations }) => operations.has(value),
  })),
}
const MODEL: Step<LlmPattern> = { field: 'model', choices: [{ kind: 'texts', form: MODELS, needs: ({ models }) => valuesNeed(models) }] }
const NO_MODEL: Step<LlmPattern> = {
  field: 'model',
  choices: [{ kind: 'value', value: '', meets: ({ models, side }) => meetsValue(models, '', side) }],
}

/** Patterns don't look at tokens; conditions do. */
const TOKENS: CellInput = {
  kind: 'open',
  key: 'request.tokens',
  type: 'number',
  admits: (value) => Number.isSafeInteger(value) && Number(value) >= 0,
  mayFail: true,
  range: [0, Number.MAX_SAFE_INTEGER],
  tries: (named) =>
    [...new Set(named.flatMap((one) => (typeof one === 'number' ? [Math.ceil(one) - 1, Math.ceil(one), Math.floor(one) + 1] : [])))].filter(
      (one) => Number.isSafeInteger(one) && one >= 0,
    ),
}

export const space: Space<LlmAction, LlmPattern> = {
  next: (tags) => {
    if (!tags.has('operation')) return OPERATION
    if (!tags.has('model')) return tags.get('operation') === 'model' ? MODEL : NO_MODEL
    return undefined
  },
  valueOf: (action, field) => (field === 'operation' ? action.operation : action.model),
  action: ({ text, given }) => {
    const tokens = given.get('request.tokens')
    return {
      protocol: 'llm',
      operation: text('operation'),
      model: text('model'),
      ...(tokens === undefined ? {} : { tokens: Number(tokens) }),
    }
  },
  isCanonical,
  input: (name) => (name === 'tokens' ? TOKENS : undefined),
  first: 'operation',
  rest: (cell) => (cell.tag('operation') === 'model' ? ` ${fieldOf(cell, 'model')}` : ''),
}
