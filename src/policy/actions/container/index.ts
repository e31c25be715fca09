import { ALL, type ContainerAction } from '../../../core/action.ts'
import { BucketIndex, type Bucketing } from '../buckets.ts'
import { globKey } from '../sets/glob.ts'
import { literalPath, pathKey } from '../sets/path.ts'
import { isAnyValue, valuesKey } from '../sets/values.ts'
import { spaceCells } from '../space.ts'
import { noParameters, type RequestValue, type Vocabulary } from '../vocabulary.ts'
import { isCanonical } from './canonical.ts'
import { space } from './cells.ts'
import { covers, overlaps } from './compare.ts'
import { OPERATIONS } from './known.ts'
import { optionsKey } from './options.ts'
import { readAction, readParts } from './read.ts'
import { matchesPattern, meetsCanonical, parsePattern, type ContainerPattern } from './template.ts'

const bucketing: Bucketing<ContainerPattern, ContainerAction> = {
  key: ({ side, operations, images, names, options }) =>
    JSON.stringify([
      side,
      [...operations].toSorted(),
      images.repositories === undefined ? '' : pathKey(images.repositories),
      images.versions === undefined ? '' : globKey(images.versions),
      valuesKey(names),
      optionsKey(options),
    ]),
  // By operation and repository, as far as it is named.
  buckets: ({ operations, images }) => {
    const repository = images.repositories === undefined ? undefined : literalPath(images.repositories)
    return [...operations].map((operation) => `${operation} ${repository ?? ALL}`)
  },
  bucketsOf: ({ operation, repository }) => (repository === ALL ? undefined : [`${operation} ${repository}`, `${operation} ${ALL}`]),
  isCanonical,
  meets: meetsCanonical,
}

/** Operations that a pattern for everything has at least. */
const MOST = OPERATIONS.length / 2

export const container: Vocabulary<ContainerAction, ContainerPattern> = {
  protocol: 'container',
  example: 'run acme/web:1.*',
  exampleAction: 'run acme/web:1.2',
  fields: { operation: 'string', repository: 'string', version: 'string', name: 'string', options: { element: 'string' } },
  parse: parsePattern,
  read: readAction,
  readParts,
  matches: matchesPattern,
  parameters: noParameters,
  request: (action) => {
    const { protocol: _, ...fields } = action
    return new Map<string, RequestValue>(Object.entries(fields).filter(([, value]) => value !== ALL))
  },
  covers,
  overlaps,
  everything: ['*'],
  isAll: ({ operations, images, names }) =>
    operations.size > MOST && images.repositories === undefined && images.versions === undefined && isAnyValue(names),
  cells: (patterns, wanted) => spaceCells(space, patterns, wanted),
  index: (entries, combine) => BucketIndex.build(bucketing, entries, combine),
}
