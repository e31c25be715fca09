import type { LlmAction } from '../../../core/action.ts'
import { BucketIndex, type Bucketing } from '../buckets.ts'
import { isAnyValue, literalsOf, valuesKey } from '../sets/values.ts'
import { spaceCells } from '../space.ts'
import { noParameters, type RequestValue, type Vocabulary } from '../vocabulary.ts'
import { isCanonical } from './canonical.ts'
import { space } from './cells.ts'
import { covers, overlaps } from './compare.ts'
import { WITH_MODEL } from './known.ts'
import { readAction, readParts } from './read.ts'
import { matchesPattern, meetsCanonical, parsePattern, type LlmPattern } from './template.ts'

const bucketing: Bucketing<LlmPattern, LlmAction> = {
  key: ({ side, operations, models }) => JSON.stringify([side, [...operations].toSorted(), valuesKey(models)]),
  buckets: ({ models }) => literalsOf(models),
  bucketsOf: ({ model }) => [model],
  isCanonical,
  meets: meetsCanonical,
}

export const llm: Vocabulary<LlmAction, LlmPattern> = {
  protocol: 'llm',
  example: 'chat gpt-4o*',
  exampleAction: 'chat gpt-4o',
  fields: { operation: 'string', model: 'string', tokens: 'int' },
  parse: parsePattern,
  read: readAction,
  readParts,
  matches: matchesPattern,
  parameters: noParameters,
  request: ({ operation, model, tokens }) =>
    new Map<string, RequestValue>([
      ['operation', operation],
      ['model', model],
      ...(tokens === undefined ? [] : [['tokens', BigInt(tokens)] as const]),
    ]),
  covers,
  overlaps,
  everything: ['*'],
  isAll: ({ operations, models }) => isAnyValue(models) && WITH_MODEL.filter((one) => one !== 'tune').every((one) => operations.has(one)),
  cells: (patterns, wanted) => spaceCells(space, patterns, wanted),
  index: (entries, combine) => BucketIndex.build(bucketing, entries, combine),
}
