import { ALL, type SshAction } from '../../../core/action.ts'
import { fieldOf, someOf } from '../celltext.ts'
import { formOf } from '../sets/form.ts'
import { commandMachine, globMachine, literalMachine, pathMachine, WORD_END } from '../sets/machine.ts'
import { globsNeed } from '../sets/needs.ts'
import type { Language } from '../sets/partition.ts'
import type { CellText, Choice, Space, Step } from '../space.ts'
import { isCanonical } from './canonical.ts'
import { matchesCommand } from './command.ts'
import { ACCESSES, GUARDED_LOGIN, OPERATIONS } from './known.ts'
import { matchesLogin, type SshPattern } from './template.ts'

const LOGINS = formOf(/[A-Za-z0-9_][A-Za-z0-9._@-]*/, 64)
const SUBSYSTEMS = formOf(/[A-Za-z0-9][A-Za-z0-9._@-]*/, 64)
const SEGMENT = String.raw`(?:[^\/\p{C}\\.]|\.[^\/\p{C}\\.]|\.\.[^\/\p{C}\\])[^\/\p{C}\\]*`
/** Absolute paths but the root. */
const PATHS = formOf(new RegExp(String.raw`(?:\/${SEGMENT})+`), 4096)
const PATHS_AND_ROOT = formOf(new RegExp(String.raw`\/|(?:\/${SEGMENT})+`), 4096)
const ENDPOINTS = formOf(
  /(?:[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.][0-9a-f:.]+\]):(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])/,
  259,
)
/** Words parted by what stands in none; the first is not empty. */
const COMMANDS = formOf(/[^\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029][^\p{Cf}\p{Co}\p{Cs}\u2028\u2029\u0001-\u001f\u007f-\u009f]*/u, 8192)

type Pattern = SshPattern

/** What later choices depend on: `forward` and `listen` are alike. */
const KINDS: Readonly<Record<string, string>> = {
  exec: 'exec',
  sftp: 'sftp',
  subsystem: 'subsystem',
  forward: 'endpoint',
  listen: 'endpoint',
}

const OPERATION: Step<Pattern> = {
  field: 'operation',
  choices: OPERATIONS.map((value) => ({
    kind: 'value',
    value,
    tag: KINDS[value] ?? 'none',
    meets: ({ operations }) => operations.has(value),
  })),
}
const LOGIN: Step<Pattern> = {
  field: 'login',
  choices: [
    { kind: 'value', value: GUARDED_LOGIN, meets: ({ logins, side }) => matchesLogin(logins, GUARDED_LOGIN, side) },
    { kind: 'texts', form: LOGINS, but: [literalMachine(GUARDED_LOGIN)], needs: ({ logins }) => globsNeed(logins) },
  ],
}
const access = (value: string): Choice<Pattern> => ({ kind: 'value', value, meets: ({ accesses }) => accesses.has(value) })
const ACCESS: Step<Pattern> = { field: 'access', choices: ACCESSES.map(access) }
const NO_ACCESS: Step<Pattern> = { field: 'access', choices: [access('')] }

/** A command that can't be told is met by every guardrail. */
const UNTOLD: Choice<Pattern> = {
  kind: 'value',
  value: '',
  meets: ({ target, side }) => target.kind === 'any' || (target.kind === 'command' && side === 'takes'),
}
const commands = ({ target }: Pattern): readonly Language[] | undefined => {
  if (target.kind === 'any') return []
  if (target.kind !== 'command') return undefined
  return [{ machines: [commandMachine(target.command, (words) => matchesCommand(target.command, words))], every: false }]
}
const COMMAND: Step<Pattern> = {
  field: 'command',
  choices: [UNTOLD, { kind: 'texts', form: COMMANDS, needs: commands }],
  absent: (value) => value === '',
  read: (value) => value.split(WORD_END),
  tries: (fitting, named) =>
    fitting
      .slice(0, 4)
      .flatMap((one) =>
        [...named, 'x', '-x'].flatMap((word) => [
          `${one}${WORD_END}${word}`,
          `${one}${WORD_END}${word}${WORD_END}x`,
          `${word}${WORD_END}x`,
        ]),
      ),
}
const NO_COMMAND: Step<Pattern> = {
  field: 'command',
  choices: [{ kind: 'value', value: '', meets: ({ target }) => target.kind !== 'command' }],
  absent: (value) => value === '',
}

