import { ALL, type SqlAction } from '../../../core/action.ts'
import { BucketIndex, type Bucketing } from '../buckets.ts'
import { isAnyValue, literalsOf, valuesKey } from '../sets/values.ts'
import { wordsKey } from '../sets/words.ts'
import { spaceCells } from '../space.ts'
import { noParameters, type Vocabulary } from '../vocabulary.ts'
import { isCanonical } from './canonical.ts'
import { space } from './cells.ts'
import { covers, overlaps } from './compare.ts'
import { readAction, readParts } from './read.ts'
import { matchesPattern, meetsCanonical, parsePattern, type SqlPattern } from './template.ts'

const bucketing: Bucketing<SqlPattern, SqlAction> = {
  key: ({ side, classes, schemas, objects, columns }) =>
    JSON.stringify([side, wordsKey(classes), valuesKey(schemas), valuesKey(objects), valuesKey(columns)]),
  buckets: ({ objects }) => literalsOf(objects),
  bucketsOf: ({ object }) => (object === ALL ? undefined : [object]),
  isCanonical,
  meets: meetsCanonical,
}

export const sql: Vocabulary<SqlAction, SqlPattern> = {
  protocol: 'sql',
  example: 'select on public.orders',
  exampleAction: 'select on public.orders',
  fields: { class: 'string', schema: 'string', object: 'string', column: 'string' },
  parse: parsePattern,
  read: readAction,
  readParts,
  matches: matchesPattern,
  parameters: noParameters,
  request: (action) => {
    const { protocol: _, ...fields } = action
    return new Map(Object.entries(fields).filter(([name, value]) => value !== ALL && (name !== 'class' || value !== 'other')))
  },
  covers,
  overlaps,
  isAll: ({ text, schemas, objects, columns }) =>
    text.startsWith('* ') && isAnyValue(schemas) && isAnyValue(objects) && isAnyValue(columns),
  cells: (patterns, wanted) => spaceCells(space, patterns, wanted),
  index: (entries, combine) => BucketIndex.build(bucketing, entries, combine),
}
