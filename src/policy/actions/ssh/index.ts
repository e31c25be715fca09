import { ALL, type SshAction } from '../../../core/action.ts'
import { BucketIndex, type Bucketing } from '../buckets.ts'
import { globKey, isLiteral, isStar } from '../sets/glob.ts'
import { pathKey } from '../sets/path.ts'
import { spaceCells } from '../space.ts'
import { noParameters, type Vocabulary } from '../vocabulary.ts'
import { commandKey } from './command.ts'
import { isCanonical } from './canonical.ts'
import { space } from './cells.ts'
import { covers, overlaps } from './compare.ts'
import { ORDINARY } from './known.ts'
import { readAction, readParts } from './read.ts'
import { matchesPattern, meetsCanonical, parsePattern, type SshPattern, type Target } from './template.ts'

function targetKey(target: Target): string {
  switch (target.kind) {
    case 'any':
      return ''
    case 'command':
      return `c${commandKey(target.command)}`
    case 'path':
      return `p${pathKey(target.path)}`
    case 'text':
      return `t${globKey(target.text)}`
  }
}

const bucketing: Bucketing<SshPattern, SshAction> = {
  key: ({ side, operations, accesses, logins, target }) =>
    JSON.stringify([side, [...operations].toSorted(), [...accesses].toSorted(), logins.map(globKey).toSorted(), targetKey(target)]),
  buckets: ({ logins }) => (logins.every(isLiteral) ? logins.map(({ pieces }) => pieces[0]!) : undefined),
  bucketsOf: ({ login }) => [login],
  isCanonical,
  meets: meetsCanonical,
}

export const ssh: Vocabulary<SshAction, SshPattern> = {
  protocol: 'ssh',
  example: 'exec as deploy: systemctl restart *',
  exampleAction: 'exec as deploy: systemctl restart nginx',
  fields: { operation: 'string', login: 'string', access: 'string', command: { element: 'string' }, target: 'string' },
  parse: parsePattern,
  read: readAction,
  readParts,
  matches: matchesPattern,
  parameters: noParameters,
  request: ({ operation, login, access, command, target }) =>
    new Map<string, string | readonly string[]>([
      ['operation', operation],
      ['login', login],
      ['access', access],
      ...(command === undefined ? [] : [['command', command] as const]),
      ...(target === ALL ? [] : [['target', target] as const]),
    ]),
  covers,
  overlaps,
  isAll: ({ operations, logins, target }) => ORDINARY.every((one) => operations.has(one)) && logins.some(isStar) && target.kind === 'any',
  cells: (patterns, wanted) => spaceCells(space, patterns, wanted),
  index: (entries, combine) => BucketIndex.build(bucketing, entries, combine),
}