/** On what; what can't be told is met by every guardrail. */
const ALL_TARGETS: Choice<Pattern> = { kind: 'value', value: ALL, meets: ({ target, side }) => target.kind === 'any' || side === 'takes' }
const paths = ({ target }: Pattern): readonly Language[] | undefined => {
  if (target.kind === 'any') return []
  return target.kind === 'path' ? [{ machines: [pathMachine(target.path, '/')], every: false }] : undefined
}
const names = ({ target }: Pattern): readonly Language[] | undefined => {
  if (target.kind === 'any') return []
  return target.kind === 'text' ? [{ machines: [globMachine(target.text)], every: false }] : undefined
}
const TARGETS: Readonly<Record<string, Step<Pattern>>> = {
  sftp: { field: 'target', choices: [ALL_TARGETS, { kind: 'texts', form: PATHS_AND_ROOT, needs: paths }] },
  subsystem: { field: 'target', choices: [ALL_TARGETS, { kind: 'texts', form: SUBSYSTEMS, needs: names }] },
  endpoint: {
    field: 'target',
    choices: [ALL_TARGETS, { kind: 'texts', form: ENDPOINTS, needs: names }, { kind: 'texts', form: PATHS, needs: paths }],
  },
}
/** Of what has none, a pattern that names one says nothing: its operation is another. */
const NO_TARGET: Step<Pattern> = {
  field: 'target',
  choices: [{ kind: 'value', value: '', meets: ({ target }) => target.kind === 'any' || target.kind === 'command' }],
}

export const space: Space<SshAction, Pattern> = {
  next: (tags) => {
    const kind = tags.get('operation')
    if (kind === undefined) return OPERATION
    if (!tags.has('login')) return LOGIN
    if (!tags.has('access')) return kind === 'sftp' ? ACCESS : NO_ACCESS
    if (!tags.has('command')) return kind === 'exec' ? COMMAND : NO_COMMAND
    return tags.has('target') ? undefined : (TARGETS[kind] ?? NO_TARGET)
  },
  valueOf: (action, field) =>
    field === 'command' ? (action.command ?? []).join(WORD_END) : action[field as Exclude<keyof SshAction, 'protocol' | 'command'>],
  action: ({ text }) => {
    const command = text('command')
    return {
      protocol: 'ssh',
      operation: text('operation'),
      login: text('login'),
      access: text('access'),
      ...(command === '' ? {} : { command: command.split(WORD_END) }),
      target: text('target'),
    }
  },
  isCanonical,
  first: 'operation',
  rest: (cell) => {
    const access = cell.tag('operation') === 'sftp' ? ` ${cell.isWhole('access') ? ALL : someOf(cell.values('access'))}` : ''
    const login = fieldOf(cell, 'login', (text) => `as ${text}`)
    const on = onWhat(cell)
    return `${access} as ${login}${on === '' ? '' : `: ${on}`}`
  },
}

function onWhat(cell: CellText): string {
  const kind = cell.tag('operation')
  if (kind === 'none') return ''
  const field = kind === 'exec' ? 'command' : 'target'
  const untold = cell.values(field).includes(kind === 'exec' ? '' : ALL)
  const named = fieldOf(cell, field).replaceAll(WORD_END, ' ')
  if (named === '') return `what can not be told`
  return named === ALL && untold ? '' : `${named}${untold ? ' or what can not be told' : ''}`
}
