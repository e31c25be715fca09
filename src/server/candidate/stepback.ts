import { readdirSync } from 'node:fs'
import { setPriority } from 'node:os'

/** Of -20 to 19, where more is less urgent: about a third of what decisions get of a processor that both want. */
const STEP_BACK = 5

/** Lets decisions come first where there are fewer processors than work: this process, and each thread that it has by now, steps back. */
export function stepBack(): void {
  try {
    // Linux knows of a priority for each thread; those that begin later have that of whoever began them.
    const threads = process.platform === 'linux' ? readdirSync('/proc/self/task').map(Number) : []
    for (const thread of [process.pid, ...threads]) setPriority(thread, STEP_BACK)
  } catch {
    // Where that may not be, both have the same.
  }
}
