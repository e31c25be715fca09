/** A real Envoy as a process of its own, which is always ended. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { randomInt } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { envoyBinary } from './envoybinary.ts'

const PATIENCE_MS = 30_000

/** Asks until the answer is one. A real process can't be waited for in another way than by looking. */
export async function eventually<T>(what: string, look: () => Promise<T | undefined> | T | undefined, patience = PATIENCE_MS): Promise<T> {
  const until = performance.now() + patience
  for (;;) {
    const found = await look()
    if (found !== undefined) return found
    if (performance.now() > until) throw new Error(`not within ${patience} ms: ${what}`)
    await pause(20)
  }
}

export class RealEnvoy {
  readonly #child: ChildProcess
  readonly #addressFile: string
  #output = ''
  #admin = ''

  private constructor(child: ChildProcess, addressFile: string) {
    this.#child = child
    this.#addressFile = addressFile
    for (const stream of [child.stdout!, child.stderr!]) stream.setEncoding('utf8').on('data', (text: string) => (this.#output += text))
  }

  /**
   * @param bootstrap Without `admin`, which is added on a free port of loopback
   * @param draining Options in place of the usual short draining of listeners
   */
  static async start(
    folder: string,
    bootstrap: Readonly<Record<string, unknown>>,
    draining: readonly string[] = ['--drain-time-s', '1'],
  ): Promise<RealEnvoy> {
    const config = join(folder, 'bootstrap.json')
    const admin = { address: { socketAddress: { address: '127.0.0.1', portValue: 0 } } }
    writeFileSync(config, JSON.stringify({ ...bootstrap, admin }))
    const addressFile = join(folder, 'admin')
    rmSync(addressFile, { force: true })
    const options = ['--concurrency', '1', '--base-id', String(randomInt(1_000, 30_000)), ...draining, '--log-level', 'warning']
    const child = spawn(envoyBinary(), ['-c', config, '--admin-address-path', addressFile, ...options], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const envoy = new RealEnvoy(child, addressFile)
    try {
      await envoy.#started()
    } catch (error) {
      await envoy.stop()
      throw error
    }
    return envoy
  }

  /** All it has said. */
  get output(): string {
    return this.#output
  }

  async #started(): Promise<void> {
    this.#admin = await eventually('Envoy has its admin address', () => {
      if (this.#child.exitCode !== null) throw new Error(`Envoy ended with ${this.#child.exitCode}: ${this.#output.slice(-2_000)}`)
      const text = existsSync(this.#addressFile) ? readFileSync(this.#addressFile, 'utf8').trim() : ''
      return text === '' ? undefined : text
    })
  }

  /** What a path of its admin interface answers. */
  async admin(path: string): Promise<string> {
    return (await fetch(`http://${this.#admin}${path}`)).text()
  }

  /** A counter or gauge, by its full name. */
  async stat(name: string): Promise<number> {
    const line = (await this.admin(`/stats?filter=${encodeURIComponent(`^${name.replaceAll('.', '\\.')}$`)}`)).trim()
    return Number(line.slice(line.lastIndexOf(':') + 1))
  }

  /** The port that a listener was given, once it is there. */
  async port(listener: string): Promise<number> {
    return eventually(`Envoy listens for ${listener}`, async () => {
      const { listener_statuses: all = [] } = JSON.parse(await this.admin('/listeners?format=json')) as {
        listener_statuses?: readonly { name: string; local_address: { socket_address: { port_value: number } } }[]
      }
      return all.find(({ name }) => name === listener)?.local_address.socket_address.port_value
    })
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }
}
