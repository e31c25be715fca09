import { OstiaryError } from '../../core/errors.ts'
import type { Gateway, StartOptions } from '../../server/start.ts'
import type { Output } from '../output.ts'
import { screen, type Place, type Trial } from './screen.ts'

export interface UpOptions {
  readonly config?: string
  readonly env?: string
  readonly demo?: boolean
  readonly data?: string
  readonly quiet?: boolean
}

const DRAIN_MS = 25_000

/** Runs the gateway until a signal ends it. Answers the exit code. */
export async function runUp(options: UpOptions, output: Output): Promise<number> {
  if (options.demo !== true && options.config === undefined) throw new OstiaryError('cli/no-config')
  const { startGateway } = await import('../../server/start.ts')
  const log = (line: string): void => void process.stderr.write(`${new Date().toISOString()} ${line}\n`)
  const demo = options.demo === true ? await import('./demo.ts').then(({ prepareDemo }) => prepareDemo(options, log)) : undefined
  const start: StartOptions = demo?.start ?? { folder: options.config!, environment: options.env, dataDir: options.data, log }
  let gateway: Gateway
  try {
    gateway = await startGateway(start)
  } catch (error) {
    await demo?.close()
    throw error
  }
  if (options.quiet !== true) {
    const shown = demo?.screen(gateway) ?? { title: gateway.name, places: places(gateway), trials: [] as readonly Trial[] }
    output.answer(screen(shown.title, shown.places, shown.trials, 'Ctrl-C ends it.'), {
      name: gateway.name,
      doors: gateway.doors,
      admin: gateway.admin.url,
      policyVersion: gateway.policyVersion,
      dataDir: gateway.dataDir,
    })
  }
  await ended()
  if (options.quiet !== true && !output.json) process.stderr.write('\nending: open exchanges may finish, once more to end now\n')
  const again = ended().then(() => 'again' as const)
  const result = await Promise.race([gateway.stop(DRAIN_MS).then(() => 'done' as const), again])
  await demo?.close()
  return result === 'again' ? 130 : 0
}

function places(gateway: Gateway): readonly Place[] {
  const doors = gateway.doors.map(
    ({ host, port, secure }) => `${secure ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}`,
  )
  return [
    { what: 'door', where: doors.length === 0 ? ['none'] : doors },
    { what: 'console and admin API', where: [gateway.admin.link ?? gateway.admin.url] },
    { what: 'data directory', where: [gateway.dataDir] },
    { what: 'policy', where: [gateway.policyVersion] },
  ]
}

/** Resolves at the next signal that asks the program to end. */
function ended(): Promise<void> {
  return new Promise((resolve) => {
    const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
    const done = (): void => {
      for (const name of names) process.off(name, done)
      resolve()
    }
    for (const name of names) process.on(name, done)
  })
}
