import { hash as digest } from 'node:crypto'
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { OstiaryError } from '../core/errors.ts'
import type { Sources } from '../config/wiring.ts'
import { causeOf } from './disk.ts'

const VERSION = /^sha256:([0-9a-f]{64})$/
const FILE = /^([0-9a-f]{64})\.json$/

const sourceFile = z.strictObject({ path: z.string(), text: z.string() })
const keptFile = z.strictObject({
  version: z.string(),
  /** Milliseconds since the epoch at which it was first kept. */
  keptAt: z.number(),
  sources: z.strictObject({
    wiring: sourceFile,
    environment: sourceFile.extend({ name: z.string() }).optional(),
    policy: z.array(sourceFile),
    tests: z.array(sourceFile),
    documents: z.array(sourceFile).optional(),
  }),
  sha256: z.string(),
})

/** A version of the configuration as it was in force: everything that a decision under it can be made again with. */
export interface KeptVersion {
  readonly version: string
  /** Milliseconds since the epoch at which it was first kept. */
  readonly keptAt: number
  readonly sources: Sources
}

/** Policy versions that records cite, one file each in `dir`, readable by this user alone. */
export class PolicyVersions {
  readonly dir: string
  #pinned: () => ReadonlySet<string> = () => new Set()

  constructor(dir: string) {
    this.dir = dir
  }

  /**
   * Keeps a version, durably, before it comes into force. One that is kept already only counts as the latest again.
   * @throws OstiaryError `audit/unavailable`
   */
  keep(version: string, sources: Sources, now: number): void {
    const name = nameOf(version)
    if (name === undefined) throw new OstiaryError('audit/unknown-version', { version: version.slice(0, 80) })
    try {
      mkdirSync(this.dir, { recursive: true, mode: 0o700 })
      chmodSync(this.dir, 0o700)
      if (this.#readOrNothing(version) === undefined) this.#write(name, { version, keptAt: now, sources: plainSources(sources) })
      this.#writeLatest(version)
    } catch (error) {
      throw new OstiaryError('audit/unavailable', { cause: causeOf(error) }, { cause: error })
    }
  }

  /** @throws OstiaryError `audit/unknown-version`, `audit/version-mismatch` */
  read(version: string): KeptVersion {
    const name = nameOf(version)
    const unknown = new OstiaryError('audit/unknown-version', { version: version.slice(0, 80) })
    if (name === undefined) throw unknown
    let text: string
    try {
      text = readFileSync(join(this.dir, name), 'utf8')
    } catch (error) {
      if (causeOf(error) === 'ENOENT') throw unknown
      throw new OstiaryError('audit/version-mismatch', { version, cause: causeOf(error) })
    }
    const parsed = keptFile.safeParse(parse(text))
    if (!parsed.success) throw new OstiaryError('audit/version-mismatch', { version, cause: 'not what was written there' })
    const { sha256, keptAt, sources } = parsed.data
    const mismatch = parsed.data.version !== version || sha256 !== digestOf({ version, keptAt, sources: plainSources(sources as Sources) })
    if (mismatch) throw new OstiaryError('audit/version-mismatch', { version, cause: 'its digest differs' })
    return { version, keptAt, sources: sources as Sources }
  }

  /** The version that came into force last; undefined if none is kept, or if its file isn't whole. */
  last(): KeptVersion | undefined {
    try {
      return this.read(readFileSync(join(this.dir, LATEST), 'utf8').trim())
    } catch {
      return undefined
    }
  }

  /** Versions kept, the oldest first by the time of their files. */
  list(): readonly string[] {
    return this.#names().map(({ hex }) => `sha256:${hex}`)
  }

  /** What is handed out to somebody stays as well, whether or not a record cites it. */
  pin(versions: () => ReadonlySet<string>): void {
    this.#pinned = versions
  }

  /** Removes what isn't in `cited`, nor pinned; the latest always stays. Answers what was removed. */
  prune(cited: ReadonlySet<string>): readonly string[] {
    const latest = this.last()?.version
    const pinned = this.#pinned()
    const removed = this.list().filter((version) => version !== latest && !cited.has(version) && !pinned.has(version))
    // Without knowing the latest, nothing is certain not to be needed.
    if (latest === undefined) return []
    for (const version of removed) rmSync(join(this.dir, nameOf(version)!), { force: true })
    return removed
  }

  #names(): readonly { hex: string; time: number }[] {
    let names: string[]
    try {
      names = readdirSync(this.dir)
    } catch {
      return []
    }
    return names
      .flatMap((name) => {
        const hex = FILE.exec(name)?.[1]
        const info = hex === undefined ? undefined : statSync(join(this.dir, name), { throwIfNoEntry: false })
        return hex === undefined || info === undefined ? [] : [{ hex, time: info.mtimeMs }]
      })
      .toSorted((a, b) => a.time - b.time)
  }

  #readOrNothing(version: string): KeptVersion | undefined {
    try {
      return this.read(version)
    } catch {
      return undefined // a broken file is written again
    }
  }

  #write(name: string, kept: KeptVersion): void {
    const temporary = join(this.dir, `.${name}.${process.pid}`)
    try {
      rmSync(temporary, { force: true })
      writeFileSync(temporary, JSON.stringify({ ...kept, sha256: digestOf(kept) }), { mode: 0o600, flag: 'wx', flush: true })
      renameSync(temporary, join(this.dir, name))
    } finally {
      rmSync(temporary, { force: true })
    }
  }

  #writeLatest(version: string): void {
    const temporary = join(this.dir, `.${LATEST}.${process.pid}`)
    try {
      rmSync(temporary, { force: true })
      writeFileSync(temporary, `${version}\n`, { mode: 0o600, flag: 'wx', flush: true })
      renameSync(temporary, join(this.dir, LATEST))
    } finally {
      rmSync(temporary, { force: true })
    }
  }
}

const LATEST = 'latest'

function nameOf(version: string): string | undefined {
  const hex = VERSION.exec(version)?.[1]
  return hex === undefined ? undefined : `${hex}.json`
}

/** Only what belongs, in one order: so that the digest doesn't depend on who made the object. */
function plainSources({ wiring, environment, policy, tests, documents }: Sources): Sources {
  const plain = ({ path, text }: { path: string; text: string }) => ({ path, text })
  return {
    wiring: plain(wiring),
    environment: environment === undefined ? undefined : { name: environment.name, ...plain(environment) },
    policy: policy.map(plain),
    tests: tests.map(plain),
    ...(documents === undefined ? {} : { documents: documents.map(plain) }),
  }
}

function digestOf({ version, keptAt, sources }: KeptVersion): string {
  return digest('sha256', JSON.stringify([version, keptAt, sources]))
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
