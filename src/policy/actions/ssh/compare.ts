import { globCovers, globsOverlap, isLiteral, matchesGlob, type Glob } from '../sets/glob.ts'
import { pathCovers, pathsOverlap } from '../sets/path.ts'
import type { Side } from '../sets/values.ts'
import { commandCovers, commandsOverlap } from './command.ts'
import { GUARDED_LOGIN } from './known.ts'
import { matchesLogin, type SshPattern, type Target } from './template.ts'

/** Whether some action is met by both. */
export function overlaps(a: SshPattern, b: SshPattern): boolean {
  const shared = [...a.operations].filter((one) => b.operations.has(one))
  if (!shared.some((one) => one !== 'sftp' || [...a.accesses].some((access) => access !== '' && b.accesses.has(access)))) return false
  if (!a.logins.some((one) => b.logins.some((other) => loginsOverlap(one, a.side, other, b.side)))) return false
  // What can't be told is met by every guardrail.
  return (a.side === 'takes' && b.side === 'takes') || targetsOverlap(a.target, b.target)
}

/** Whether every action that `b` meets is met by `a`. */
export function covers(a: SshPattern, b: SshPattern): boolean {
  if (![...b.operations].every((one) => a.operations.has(one)) || ![...b.accesses].every((one) => a.accesses.has(one))) return false
  if (!b.logins.every((one) => a.logins.some((by) => loginCovers(by, a.side, one, b.side)) || isCoveredTogether(a, one, b.side)))
    return false
  if (a.target.kind === 'any') return true
  if (a.side === 'grants' && b.side === 'takes') return false
  return targetCovers(a.target, b.target)
}

function loginCovers(a: Glob, side: Side, b: Glob, other: Side): boolean {
  if (isLiteral(b)) return matchesLogin([a], b.pieces[0]!, side)
  return globCovers(a, b) && (side === 'takes' || other === 'grants' || isLiteral(a) || !matchesGlob(b, GUARDED_LOGIN))
}

/** A login with a star, by one with a star and `root` by its name. */
function isCoveredTogether({ logins, side }: SshPattern, b: Glob, other: Side): boolean {
  return matchesLogin(logins, GUARDED_LOGIN, side) && logins.some((one) => globCovers(one, b)) && other === 'takes'
}

function loginsOverlap(a: Glob, side: Side, b: Glob, other: Side): boolean {
  if (isLiteral(a)) return matchesLogin([a], a.pieces[0]!, side) && matchesLogin([b], a.pieces[0]!, other)
  if (isLiteral(b)) return matchesLogin([a], b.pieces[0]!, side)
  // Of two with stars, there is always more in common than one text.
  return globsOverlap(a, b)
}

function targetCovers(a: Target, b: Target): boolean {
  if (a.kind === 'command') return b.kind === 'command' && commandCovers(a.command, b.command)
  if (a.kind === 'path') return b.kind === 'path' && pathCovers(a.path, b.path)
  return a.kind === 'text' && b.kind === 'text' && globCovers(a.text, b.text)
}

function targetsOverlap(a: Target, b: Target): boolean {
  if (a.kind === 'any' || b.kind === 'any') return true
  if (a.kind === 'command') return b.kind === 'command' && commandsOverlap(a.command, b.command)
  if (a.kind === 'path') return b.kind === 'path' && pathsOverlap(a.path, b.path)
  return b.kind === 'text' && globsOverlap(a.text, b.text)
}
