/** Builds the console's pages into dist/console. The stamp lets `npm start` skip it while its sources are the same. */
import { createHash } from 'node:crypto'
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const outDir = join(root, 'dist/console')

function stamp(): string {
  const hash = createHash('sha256').update(readFileSync(join(root, 'package-lock.json')))
  for (const file of globSync('console/**/*.*', { cwd: root }).toSorted()) hash.update(file).update(readFileSync(join(root, file)))
  return hash.digest('hex')
}

/** Builds unless what stands in dist/console comes from these very sources. */
export async function buildConsole(): Promise<void> {
  const now = stamp()
  const file = join(outDir, '.stamp')
  if (existsSync(file) && readFileSync(file, 'utf8') === now) return
  const { build } = await import('vite')
  await build({
    configFile: false,
    root: join(root, 'console'),
    base: '/',
    logLevel: 'warn',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: { outDir, emptyOutDir: true, assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  })
  writeFileSync(file, now)
}

if (import.meta.main) await buildConsole()
