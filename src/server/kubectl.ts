/** The user's own `kubectl`, by which targets in a cluster are applied and looked at: with its configuration, its rights, and no shell. */
import { spawn } from 'node:child_process'
import { OstiaryError } from '../core/errors.ts'

export interface Kubectl {
  /** @throws OstiaryError `target/kubectl` where it can't be started, takes too long, or ends with a code that isn't expected */
  run(args: readonly string[], input?: string, expected?: readonly number[]): Promise<{ readonly code: number; readonly stdout: string }>
}

/** Whoever asks a cluster that doesn't answer shall not wait for ever, in milliseconds. */
const MAX_TIME = 120_000
const MAX_OUTPUT = 64 * 1024 * 1024

/**
 * @param program For tests: what is started in place of `kubectl`, with arguments that come first
 * @param signal Ends what has been started
 */
export function kubectlIn(context: string, program: readonly [string, ...string[]] = ['kubectl'], signal?: AbortSignal): Kubectl {
  const [command, ...first] = program
  return {
    run: (args, input, expected = [0]) =>
      new Promise((resolve, reject) => {
        const what = `kubectl ${args[0] ?? ''}`
        const refused = (problem: string): void => reject(new OstiaryError('target/kubectl', { what, context, problem }))
        const child = spawn(command, [...first, '--context', context, ...args], {
          stdio: ['pipe', 'pipe', 'pipe'],
          timeout: MAX_TIME,
          ...(signal === undefined ? {} : { signal }),
        })
        const [out, said]: [Buffer[], Buffer[]] = [[], []]
        let size = 0
        const taking = (into: Buffer[]) => (data: Buffer) => {
          size += data.length
          if (size > MAX_OUTPUT) child.kill('SIGKILL')
          else into.push(data)
        }
        child.stdout.on('data', taking(out))
        child.stderr.on('data', taking(said))
        // Whoever ends without reading says why by its code.
        child.stdin.on('error', () => undefined)
        child.on('error', (error) => refused(error.message))
        child.on('close', (code) => {
          if (code !== null && expected.includes(code)) resolve({ code, stdout: Buffer.concat(out).toString() })
          else refused(Buffer.concat(said).toString().trim().slice(0, 2000) || `it ended with ${code === null ? 'a signal' : code}`)
        })
        child.stdin.end(input ?? '')
      }),
  }
}
