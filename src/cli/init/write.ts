import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DiagnosticsError, OstiaryError } from '../../core/errors.ts'
import { checkPolicy, runPolicyTests } from '../../policy/index.ts'
import { compile, type Configuration } from '../../server/configuration.ts'
import type { NewFile } from './files.ts'

/** What the gateway makes of files that aren't written yet: as `ostiary check` and `ostiary test` would. @throws DiagnosticsError */
export function tried(folder: string, files: readonly NewFile[], now: number): Configuration {
  const [wiring, ...rest] = files as readonly [NewFile, ...NewFile[]]
  const tests = rest.filter(({ path }) => path.endsWith('.test.yaml'))
  const policy = rest.filter((file) => !tests.includes(file))
  const configuration = compile(folder, { wiring, environment: undefined, policy, tests }, now)
  const warnings = configuration.policy === undefined ? [] : checkPolicy(configuration.policy, now)
  const run = configuration.policy === undefined ? undefined : runPolicyTests(configuration.policy, tests, now)
  const findings = [...configuration.diagnostics, ...warnings, ...(run?.diagnostics ?? [])]
  if (findings.length > 0) throw new DiagnosticsError(findings)
  const failed = run?.results.find(({ passed }) => !passed)
  if (failed !== undefined) throw new Error(`the test "${failed.name}" of the new policy fails: ${failed.message ?? ''}`)
  return configuration
}

/**
 * Refuses a folder in which one of the files is there already. @throws OstiaryError `cli/init-exists`
 */
export function refuseExisting(folder: string, files: readonly Pick<NewFile, 'path'>[]): void {
  const there = files.filter(({ path }) => existsSync(join(folder, path))).map(({ path }) => join(folder, path))
  if (there.length > 0) throw new OstiaryError('cli/init-exists', { files: there.join(', ') })
}

/** Writes files that aren't there. @throws OstiaryError `cli/init-exists`, `cli/init-write` */
export function write(folder: string, files: readonly NewFile[]): void {
  refuseExisting(folder, files)
  for (const { path, text } of files) {
    const file = join(folder, path)
    try {
      mkdirSync(dirname(file), { recursive: true })
      // Not even one that came meanwhile.
      writeFileSync(file, text, { flag: 'wx' })
    } catch (error) {
      const { code = 'unknown' } = error as NodeJS.ErrnoException
      throw code === 'EEXIST'
        ? new OstiaryError('cli/init-exists', { files: file })
        : new OstiaryError('cli/init-write', { file, cause: code })
    }
  }
}
