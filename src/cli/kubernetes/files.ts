import { closeSync, existsSync, mkdirSync, openSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { OstiaryError } from '../../core/errors.ts'
import { Kubeconfig } from './document.ts'

/** How long another program may have a kubeconfig locked, and how often it is looked whether it still has. In milliseconds. */
const PATIENCE = 5_000
const LOOK = 50

/** The kubeconfigs that kubectl reads, in its order: `--kubeconfig`, else those of KUBECONFIG, else `~/.kube/config`. */
export function kubeconfigFiles(given: string | undefined, env: NodeJS.ProcessEnv): readonly string[] {
  if (given !== undefined) return [resolve(given)]
  const listed = (env['KUBECONFIG'] ?? '').split(delimiter).filter((file) => file !== '')
  return listed.length > 0 ? [...new Set(listed.map((file) => resolve(file)))] : [join(homedir(), '.kube', 'config')]
}

/** What is there of a kubeconfig; an empty one where there is none yet. @throws OstiaryError `cli/kubeconfig-broken` */
export function readKubeconfig(file: string): Kubeconfig {
  let text = ''
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException
    if (code !== 'ENOENT') throw new OstiaryError('cli/kubeconfig-broken', { file, problem: code })
  }
  const read = Kubeconfig.read(text)
  if ('problem' in read) throw new OstiaryError('cli/kubeconfig-broken', { file, problem: read.problem })
  return read
}

/**
 * Changes one while nobody else does who locks it as kubectl does, whole or not at all. Answers whether it was changed.
 * @throws OstiaryError `cli/kubeconfig-locked`, `cli/kubeconfig-broken`, `cli/kubeconfig-write`, and what `change` throws
 */
export async function changeKubeconfig(file: string, change: (kubeconfig: Kubeconfig) => void, patience = PATIENCE): Promise<boolean> {
  // A link stays one: what it leads to is replaced.
  const target = existsSync(file) ? realpathSync(file) : file
  const next = `${target}.${process.pid}`
  const unlock = await lock(target, file, patience)
  try {
    const kubeconfig = readKubeconfig(target)
    const before = existsSync(target) ? readFileSync(target, 'utf8') : undefined
    const same = kubeconfig.toString()
    change(kubeconfig)
    const text = kubeconfig.toString()
    // What nothing was changed in keeps even its own way of indenting.
    if (before !== undefined && text === same) return false
    const again = Kubeconfig.read(text)
    if ('problem' in again) throw new OstiaryError('cli/kubeconfig-broken', { file, problem: again.problem })
    try {
      writeFileSync(next, text, { mode: 0o600, flag: 'wx' })
      renameSync(next, target)
    } catch (error) {
      rmSync(next, { force: true })
      throw new OstiaryError('cli/kubeconfig-write', { file, cause: (error as NodeJS.ErrnoException).code ?? 'unknown' })
    }
    return true
  } finally {
    unlock()
  }
}

/** As client-go does it (`tools/clientcmd`): a file beside it that only one can make. */
async function lock(target: string, file: string, patience: number): Promise<() => void> {
  const path = `${target}.lock`
  const end = performance.now() + patience
  for (;;) {
    try {
      mkdirSync(dirname(target), { recursive: true, mode: 0o700 })
      closeSync(openSync(path, 'wx', 0))
      return () => rmSync(path, { force: true })
    } catch (error) {
      const { code = 'unknown' } = error as NodeJS.ErrnoException
      if (code !== 'EEXIST') throw new OstiaryError('cli/kubeconfig-write', { file, cause: code })
      if (performance.now() >= end) throw new OstiaryError('cli/kubeconfig-locked', { file, lock: path })
      await new Promise((resolve) => setTimeout(resolve, LOOK))
    }
  }
}
