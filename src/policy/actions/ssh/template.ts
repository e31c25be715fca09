/**
 * The action vocabulary of SSH: `shell as deploy`, `exec as deploy: systemctl restart *`, `sftp read as deploy: /var/log/**`,
 * `forward as deploy: db.internal:5432`.
 *
 * In a rule, `*` for operations is work on the host (`shell`, `exec`, `sftp`), and a login with a `*` is never `root`. A
 * command is compared word by word; one that a shell makes something else of is in no pattern that names a command, and is
 * met by every guardrail that names one.
 */
import { ALL, type SshAction } from '../../../core/action.ts'
import { glob, isLiteral, literal, matchesGlob, MAX_STARS, type Glob } from '../sets/glob.ts'
import { matchesPath, pathSet, type PathSet } from '../sets/path.ts'
import type { Side } from '../sets/values.ts'
import { isProblem, listOf, textProblem, wordList } from '../text.ts'
import type { Parsed, PatternBase, Problem } from '../vocabulary.ts'
import { isCanonical } from './canonical.ts'
import { isAnyCommand, matchesCommand, readCommand, type CommandSet } from './command.ts'
import { ACCESSES, GUARDED_LOGIN, LOGIN, OPERATIONS, ORDINARY, SUBSYSTEM, WITH_TARGET } from './known.ts'

export interface SshPattern extends PatternBase {
  readonly protocol: 'ssh'
  readonly side: Side
  readonly operations: ReadonlySet<string>
  readonly accesses: ReadonlySet<string>
  readonly logins: readonly Glob[]
  readonly target: Target
}

/** On what: anything, a command, a path, or a text such as `host:port`. */
export type Target =
  | { readonly kind: 'any' }
  | { readonly kind: 'command'; readonly command: CommandSet }
  | { readonly kind: 'path'; readonly path: PathSet }
  | { readonly kind: 'text'; readonly text: Glob }

const FORM = 'write for example `shell as deploy`, `exec as deploy: systemctl restart *` or `sftp read as deploy: /var/log/**`'
const NO_ACCESS = ['']

/** Reads one pattern. */
export function parsePattern(text: string, side: Side): Parsed<SshPattern> {
  const problem = textProblem(text)
  if (problem !== undefined) return problem
  const match = /^(\S+)(?: (\S+))? as ([^\s:]+)(?:: (.+))?$/.exec(text)
  if (match === null) return { problem: 'it needs an operation and a login', help: FORM }
  const [, operation = '', access, login = '', target] = match
  const operations = operation === '*' ? (side === 'grants' ? ORDINARY : OPERATIONS) : wordList(operation, 'operations', OPERATIONS)
  if (isProblem(operations)) return operations
  const accesses = readAccesses(operations, operation === '*', access)
  if (isProblem(accesses)) return accesses
  const logins = readLogins(login)
  if (isProblem(logins)) return logins
  const on = readTarget(operations, operation, target, side)
  if (isProblem(on)) return on
  return {
    pattern: {
      protocol: 'ssh',
      text,
      parameters: [],
      side,
      operations: new Set(operations),
      accesses: new Set(accesses),
      logins,
      target: on,
    },
  }
}

function readAccesses(operations: readonly string[], all: boolean, text: string | undefined): readonly string[] | Problem {
  if (!operations.includes('sftp')) return text === undefined ? NO_ACCESS : { problem: `\`${text}\` is only said of \`sftp\``, help: FORM }
  if (all || operations.length > 1)
    return text === undefined
      ? [...NO_ACCESS, ...ACCESSES]
      : { problem: `\`${text}\` is only said of \`sftp\``, help: 'write `sftp` alone' }
  if (text === undefined) return { problem: '`sftp` says not what for', help: 'write `sftp read`, `sftp read,list`, or `sftp *`' }
  return text === '*' ? ACCESSES : wordList(text, 'accesses of `sftp`', ACCESSES)
}

