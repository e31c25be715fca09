import { mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, statSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemEntropy } from '../../core/clock.ts'
import { configFolder } from '../credentials.ts'

/** A lock that nobody has touched for so long was left by a command that was killed. In milliseconds. */
const STALE = 30_000
/** How often whoever holds a lock touches it, and how often the others look. In milliseconds. */
const TOUCH = 5_000
const LOOK = 50
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * One command at a time, whatever it waits for. A lock is a folder with one file of its owner's name in it: a folder can be put in the place of
 * an empty one only, and what is left behind is taken away by its owner's name, so that nobody ever takes away a lock that somebody else just got.
 */
export async function locked<T>(work: () => Promise<T>, name = 'lock'): Promise<T> {
  const owner = Buffer.from(systemEntropy.bytes(12)).toString('base64url')
  const lock = join(configFolder(), name)
  const own = `${lock}.${owner}`
  mkdirSync(own, { recursive: true, mode: 0o700 })
  try {
    writeFileSync(join(own, owner), '', { mode: 0o600 })
    while (!taken(own, lock)) await new Promise((resolve) => setTimeout(resolve, LOOK))
  } catch (error) {
    rmSync(own, { recursive: true, force: true })
    throw error
  }
  sweep(name)
  const held = join(lock, owner)
  const touching = setInterval(() => attempt(() => utimesSync(held, new Date(), new Date())), TOUCH)
  const open = (): void => {
    attempt(() => unlinkSync(held))
    attempt(() => rmdirSync(lock))
  }
  // Somebody who gives up a sign-in and begins another doesn't wait until the first is stale.
  const interrupted = (_: NodeJS.Signals, number: number): void => {
    open()
    process.exit(128 + number)
  }
  for (const signal of SIGNALS) process.once(signal, interrupted)
  try {
    return await work()
  } finally {
    for (const signal of SIGNALS) process.off(signal, interrupted)
    clearInterval(touching)
    open()
  }
}

/** What those left who were killed while they waited: whoever still waits touches his own all the time. */
function sweep(name: string): void {
  for (const one of readdirSync(configFolder())) {
    const folder = join(configFolder(), one)
    if (one.startsWith(`${name}.`)) attempt(() => isStale(folder) && rmSync(folder, { recursive: true, force: true }))
  }
}

/** A folder is touched through what is in it. */
function isStale(folder: string): boolean {
  const times = [folder, ...readdirSync(folder).map((file) => join(folder, file))].map((path) => statSync(path).mtimeMs)
  return Date.now() - Math.max(...times) > STALE
}

function taken(own: string, lock: string): boolean {
  const now = new Date()
  utimesSync(join(own, own.slice(lock.length + 1)), now, now)
  try {
    renameSync(own, lock)
    return true
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'EPERM', 'EACCES', 'EBUSY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
  attempt(() => {
    for (const other of readdirSync(lock)) {
      const file = join(lock, other)
      if (Date.now() - statSync(file).mtimeMs > STALE) unlinkSync(file)
    }
    rmdirSync(lock) // where it is empty: not every system puts a folder in the place of another
  })
  return false
}

/** What another was faster with is done. */
function attempt(work: () => unknown): void {
  try {
    work()
  } catch {
    // another was faster
  }
}
