import { cpSync, existsSync } from 'node:fs'
import { isAbsolute, join, relative, resolve } from 'node:path'
import { isLoopbackHost } from '../../config/fields.ts'
import { readSources } from '../../config/load.ts'
import type { Sources } from '../../config/wiring.ts'
import { OstiaryError } from '../../core/errors.ts'
import { plain, readDocument } from '../../config/document.ts'
import { configFolder, startDemo, type Demo, type DemoEnvironment } from '../../demo/index.ts'
import type { DoorConfig } from '../../doors/http/schema.ts'
import { compile } from '../../server/configuration.ts'
import type { Gateway, StartOptions } from '../../server/start.ts'
import { packageRoot } from '../version.ts'
import type { UpOptions } from './run.ts'
import type { Place, Trial } from './screen.ts'

export interface PreparedDemo {
  readonly start: StartOptions
  screen(gateway: Gateway): { readonly title: string; readonly places: readonly Place[]; readonly trials: readonly Trial[] }
  close(): Promise<void>
}

const inClone = existsSync(join(packageRoot, 'package-lock.json'))

/** Starts what the demo needs besides the gateway, and says how the gateway is to be started. */
export async function prepareDemo(options: UpOptions, log: (line: string) => void): Promise<PreparedDemo> {
  const folder = resolve(options.config ?? ownFolder())
  const dataDir = resolve(options.data ?? (inClone ? join(packageRoot, '.ostiary/demo') : '.ostiary/demo'))
  refusePublic(folder, readSources(folder, options.env))
  const { mkdirSync } = await import('node:fs')
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new OstiaryError('server/data-dir', { dir: dataDir, cause: (error as NodeJS.ErrnoException).code ?? 'unknown' })
  }
  const demo = await startDemo({ dataDir })
  const read = (): Sources => {
    const sources = readSources(folder, options.env)
    return { ...sources, environment: sources.environment ?? environmentOf(sources, demo) }
  }
  return {
    start: { folder, environment: options.env, read, dataDir, log },
    screen: (gateway) => describe(gateway, folder, dataDir, demo.ca.caFile),
    close: () => demo.close(),
  }
}

/** What the demo lays over the folder, without hiding listeners that were edited in it. What can't be read is reported by whoever loads it. */
function environmentOf({ wiring }: Sources, demo: Demo): DemoEnvironment {
  const { root } = readDocument(wiring.path, wiring.text)
  const read = (root === undefined ? undefined : plain(root)) as
    | { readonly doors?: { readonly http?: { readonly listen?: unknown } }; readonly resources?: Readonly<Record<string, unknown>> }
    | null
    | undefined
  const listen = read?.doors?.http?.listen
  // A folder of one's own may have other resources than the demo's.
  const orders = typeof read?.resources !== 'object' || read.resources === null || 'orders' in read.resources
  return Array.isArray(listen) ? demo.environmentFor(listen, { orders }) : demo.environment
}

/** The demo's configuration: in a clone the example itself, elsewhere a copy that may be edited. */
function ownFolder(): string {
  const example = configFolder(packageRoot)
  if (inClone) return example
  const copy = resolve('ostiary-demo')
  if (!existsSync(join(copy, 'ostiary.yaml'))) cpSync(example, copy, { recursive: true })
  return copy
}

/** The demo's provider signs in anybody: nothing of it may be reached from outside. @throws OstiaryError `cli/demo-public` */
function refusePublic(folder: string, sources: Sources): void {
  const { wiring } = compile(folder, sources, Date.now())
  const http = wiring?.doors['http'] as DoorConfig | undefined
  const addresses = [...(http?.listen.map(({ address }) => address) ?? []), ...(wiring === undefined ? [] : [wiring.admin.listen])]
  for (const { host, port } of addresses)
    if (!isLoopbackHost(host)) throw new OstiaryError('cli/demo-public', { address: `${host}:${port}` })
}

function shown(path: string): string {
  const here = relative(process.cwd(), path)
  return here.startsWith('..') || isAbsolute(here) ? path : here
}

function describe(gateway: Gateway, folder: string, dataDir: string, caFile: string): ReturnType<PreparedDemo['screen']> {
  const [http, https] = [gateway.doors.find(({ secure }) => !secure), gateway.doors.find(({ secure }) => secure)]
  const orders = `http://orders.localhost:${http?.port ?? 8080}`
  const ostiary = inClone ? './bin/ostiary.js' : 'npx ostiary'
  const token = (account: string): string => `-H "Authorization: Bearer $(${ostiary} token --as ${account})"`
  return {
    title: 'demo: everything on loopback, anybody can sign in',
    places: [
      {
        what: 'orders, an API behind the gateway',
        where: [orders, ...(https === undefined ? [] : [`https://orders.localhost:${https.port}   (curl --cacert ${shown(caFile)})`])],
      },
      { what: 'console', where: [`${gateway.admin.link ?? gateway.admin.url}   (this link signs in once)`] },
      { what: 'identity provider, for demo and tests only', where: ['http://127.0.0.1:8082'] },
      { what: 'policy', where: [`${shown(join(folder, 'policy'))}   (edit it: no restart)`] },
      { what: 'record', where: [`${shown(join(dataDir, 'audit'))}   (${ostiary} audit verify)`] },
    ],
    trials: [
      {
        say: 'A reader reads an order:',
        command: `curl ${token('reader')} ${orders}/orders/7`,
        prints: ['{"id":"7","item":"strike plate, brass","quantity":40,"status":"shipped"}'],
      },
      {
        say: 'The same reader may not delete it:',
        command: `curl -X DELETE ${token('reader')} ${orders}/orders/7`,
        prints: [
          '{"type":"https://ostiary.dev/errors/http/denied","title":"you may not do this","status":403,',
          ' "detail":"you hold no role that allows this","decision":"01…"}',
        ],
      },
      {
        say: 'Why not, and what would have to change:',
        command: `${ostiary} explain last --as auditor`,
        prints: [
          'deny  DELETE /orders/7  on orders',
          '…',
          '  - delete-orders: role `admin` not held  (policy/orders.yaml:26:11)',
          '…',
          'what would help',
          '  - hold role `admin`: claim `roles` of issuer `entra` containing `Gateway.Admin`',
        ],
      },
    ],
  }
}
