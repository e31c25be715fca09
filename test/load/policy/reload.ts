/**
 * How long nothing is decided while a new version is loaded as the gateway loads it. As a program it measures one size and answers JSON:
 *
 *     reload.ts <rules>
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { readSources } from '../../../src/config/load.ts'
import { compile, compileBeside } from '../../../src/server/configuration.ts'
import type { CommonPolicy } from '../../differential/policy/subset.ts'
import { preparing, sourcesOf } from '../../differential/policy/ostiary.ts'
import { generate } from './generate.ts'

const ASKS = 2_000
/** Decisions between two looks at what else there is to do. */
const AT_ONCE = 100

export interface Reload {
  readonly size: number
  /** Milliseconds: from the change until the new version decides, and the longest time in which nothing was decided. */
  readonly total: number
  readonly pause: number
  /** The longest pause in as much time without a reload: what the machine does by itself. */
  readonly idle: number
}

function wiringText({ resources }: CommonPolicy): string {
  return `${[
    'apiVersion: ostiary.dev/v1',
    'issuers:',
    '  idp: { kind: oidc, issuer: https://idp.example.com, audiences: [api], claims: { department: string, roles: list }, stepUp: never }',
    'resources:',
    ...resources.map((name) => `  ${name}: { protocol: http, hosts: [${name}.example.com], upstream: { url: http://127.0.0.1:9 } }`),
    'doors:',
    '  http: { listen: [{ address: 127.0.0.1:0 }] }',
  ].join('\n')}\n`
}

const OWN = `apiVersion: ostiary.dev/v1
roles:
  administrator: { bind: [{ issuer: idp, claim: roles, any: [Administrator] }] }
rules:
  - { id: administrators, role: administrator, resource: ostiary, actions: ['* /**'] }
`

function writeFolder(folder: string, common: CommonPolicy): void {
  for (const { path, text } of [
    ...sourcesOf(common).policy,
    { path: 'ostiary.yaml', text: wiringText(common) },
    { path: 'policy/own.yaml', text: OWN },
  ]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), text)
  }
}

function load(folder: string) {
  const { policy, diagnostics } = compile(folder, readSources(folder), Date.now())
  if (policy === undefined) throw new Error(`the policy that is measured is wrong: ${diagnostics[0]?.message}`)
  return policy
}

/** Decides without end until `until` is there; answers the longest time between two decisions, in milliseconds. */
async function longestPause(decides: readonly (() => boolean)[], until: Promise<unknown>): Promise<number> {
  const over = new AbortController()
  const done = until.finally(() => over.abort())
  let longest = 0
  let last = performance.now()
  for (let i = 0; !over.signal.aborted;) {
    for (let n = 0; n < AT_ONCE; n++, i++) {
      decides[i % decides.length]!()
      const now = performance.now()
      longest = Math.max(longest, now - last)
      last = now
    }
    await new Promise(setImmediate)
  }
  await done
  return Math.max(longest, performance.now() - last)
}

/** Measures one size. */
export async function measureReload(size: number): Promise<Reload> {
  const folder = mkdtempSync(join(tmpdir(), 'ostiary-load-'))
  try {
    const { policy: common, allowed, denied } = generate(size, ASKS)
    writeFolder(folder, common)
    const prepare = preparing(load(folder))
    const decides = [...allowed, ...denied].map(prepare)
    for (let i = 0; i < 5; i++) for (const decide of decides) decide()
    const idle = await longestPause(decides, new Promise((resolve) => setTimeout(resolve, 2_000)))
    let total = 0
    const reload = async (): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, 200))
      writeFileSync(join(folder, 'policy/own.yaml'), OWN.replace('administrators', 'administration'))
      const before = performance.now()
      await compileBeside(folder, readSources(folder), Date.now())
      total = performance.now() - before
    }
    const pause = await longestPause(decides, reload())
    return { size, total, pause, idle }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Measures one size in a process of its own. */
export function reloadApart(size: number): Reload {
  const { status, stdout, error } = spawnSync(process.execPath, [import.meta.filename, String(size)], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (status !== 0) throw new Error(`the reload of ${size} rules could not be measured${error === undefined ? '' : `: ${error.message}`}`)
  return JSON.parse(stdout) as Reload
}

if (import.meta.main) process.stdout.write(JSON.stringify(await measureReload(Number(process.argv[2]))))
