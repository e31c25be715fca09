import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { OstiaryError } from '../core/errors.ts'
import type { SourceFile, Sources } from './wiring.ts'

const MAX_FILES = 10_000

/**
 * Reads a configuration folder: `ostiary.yaml`, `environments/<environment>.yaml` and `policy/**` in the order of their
 * paths. Hidden entries are left out (Kubernetes keeps ConfigMap versions in `..data`).
 * @throws OstiaryError `config/not-found`, `config/no-environment`, `config/unreadable`
 */
export function readSources(folder: string, environment?: string): Sources {
  const wiring = readOne(folder, 'ostiary.yaml', () => new OstiaryError('config/not-found', { file: join(folder, 'ostiary.yaml') }))
  const policy: SourceFile[] = []
  const tests: SourceFile[] = []
  for (const path of walk(folder, 'policy')) {
    if (!/\.ya?ml$/.test(path)) continue
    const file = readOne(folder, path, () => new OstiaryError('config/unreadable', { file: path, cause: 'it vanished' }))
    ;(/\.test\.ya?ml$/.test(path) ? tests : policy).push(file)
  }
  const over =
    environment === undefined
      ? undefined
      : {
          name: environment,
          ...readOne(folder, `environments/${environment}.yaml`, () => new OstiaryError('config/no-environment', { name: environment })),
        }
  return { wiring, environment: over, policy, tests }
}

function readOne(folder: string, path: string, missing: () => OstiaryError): SourceFile {
  try {
    return { path, text: readFileSync(join(folder, path), 'utf8') }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') throw missing()
    throw new OstiaryError('config/unreadable', { file: join(folder, path), cause: code ?? 'unknown' })
  }
}

function walk(folder: string, below: string): string[] {
  const found: string[] = []
  const visit = (relative: string): void => {
    let names: string[]
    try {
      names = readdirSync(join(folder, relative)).toSorted()
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (relative === below && code === 'ENOENT') return
      throw new OstiaryError('config/unreadable', { file: join(folder, relative), cause: code ?? 'unknown' })
    }
    for (const entry of names) {
      if (entry.startsWith('.')) continue
      const path = `${relative}/${entry}`
      if (found.length >= MAX_FILES) throw new OstiaryError('config/unreadable', { file: path, cause: `more than ${MAX_FILES} files` })
      if (statSync(join(folder, path)).isDirectory()) visit(path)
      else found.push(path)
    }
  }
  visit(below)
  return found.toSorted()
}
