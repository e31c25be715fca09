import { existsSync, watch, type FSWatcher } from 'node:fs'
import { join } from 'node:path'
import type { Clock, Timer } from '../core/clock.ts'
import type { Fingerprint } from './look.ts'

const SETTLE_MS = 100
/** Some file systems report nothing (network shares): a slow look finds what the events missed. */
const POLL_MS = 5_000

/**
 * Calls `changed` when what a configuration folder's policy is made of has changed and settled, by what `look` answers of it. Works by
 * directory events, so editors that replace files and Kubernetes' swapped symlinks are seen, and by a slow poll. `known` is what was read
 * last: a change between that and the first event is not missed.
 */
export function watchFolder(
  folder: string,
  known: Fingerprint | undefined,
  look: () => Promise<Fingerprint | undefined>,
  clock: Clock,
  changed: () => void,
): { close(): void } {
  const watchers: FSWatcher[] = []
  let timer: Timer | undefined
  let poll: Timer | undefined
  let closed = false
  let seen = known
  let queue = Promise.resolve()
  let waiting = false

  const lookOnce = async (): Promise<void> => {
    waiting = false
    const now = await look()
    // Half-written is not settled: an unreadable folder is looked at again at the next event or poll.
    if (closed || now === undefined || now === seen) return
    seen = now
    changed()
  }
  /** One after the other: what changes while one looks is looked at once more. */
  const lookNow = (): void => {
    timer = undefined
    if (waiting) return
    waiting = true
    queue = queue.then(lookOnce)
  }
  const soon = (): void => {
    timer?.cancel()
    timer = clock.after(SETTLE_MS, lookNow)
  }
  const again = (): void => {
    poll = clock.after(POLL_MS, () => {
      lookNow()
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
