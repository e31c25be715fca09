import { linkSync, readFileSync, readlinkSync, renameSync, rmSync, unlinkSync, utimesSync, statSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../core/clock.ts'
import { OstiaryError } from '../core/errors.ts'
import { causeOf } from './disk.ts'

/** Who holds a lock, so that the next one can tell whether it still lives. */
interface Owner {
  readonly pid: number
  /** Start of the process in the system's own clock, so that a reused pid isn't taken for it. */
  readonly start: string
  /** Host and pid namespace: elsewhere a pid means nothing. */
  readonly where: string
}

/** A held lock. */
export interface Lock {
  /** Shows those in other pid namespaces that this one lives; false if the lock was taken away. Call it every few seconds. */
  beat(): boolean
  release(): void
}

/** A lock of another host or container that wasn't refreshed for this long is stale, in milliseconds. */
export const STALE_AFTER = 30_000

/** Name of the file in the folder of the record. */
export const LOCK_FILE = 'lock'

/**
 * Takes the lock of a folder, so that two processes never write the same record. A lock whose process is gone is taken over.
 * @throws OstiaryError `audit/locked`, `audit/unavailable`
 */
export function lock(dir: string, clock: Clock): Lock {
  const path = join(dir, LOCK_FILE)
  const mine: Owner = { pid: process.pid, start: startOf(process.pid) ?? '', where: here() }
  const text = JSON.stringify(mine)
  const own = join(dir, `.lock.${process.pid}.${Math.random().toString(36).slice(2)}`)
  try {
    writeFileSync(own, text, { mode: 0o600, flag: 'wx' })
    const now = clock.now() / 1000
    utimesSync(own, now, now)
    for (let tries = 0; ; tries++) {
      try {
        // A link is made whole or not at all, and never over another's.
        linkSync(own, path)
        break
      } catch (error) {
        if (causeOf(error) !== 'EEXIST') throw error
      }
      if (tries > 8 || !clearStale(path, clock)) throw new OstiaryError('audit/locked', { dir, owner: describe(path) })
    }
  } catch (error) {
    throw error instanceof OstiaryError ? error : new OstiaryError('audit/unavailable', { cause: causeOf(error) }, { cause: error })
  } finally {
    rmSync(own, { force: true })
  }
  let held = true
  const stillMine = (): boolean => {
    try {
      return readFileSync(path, 'utf8') === text
    } catch {
      return false
    }
  }
  return {
    beat() {
      held &&= stillMine()
      if (!held) return false
      try {
        utimesSync(path, clock.now() / 1000, clock.now() / 1000)
      } catch {
        // Its content is still ours: that is what counts.
      }
      return true
    },
    release() {
      if (held && stillMine()) rmSync(path, { force: true })
      held = false
    },
  }
}

/** Removes a lock whose process is gone; false if it lives. */
function clearStale(path: string, clock: Clock): boolean {
  let text: string
  let refreshed: number
  try {
    text = readFileSync(path, 'utf8')
    refreshed = statSync(path).mtimeMs
  } catch (error) {
    if (causeOf(error) === 'ENOENT') return true
    throw error
  }
  const owner = parse(text)
  if (owner !== undefined && owner.where === here() ? lives(owner) : clock.now() - refreshed < STALE_AFTER) return false
  // Another process may take it over at the same moment: only what was read may go.
  const aside = `${path}.${process.pid}.stale`
  try {
    renameSync(path, aside)
    if (readFileSync(aside, 'utf8') !== text) linkSync(aside, path)
    unlinkSync(aside)
  } catch (error) {
    if (causeOf(error) !== 'ENOENT' && causeOf(error) !== 'EEXIST') throw error
  }
  return true
}

function lives({ pid, start }: Owner): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return causeOf(error) === 'EPERM'
  }
  const now = startOf(pid)
  return now === undefined || start === '' || now === start
}

function parse(text: string): Owner | undefined {
  try {
    const value = JSON.parse(text) as Partial<Owner> | null
    return typeof value?.pid === 'number' && Number.isSafeInteger(value.pid) && value.pid > 0 && typeof value.where === 'string'
      ? { pid: value.pid, start: String(value.start), where: value.where }
      : undefined
  } catch {
    return undefined
  }
}

function describe(path: string): string {
  try {
    const owner = parse(readFileSync(path, 'utf8'))
    return owner === undefined ? 'unknown' : owner.where === here() ? `pid ${owner.pid}` : `pid ${owner.pid} of another host or container`
  } catch {
    return 'unknown'
  }
}

function here(): string {
  let namespace = ''
  try {
    namespace = readlinkSync('/proc/self/ns/pid')
  } catch {
    // Not on Linux: the host name has to do.
  }
  return `${hostname()} ${namespace}`
}

/** Field 22 of /proc/PID/stat; undefined where there is none. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The second field is the command in parentheses, which may hold anything.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}
