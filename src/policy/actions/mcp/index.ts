import type { McpAction } from '../../../core/action.ts'
import { BucketIndex, type Bucketing } from '../buckets.ts'
import { globKey, isLiteral } from '../sets/glob.ts'
import { pathKey } from '../sets/path.ts'
import { hasWord, wordsKey } from '../sets/words.ts'
import { spaceCells } from '../space.ts'
import { noParameters, type RequestValue, type Vocabulary } from '../vocabulary.ts'
import { isCanonical } from './canonical.ts'
import { space } from './cells.ts'
import { covers, overlaps } from './compare.ts'
import { OF_PROMPTS, OF_TOOLS } from './known.ts'
import { readAction, readParts } from './read.ts'
import { matchesPattern, meetsCanonical, parsePattern, type McpPattern, type Name } from './template.ts'

function nameKey(name: Name): string {
  return name.kind === 'any' ? '' : name.kind === 'glob' ? `g${globKey(name.glob)}` : `u${pathKey(name.path)}`
}

const bucketing: Bucketing<McpPattern, McpAction> = {
  key: ({ side, methods, name }) => JSON.stringify([side, wordsKey(methods), nameKey(name)]),
  buckets: ({ name }) => (name.kind === 'glob' && isLiteral(name.glob) ? [name.glob.pieces[0]!] : undefined),
  bucketsOf: ({ name }) => [name],
  isCanonical,
  meets: meetsCanonical,
}

export const mcp: Vocabulary<McpAction, McpPattern> = {
  protocol: 'mcp',
  example: 'tools/call search_*',
  exampleAction: 'tools/call search_orders',
  fields: { method: 'string', name: 'string', arguments: 'dyn' },
  parse: parsePattern,
  read: readAction,
  readParts,
  matches: matchesPattern,
  parameters: noParameters,
  // Without arguments there is nothing in them.
  request: ({ method, name, arguments: given = OF_TOOLS.includes(method) || OF_PROMPTS.includes(method) ? {} : undefined }) =>
    new Map<string, RequestValue>([['method', method], ['name', name], ...(given === undefined ? [] : [['arguments', given] as const])]),
  covers,
  overlaps,
  isAll: ({ methods, name }) => name.kind === 'any' && hasWord(methods, 'resources/read') && hasWord(methods, 'ping'),
  cells: (patterns, wanted) => spaceCells(space, patterns, wanted),
  index: (entries, combine) => BucketIndex.build(bucketing, entries, combine),
}
