import { ALL, type SshAction } from '../../../core/action.ts'
import { isProblem, notKnown, textProblem, textProperties } from '../text.ts'
import type { Problem } from '../vocabulary.ts'
import { isCanonical } from './canonical.ts'
import { ACCESSES, LOGIN, OPERATIONS, WITH_TARGET } from './known.ts'
import { isCommand, wordsOf } from './words.ts'

const FORM = 'write for example `shell as deploy`, `exec as deploy: systemctl restart nginx` or `sftp read as deploy: /var/log/app.log`'

/** Reads one concrete action. A command that a shell would make something else of can't be told, like one that isn't said. */
export function readAction(text: string): SshAction | Problem {
  const problem = textProblem(text)
  if (problem !== undefined) return problem
  const match = /^([^\s*,]+)(?: ([^\s*,]+))? as ([^\s:]+)(?:: (.+))?$/.exec(text)
  if (match === null) return { problem: 'it needs one operation and a login', help: FORM }
  const [, operation = '', access = '', login = '', target] = match
  const command = operation === 'exec' && target !== undefined ? wordsOf(target) : undefined
  return made({ operation, access, login, command, target: operation === 'exec' ? undefined : target })
}

interface Said extends Pick<SshAction, 'operation' | 'access' | 'login' | 'command'> {
  readonly target: string | undefined
}

function made({ operation, access, login, command, target }: Said): SshAction | Problem {
  if (!OPERATIONS.includes(operation)) return notKnown(operation, 'the operations', OPERATIONS)
  if (!LOGIN.test(login)) return { problem: `\`${login.slice(0, 64)}\` is not a login`, help: FORM }
  if (operation === 'sftp' && !ACCESSES.includes(access))
    return access === ''
      ? { problem: '`sftp` says not what for', help: 'write `sftp read`' }
      : notKnown(access, 'the accesses of `sftp`', ACCESSES)
  const on = target ?? (WITH_TARGET.has(operation) ? ALL : '')
  const action: SshAction = { protocol: 'ssh', operation, login, access, ...(command === undefined ? {} : { command }), target: on }
  return isCanonical(action) ? action : { problem: `what it is on is none of \`${operation}\``, help: FORM }
}

/** The same from an operation and properties; the command is a text, or its words. What isn't said can't be told. */
export function readParts(operation: string, properties: Readonly<Record<string, unknown>>): SshAction | Problem {
  const read = textProperties(properties, ['login', 'access', 'target'], ['command'])
  if (isProblem(read)) return read
  if (read.login === undefined) return { problem: 'it needs the property `login`' }
  const { command } = properties
  if (command !== undefined && operation !== 'exec') return { problem: 'the property `command` is only said of `exec`' }
  if (
    command !== undefined &&
    typeof command !== 'string' &&
    !(Array.isArray(command) && command.every((word) => typeof word === 'string') && isCommand(command))
  )
    return { problem: 'the property `command` is neither a text nor a list of words' }
  const words = typeof command === 'string' ? wordsOf(command) : (command as readonly string[] | undefined)
  return made({ operation, login: read.login, access: read.access ?? '', command: words, target: read.target })
}
