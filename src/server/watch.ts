import { createHash } from 'node:crypto'
import { existsSync, watch, type FSWatcher } from 'node:fs'
import { join } from 'node:path'
import type { Clock, Timer } from '../core/clock.ts'
import type { Sources } from '../config/wiring.ts'

const SETTLE_MS = 100
/** Some file systems report nothing (network shares): a slow look finds what the events missed. */
const POLL_MS = 5_000

/**
 * Calls `changed` when what `read` reads from a configuration folder has changed and settled. Works by directory events, so
 * editors that replace files and Kubernetes' swapped symlinks are seen, and by a slow poll. `known` is what was read last: a change
 * between that and the first event is not missed.
 */
export function watchFolder(folder: string, known: Sources, read: () => Sources, clock: Clock, changed: () => void): { close(): void } {
  const watchers: FSWatcher[] = []
  let timer: Timer | undefined
  let poll: Timer | undefined
  let closed = false
  let seen = fingerprint(() => known)

  const look = (): void => {
    timer = undefined
    const now = fingerprint(read)
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
  soon()
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

function fingerprint(read: () => Sources): string | undefined {
  try {
    const { wiring, environment, policy, documents = [] } = read()
    const hash = createHash('sha256')
    for (const { path, text } of [wiring, ...(environment === undefined ? [] : [environment]), ...policy, ...documents])
      hash.update(`${path.length}:${path}${text.length}:${text}`)
    return hash.digest('hex')
  } catch {
    return undefined
  }
}
