import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The package's root: two folders above, in a clone (`src/cli`) as in an installed package (`dist/cli`). */
export const packageRoot = join(import.meta.dirname, '../..')

export function version(): string {
  return (JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string }).version
}
