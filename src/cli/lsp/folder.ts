import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { ENVIRONMENT_NAME, readSources, readText } from '../../config/load.ts'
import type { SourceFile, Sources } from '../../config/wiring.ts'
import { OstiaryError } from '../../core/errors.ts'
import type { KnownFiles } from '../../policy/index.ts'
import type { Documents } from './documents.ts'

/** What a file of a configuration folder is. */
export type FileKind = 'wiring' | 'environment' | 'policy' | 'test'

const WIRING = 'ostiary.yaml'
/** Environments that are looked at; further ones are left to `ostiary check --env`. */
const MAX_ENVIRONMENTS = 8
/** Texts of closed files that are kept. */
const MAX_CACHED = 20_000

/** By its path in the folder, with `/`; undefined for what is no part of a configuration. */
export function fileKindOf(path: string): FileKind | undefined {
  if (path === WIRING) return 'wiring'
  if (/^environments\/[^/]+\.yaml$/.test(path)) return ENVIRONMENT_NAME.test(path.slice(13, -5)) ? 'environment' : undefined
  if (!/^policy\/(?:[^/.][^/]*\/)*[^/.][^/]*\.ya?ml$/.test(path)) return undefined
  return /\.test\.ya?ml$/.test(path) ? 'test' : 'policy'
}

/** The path of a file in its folder, with `/`. */
export function pathIn(folder: string, file: string): string {
  return relative(folder, file).split(sep).join('/')
}

/** The nearest folder upward that has an `ostiary.yaml`, on disk or in a buffer. */
export function folderOf(file: string, documents: Documents): string | undefined {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const wiring = join(folder, WIRING)
    if (documents.at(wiring) !== undefined || existsSync(wiring)) return folder
    if (dirname(folder) === folder) return undefined
  }
}

export type EnvironmentFile = NonNullable<Sources['environment']>

export interface FolderTexts {
  /** Without environment. */
  readonly sources: Sources
  readonly environments: readonly EnvironmentFile[]
}

/** Reads a configuration folder as the editor sees it: what is open counts, whatever is on disk. */
export class Folder {
  readonly path: string
  /** What was read of files that are as they were. */
  readonly known: KnownFiles = new WeakMap()
  readonly #documents: Documents
  readonly #cache = new Map<string, { readonly stamp: string; readonly text: string }>()
  #files = new Map<string, SourceFile>()

  constructor(path: string, documents: Documents) {
    this.path = path
    this.#documents = documents
  }

  /** @throws OstiaryError where a file can't be read */
  read(): FolderTexts {
    const read = (file: string): string => this.#textOf(file)
    const sources = readSources(this.path, undefined, read)
    const [policy, tests] = [[...sources.policy], [...sources.tests]]
    const known = new Set([...policy, ...tests].map(({ path }) => path))
    // Buffers that were never saved.
    for (const { path: file, lines } of this.#documents) {
      const path = pathIn(this.path, file)
      const kind = fileKindOf(path)
      if (lines === undefined || known.has(path) || (kind !== 'policy' && kind !== 'test')) continue
      const added: SourceFile = { path, text: lines.text }
      ;(kind === 'test' ? tests : policy).push(added)
    }
    const environments = this.#environments().map((name) => {
      const path = `environments/${name}.yaml`
      try {
        return { name, path, text: read(join(this.path, path)) }
      } catch (error) {
        if (error instanceof OstiaryError) throw error
        throw new OstiaryError('config/unreadable', { file: path, cause: (error as NodeJS.ErrnoException).code ?? 'unknown' })
      }
    })
    const same = policy.map((file) => (this.#files.get(file.path)?.text === file.text ? this.#files.get(file.path)! : file))
    this.#files = new Map(same.map((file) => [file.path, file]))
    return { sources: { ...sources, policy: same, tests }, environments }
  }

  #environments(): readonly string[] {
    const names = new Set<string>()
    for (const { path } of this.#documents) {
      const inside = pathIn(this.path, path)
      if (fileKindOf(inside) === 'environment') names.add(inside.slice(13, -5))
    }
    try {
      for (const entry of readdirSync(join(this.path, 'environments')))
        if (fileKindOf(`environments/${entry}`) === 'environment') names.add(entry.slice(0, -5))
    } catch {
      // There are none.
    }
    return [...names].toSorted().slice(0, MAX_ENVIRONMENTS)
  }

  #textOf(file: string): string {
    const open = this.#documents.at(file)?.lines
    if (open !== undefined) return open.text
    const { mtimeMs, ctimeMs, size, ino } = statSync(file)
    const stamp = `${mtimeMs} ${ctimeMs} ${size} ${ino}`
    const known = this.#cache.get(file)
    if (known?.stamp === stamp) return known.text
    // An editor shows a file without its byte order mark.
    const text = readText(file).replace(/^\uFEFF/, '')
    if (this.#cache.size >= MAX_CACHED) this.#cache.clear()
    this.#cache.set(file, { stamp, text })
    return text
  }
}
