/** A worker as `run.ts` has it: asked one thing at a time, ended where it never ends itself. */
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { Answer, Request } from './messages.ts'

/** Mutants of one process: what they loaded stays in its memory. */
const MUTANTS = 60
const OPTIONS = ['--disable-warning=ExperimentalWarning', '--max-old-space-size=1536']

export type Ended = { readonly kind: 'ended'; readonly why: string }

export class Worker {
  #child: ChildProcess | undefined
  #asked = 0

  /** What becomes of a request. `allowed` says how many milliseconds what is begun may take; `on` hears of everything else. */
  async ask(
    request: Request,
    allowed: (begun: Extract<Answer, { kind: 'begun' }>) => number,
    on: (answer: Answer) => void = () => {},
  ): Promise<Answer | Ended> {
    if (this.#asked++ % MUTANTS === 0) await this.end()
    const child = (this.#child ??= fork(join(import.meta.dirname, 'worker.ts'), [], {
      execArgv: OPTIONS,
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    }))
    return new Promise((settle, fail) => {
      let timer: NodeJS.Timeout | undefined
      const finish = (answer: Answer | Ended): void => {
        clearTimeout(timer)
        child.off('message', hear).off('exit', exited).off('error', fail)
        if (answer.kind === 'ended') this.#forget(child)
        settle(answer)
      }
      const exited = (): void => finish({ kind: 'ended', why: 'the process ends' })
      const hear = (answer: Answer): void => {
        if (answer.kind === 'baseline') on(answer)
        else if (answer.kind === 'begun') {
          clearTimeout(timer)
          timer = setTimeout(() => finish({ kind: 'ended', why: 'it never ends' }), allowed(answer))
        } else finish(answer)
      }
      child.on('message', hear).on('exit', exited).once('error', fail)
      child.send(request)
    })
  }

  #forget(child: ChildProcess): void {
    child.kill('SIGKILL')
    this.#child = undefined
    this.#asked = 0
  }

  async end(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
}
