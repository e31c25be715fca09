import { accessSync, constants, realpathSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { packageRoot } from '../version.ts'

/**
 * How kubectl is to start this program: as `ostiary` where that is this very one, else by the absolute path of the Node that runs it and of
 * the program, which is also the faster way where the Node on the PATH takes long to start.
 */
export function thisProgram(env: NodeJS.ProcessEnv, absolute: boolean): readonly [string, ...string[]] {
  const own = join(packageRoot, 'bin/ostiary.js')
  if (!absolute && process.platform !== 'win32' && onPath('ostiary', env['PATH'] ?? '') === realpathSync(own)) return ['ostiary']
  return [process.execPath, own]
}

/** The file that a name stands for, without links. */
function onPath(name: string, path: string): string | undefined {
  for (const folder of path.split(delimiter)) {
    const file = join(folder, name)
    try {
      accessSync(file, constants.X_OK)
      return realpathSync(file)
    } catch {
      // not here
    }
  }
  return undefined
}
