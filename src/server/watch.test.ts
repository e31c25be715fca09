import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readSources } from '../config/load.ts'
import type { Sources } from '../config/wiring.ts'
import { ManualClock } from '../testing/clock.ts'
import { fingerprintOf, lookAt } from './look.ts'
import { watchFolder } from './watch.ts'

function folder(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'ostiary-watch-'))
  mkdirSync(join(path, 'policy'))
  writeFileSync(join(path, 'ostiary.yaml'), 'a')
  writeFileSync(join(path, 'policy/one.yaml'), 'b')
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

/** Watches, and moves time on until all that was looked at by then has been seen. */
function watching(folder: string, known: Sources, clock: ManualClock, changed: () => void) {
  let looks: Promise<unknown> = Promise.resolve()
  const look = (): Promise<string | undefined> => {
    const found = lookAt(folder, undefined, [])
    looks = looks.then(() => found)
    return found
  }
  const watcher = watchFolder(folder, fingerprintOf(known), look, clock, changed)
  return {
    close: () => watcher.close(),
    async after(ms: number): Promise<void> {
      clock.advance(ms)
      // Looks wait for one another.
      for (let before; before !== looks;) {
        await new Promise(setImmediate)
        before = looks
        await looks
        await new Promise(setImmediate)
      }
    },
  }
}

test('a change is told once it has settled, a touch without change is not', async () => {
  using dir = folder()
  const clock = new ManualClock()
  let changes = 0
  const watcher = watching(dir.path, readSources(dir.path), clock, () => changes++)
  await watcher.after(6_000)
  assert.equal(changes, 0)
  writeFileSync(join(dir.path, 'policy/one.yaml'), 'b')
  await watcher.after(6_000)
  assert.equal(changes, 0)
  writeFileSync(join(dir.path, 'policy/one.yaml'), 'c')
  await watcher.after(6_000)
  assert.equal(changes, 1)
  await watcher.after(60_000)
  assert.equal(changes, 1)
  watcher.close()
  writeFileSync(join(dir.path, 'policy/one.yaml'), 'd')
  await watcher.after(60_000)
  assert.equal(changes, 1)
})

test('a change between the reading at start and the watching is told', async () => {
  using dir = folder()
  const clock = new ManualClock()
  let changes = 0
  const known = readSources(dir.path)
  writeFileSync(join(dir.path, 'policy/one.yaml'), 'meanwhile')
  const watcher = watching(dir.path, known, clock, () => changes++)
  await watcher.after(200)
  assert.equal(changes, 1)
  watcher.close()
})

test('a folder that can not be read for a moment is looked at again', async () => {
  using dir = folder()
  const clock = new ManualClock()
  let changes = 0
  const watcher = watching(dir.path, readSources(dir.path), clock, () => changes++)
  renameSync(join(dir.path, 'ostiary.yaml'), join(dir.path, 'away'))
  await watcher.after(6_000)
  assert.equal(changes, 0)
  writeFileSync(join(dir.path, 'ostiary.yaml'), 'new')
  await watcher.after(6_000)
  assert.equal(changes, 1)
  watcher.close()
})

test('swapped symlinks, as Kubernetes mounts a ConfigMap, are a change', async () => {
  using dir = folder()
  const inner = join(dir.path, 'mount')
  for (const version of ['..1', '..2']) {
    mkdirSync(join(inner, version), { recursive: true })
    writeFileSync(join(inner, version, 'ostiary.yaml'), version)
  }
  symlinkSync('..1', join(inner, '..data'))
  symlinkSync('..data/ostiary.yaml', join(inner, 'ostiary.yaml'))
  const clock = new ManualClock()
  let changes = 0
  const watcher = watching(inner, readSources(inner), clock, () => changes++)
  symlinkSync('..2', join(inner, '..next'))
  renameSync(join(inner, '..next'), join(inner, '..data'))
  await watcher.after(6_000)
  assert.equal(changes, 1)
  watcher.close()
})
