import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { OstiaryError } from '../core/errors.ts'
import { openApiFiles } from './openapi.ts'
import type { SourceFile, Sources } from './wiring.ts'

const MAX_FILES = 10_000
const MAX_FOLDERS_DEEP = 32
/** A file larger than this, in bytes, isn't read at all. */
export const MAX_BYTES = 64 * 1024 * 1024
export const ENVIRONMENT_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/

/**
 * Reads a configuration folder: `ostiary.yaml`, `environments/<environment>.yaml` and `policy/**` in the order of their
 * paths, and the OpenAPI documents that resources name. Hidden entries are left out (Kubernetes keeps ConfigMap versions in `..data`).
 * @throws OstiaryError `config/not-found`, `config/no-environment`, `config/unreadable`
 */
export function readSources(folder: string, environment?: string, read: ReadText = readText): Sources {
  const readOne = (path: string, missing: () => OstiaryError): SourceFile => readFile(folder, path, missing, read)
  const wiring = readOne('ostiary.yaml', () => new OstiaryError('config/not-found', { file: join(folder, 'ostiary.yaml') }))
  if (environment !== undefined && !ENVIRONMENT_NAME.test(environment))
    throw new OstiaryError('config/no-environment', { name: environment })
  const policy: SourceFile[] = []
  const tests: SourceFile[] = []
  for (const path of walk(folder, 'policy')) {
    if (!/\.ya?ml$/.test(path)) continue
    const file = readOne(path, () => new OstiaryError('config/unreadable', { file: path, cause: 'it vanished' }))
    ;(isPolicyFile(path) ? policy : tests).push(file)
  }
  const over =
    environment === undefined
      ? undefined
      : {
          name: environment,
          ...readOne(`environments/${environment}.yaml`, () => new OstiaryError('config/no-environment', { name: environment })),
        }
  const documents = openApiFiles({ wiring, environment: over }).flatMap((path) => {
    const missing = new OstiaryError('config/not-found', { file: join(folder, path) })
    try {
      return [readOne(path, () => missing)]
    } catch (error) {
      // Told where the resource names it.
      if (error === missing) return []
      throw error
    }
  })
  return { wiring, environment: over, policy, tests, ...(documents.length === 0 ? {} : { documents }) }
}

/** A policy, not its tests. */
export function isPolicyFile(path: string): boolean {
  return /\.ya?ml$/.test(path) && !/\.test\.ya?ml$/.test(path)
}

function readFile(folder: string, path: string, missing: () => OstiaryError, read: ReadText): SourceFile {
  const file = join(folder, path)
  try {
    return { path, text: read(file) }
  } catch (error) {
    if (error instanceof OstiaryError) throw error
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') throw missing()
    throw unreadable(file, code ?? 'unknown')
  }
}

function unreadable(file: string, cause: string): OstiaryError {
  return new OstiaryError('config/unreadable', { file, cause })
}

/** Gives the text of a file, by its whole path. Throws as the file system does, or an OstiaryError. */
export type ReadText = (file: string) => string

/** Reads a text file whole. @throws OstiaryError `config/unreadable`, and what the file system throws */
export function readText(file: string): string {
  const stats = statSync(file)
  // A pipe would be waited for without end.
  if (!stats.isFile()) throw unreadable(file, 'it is not a file')
  if (stats.size > MAX_BYTES) throw unreadable(file, `it is larger than ${MAX_BYTES} bytes`)
  const bytes = readFileSync(file)
  try {
    // What can't be decoded must not become another text that can.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw unreadable(file, 'it is not UTF-8')
  }
}

function walk(folder: string, below: string): string[] {
  const found: string[] = []
  const visit = (relative: string, depth: number): void => {
    if (depth > MAX_FOLDERS_DEEP)
      throw new OstiaryError('config/unreadable', { file: join(folder, relative), cause: `more than ${MAX_FOLDERS_DEEP} folders deep` })
    for (const entry of entriesOf(folder, relative, relative === below)) {
      if (entry.startsWith('.')) continue
      const path = `${relative}/${entry}`
      if (found.length >= MAX_FILES) throw new OstiaryError('config/unreadable', { file: path, cause: `more than ${MAX_FILES} files` })
      if (isFolder(join(folder, path))) visit(path, depth + 1)
      else found.push(path)
    }
  }
  visit(below, 1)
  return found.toSorted()
}

function entriesOf(folder: string, relative: string, mayBeMissing: boolean): readonly string[] {
  try {
    return readdirSync(join(folder, relative)).toSorted()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (mayBeMissing && code === 'ENOENT') return []
    throw new OstiaryError('config/unreadable', { file: join(folder, relative), cause: code ?? 'unknown' })
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch (error) {
    // A link that leads nowhere may be a guardrail that isn't there.
    throw new OstiaryError('config/unreadable', { file: path, cause: (error as NodeJS.ErrnoException).code ?? 'unknown' })
  }
}
