import type { HttpAction } from '../../../core/action.ts'
import { isProblem, textProperties } from '../text.ts'
import type { Problem, Vocabulary } from '../vocabulary.ts'
import { httpCells } from './cells.ts'
import { covers, overlaps } from './compare.ts'
import { matchesPattern, parametersOf, parsePattern, segmentsOf, type HttpPattern } from './template.ts'
import { HttpIndex, HttpTrie } from './trie.ts'
import { writeTrie } from './write.ts'

function read(text: string): HttpAction | Problem {
  const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+)$/.exec(text)
  if (match === null) return { problem: 'it needs a method and a path' }
  const [, method, path] = match as unknown as [string, string, string]
  if (method === '*' || /[{}]|\*\*/.test(path)) return { problem: 'it asks for one concrete action, without `*`, `{}` and `**`' }
  if (/[?#]/.test(path)) return { problem: 'a path has no query and no fragment' }
  return segmentsOf(path) === undefined ? { problem: 'its path is not canonical' } : { protocol: 'http', method, path }
}

export const http: Vocabulary<HttpAction, HttpPattern> = {
  protocol: 'http',
  example: 'GET /orders/{id}',
  exampleAction: 'GET /orders/7',
  fields: { method: 'string', path: 'string' },
  parse: (text) => parsePattern(text),
  read,
  readParts: (name, properties) => {
    const said = textProperties(properties, ['path'])
    if (isProblem(said)) return said
    return said.path === undefined ? { problem: 'it needs the property `path`' } : read(`${name} ${said.path}`)
  },
  matches: (pattern, action) => matchesPattern(pattern, action.method, action.path),
  parameters: (pattern, action) => parametersOf(pattern, action.path),
  request: ({ method, path }) =>
    new Map([
      ['method', method],
      ['path', path],
    ]),
  covers,
  overlaps,
  everything: ['* /**'],
  isAll: ({ method, rest, segments }) => method === '*' && rest && segments.length === 0,
  cells: httpCells,
  index: (entries, combine) => HttpIndex.build(entries, combine),
  flat: { write: writeTrie, read: (flat) => new HttpTrie(flat) },
}
