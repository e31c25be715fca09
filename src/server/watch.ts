import { createHash } from 'node:crypto'
import { existsSync, watch, type FSWatcher } from 'node:fs'
import { join } from 'node:path'
import type { Clock, Timer } from '../core/clock.ts'
import { readSources } from '../config/load.ts'

const SETTLE_MS = 100
/** Some file systems report nothing (network shares): a slow look finds what the events missed. */
const POLL_MS = 5_000

/**
 * Calls `changed` when the content of a configuration folder has changed and settled. Works by directory events, so
 * editors that replace files and Kubernetes' swapped symlinks are seen, and by a slow poll.
 */
export function watchFolder(folder: string, environment: string | undefined, clock: Clock, changed: () => void): { close(): void } {
  const watchers: FSWatcher[] = []
  let timer: Timer | undefined
  let poll: Timer | undefined
  let closed = false
  let seen = fingerprint(folder, environment)

  const look = (): void => {
    timer = undefined
    const now = fingerprint(folder, environment)
    // Half-written is not settled: an unreadable folder is looked at again at the next event or poll.
    if (now === undefined || now === seen) return
    seen = now
    changed()
  }
  const soon = (): void => {
    timer?.cancel()
    timer = clock.after(SETTLE_MS, look)
  }
  const again = (): void => {
    poll = clock.after(POLL_MS, () => {
      look()
      if (!closed) again()
    })
  }
  for (const path of ['.', 'policy', 'environments']) {
    const target = join(folder, path)
    if (!existsSync(target)) continue
    try {
      const watcher = watch(target, { recursive: path === 'policy', persistent: false }, soon)
      watcher.on('error', () => watcher.close())
      watchers.push(watcher)
    } catch {
      // No events to be had here: the poll remains.
    }
  }
  again()
  return {
    close() {
      closed = true
      timer?.cancel()
      poll?.cancel()
      for (const watcher of watchers) watcher.close()
    },
  }
}

function fingerprint(folder: string, environment: string | undefined): string | undefined {
  try {
    const { wiring, environment: over, policy } = readSources(folder, environment)
    const hash = createHash('sha256')
    for (const { path, text } of [wiring, ...(over === undefined ? [] : [over]), ...policy])
      hash.update(`${path.length}:${path}${text.length}:${text}`)
    return hash.digest('hex')
  } catch {
    return undefined
  }
}
