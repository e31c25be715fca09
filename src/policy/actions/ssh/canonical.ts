import { ALL, type SshAction } from '../../../core/action.ts'
import { ACCESSES, LOGIN, OPERATIONS, SUBSYSTEM, WITH_TARGET } from './known.ts'
import { isCommand } from './words.ts'

/** An absolute path that is spelled in one way only. */
export function isPath(path: string): boolean {
  return path === '/' || (path.length <= 4096 && /^(?:\/(?!\.{1,2}(?:\/|$))[^/\p{C}\\]+)+$/u.test(path))
}

/** A name or an address in lower case, and a port. */
export function isEndpoint(text: string): boolean {
  const match = /^(?:[a-z0-9](?:[a-z0-9._-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\]):([1-9][0-9]{0,4})$/.exec(text)
  return match !== null && Number(match[1]) <= 65_535
}

/** Whether an action has the form that a door gives it. What hasn't is covered by nothing. */
export function isCanonical({ operation, login, access, command, target }: SshAction): boolean {
  if (!OPERATIONS.includes(operation) || !LOGIN.test(login)) return false
  if (operation === 'sftp' ? !ACCESSES.includes(access) : access !== '') return false
  if (command !== undefined && (operation !== 'exec' || !isCommand(command))) return false
  if (!WITH_TARGET.has(operation)) return target === ''
  if (target === ALL) return true
  if (operation === 'sftp') return isPath(target)
  return operation === 'subsystem' ? SUBSYSTEM.test(target) : isEndpoint(target) || (target !== '/' && isPath(target))
}
