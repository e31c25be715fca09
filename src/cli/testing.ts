import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

export interface Ran {
  readonly exit: number
  readonly out: string
  readonly err: string
}

/** Runs the command line in process and answers what it wrote. */
export function run(...args: readonly string[]): Promise<Ran> {
  return captured(async () => (await import('./main.ts')).main(args))
}

/** What some work wrote for people, and its exit code. */
export async function captured(work: () => Promise<number>): Promise<Ran> {
  const written = { out: '', err: '' }
  const taken = (stream: NodeJS.WriteStream, name: 'out' | 'err'): NodeJS.WriteStream['write'] => {
    const { write } = stream
    // Bytes are what the test runner tells its parent meanwhile.
    stream.write = (text: string | Uint8Array) => (typeof text === 'string' ? ((written[name] += text), true) : write.call(stream, text))
    return write
  }
  const out = taken(process.stdout, 'out')
  const err = taken(process.stderr, 'err')
  try {
    const exit = await work()
    return { exit, ...written }
  } finally {
    process.stdout.write = out
    process.stderr.write = err
  }
}

/**
 * Puts a stand-in for kubectl before all others that has nothing: its folder has what it was asked in `calls`, and what it was told to apply in
 * `applied`, a line each.
 */
export function standInKubectl(): { readonly folder: string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'kubectl-'))
  const path = process.env['PATH'] ?? ''
  const applies = `case "$*" in *apply*) cat >> '${folder}/applied'; echo >> '${folder}/applied';; esac`
  writeFileSync(join(folder, 'kubectl'), `#!/bin/sh\necho "$@" >> '${folder}/calls'\n${applies}\necho '{"items":[]}'\n`)
  chmodSync(join(folder, 'kubectl'), 0o755)
  process.env['PATH'] = `${folder}${delimiter}${path}`
  return {
    folder,
    remove: () => {
      process.env['PATH'] = path
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