function readLogins(text: string): readonly Glob[] | Problem {
  const parts = listOf(text)
  if (isProblem(parts)) return parts
  for (const part of parts) {
    if (!LOGIN.test(part.replaceAll('*', 'x')))
      return { problem: `\`${part}\` is not a login`, help: 'write a login, with `*` for any characters' }
    if (part.split('*').length - 1 > MAX_STARS) return { problem: `\`${part}\` has more than ${MAX_STARS} stars` }
  }
  return parts.map((part) => (part.includes('*') ? glob(part) : literal(part)))
}

function readTarget(operations: readonly string[], written: string, text: string | undefined, side: Side): Target | Problem {
  if (text === undefined) return { kind: 'any' }
  const [operation, ...more] = operations
  if (more.length > 0 || operation === undefined)
    return { problem: `\`${written}\` are several operations, and \`${text}\` is of one`, help: 'write an action for each' }
  if (operation === 'exec') {
    const command = readCommand(text, side)
    if (isProblem(command)) return command
    return isAnyCommand(command) ? { kind: 'any' } : { kind: 'command', command }
  }
  if (operation === 'sftp' || (text.startsWith('/') && WITH_TARGET.has(operation))) return readPath(text)
  if (!WITH_TARGET.has(operation)) return { problem: `\`${operation}\` is on nothing`, help: `write \`${operation} as deploy\`` }
  if (text.split('*').length - 1 > MAX_STARS) return { problem: `\`${text}\` has more than ${MAX_STARS} stars` }
  const plain = text.replaceAll('*', operation === 'subsystem' ? 'x' : '1')
  const isOne =
    operation === 'subsystem' ? SUBSYSTEM.test(plain) : /^(?:[a-z0-9]([a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\]):[0-9]+$/.test(plain)
  if (!isOne)
    return {
      problem: `\`${text}\` is not ${operation === 'subsystem' ? 'a subsystem' : 'a host and a port'}`,
      help:
        operation === 'subsystem'
          ? 'write its name'
          : 'write `db.internal:5432`, `*.internal:443`, `[::1]:22`, or a socket such as `/run/app.sock`',
    }
  return { kind: 'text', text: text.includes('*') ? glob(text) : literal(text) }
}

function readPath(text: string): Target | Problem {
  if (!text.startsWith('/')) return { problem: 'its path does not start with `/`', help: `write \`/${text}\`` }
  if (!/^[\x21-\x7e]*$/.test(text) || text.includes('\\'))
    return { problem: 'its path has more than plain characters', help: 'write a path, with `*` within a segment and `**` at the end' }
  const path = pathSet(text.slice(1))
  if (typeof path === 'string') return { problem: path, help: 'write for example `/var/log/**`' }
  if (text !== '/' && path.segments.some(({ pieces }) => ['', '.', '..'].includes(pieces.join('*'))))
    return { problem: 'its path is not canonical', help: 'no empty segment, no `.`, no `..`, and no slash at the end' }
  return { kind: 'path', path }
}

/** Of a rule, a login with a star is not root: who may be that is said. */
export function matchesLogin(logins: readonly Glob[], login: string, side: Side): boolean {
  return logins.some((one) => matchesGlob(one, login) && (side === 'takes' || login !== GUARDED_LOGIN || isLiteral(one)))
}

/** The plain definition, which the index must agree with. */
export function matchesPattern(pattern: SshPattern, action: SshAction): boolean {
  return isCanonical(action) && meetsCanonical(pattern, action)
}

/** Whether it meets an action that is canonical. */
export function meetsCanonical({ side, operations, accesses, logins, target }: SshPattern, action: SshAction): boolean {
  return (
    operations.has(action.operation) &&
    accesses.has(action.access) &&
    matchesLogin(logins, action.login, side) &&
    matchesTarget(target, action, side)
  )
}

function matchesTarget(target: Target, { operation, command, target: on }: SshAction, side: Side): boolean {
  switch (target.kind) {
    case 'any':
      return true
    case 'command':
      return command === undefined ? side === 'takes' : matchesCommand(target.command, command)
    case 'path':
      return on === ALL ? side === 'takes' : on.startsWith('/') && matchesPath(target.path, on.slice(1))
    case 'text':
      return on === ALL ? side === 'takes' : !on.startsWith('/') && operation !== 'sftp' && matchesGlob(target.text, on)
  }
}
