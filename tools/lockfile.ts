/**
 * Adds entries for optional packages of other platforms that a registry didn't have when the lock file was written: npm 11's
 * `npm ci` refuses a lock file without them. They carry version, system and processor only, so they are never fetched where they don't fit.
 * Run after every change of dependencies: `node bin/ostiary.js dev lock`.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

interface Entry {
  version?: string
  dev?: boolean
  optional?: boolean
  os?: string[]
  cpu?: string[]
  libc?: string[]
  optionalDependencies?: Record<string, string>
}

const SYSTEMS: Readonly<Record<string, string>> = {
  android: 'android',
  darwin: 'darwin',
  freebsd: 'freebsd',
  openbsd: 'openbsd',
  netbsd: 'netbsd',
  linux: 'linux',
  linuxmusl: 'linux',
  win32: 'win32',
  windows: 'win32',
  wasm32: 'none',
  openharmony: 'openharmony',
  sunos: 'sunos',
  aix: 'aix',
}
const PROCESSORS = new Set(['arm64', 'arm', 'x64', 'ia32', 'riscv64', 'ppc64', 's390x', 'loong64', 'mips64el', 'wasm32'])

function stub(name: string, version: string, dev: boolean): Entry {
  const words = name.replace(/^@[^/]+\//, '').split('-')
  const system = words.map((word) => SYSTEMS[word]).find((known) => known !== undefined)
  const processor = words.find((word) => PROCESSORS.has(word))
  if (system === undefined) throw new Error(`can't tell the system of ${name}`)
  const musl = words.some((word) => word.includes('musl'))
  return {
    version,
    ...(processor === undefined ? {} : { cpu: [processor] }),
    ...(dev ? { dev } : {}),
    ...(system === 'linux' && (musl || words.includes('gnu')) ? { libc: [musl ? 'musl' : 'glibc'] } : {}),
    optional: true,
    os: [system],
  }
}

const file = join(import.meta.dirname, '../package-lock.json')
const lock = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, Entry> }
let added = 0
for (const entry of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const path = `node_modules/${name}`
    if (lock.packages[path] !== undefined) continue
    lock.packages[path] = stub(name, version.replace(/^[\^~=]/, ''), entry.dev === true)
    added++
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
writeFileSync(file, `${JSON.stringify(lock, undefined, 2)}\n`)
process.stdout.write(`${added} entries added\n`)
