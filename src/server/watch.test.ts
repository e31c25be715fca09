import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { readSources } from '../config/load.ts'
import { ManualClock } from '../testing/clock.ts'
import { watchFolder } from './watch.ts'

function folder(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'ostiary-watch-'))
  mkdirSync(join(path, 'policy'))
  writeFileSync(join(path, 'ostiary.yaml'), 'a')
  writeFileSync(join(path, 'policy/one.yaml'), 'b')
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

test('a change is told once it has settled, a touch without change is not', () => {
  using dir = folder()
  const clock = new ManualClock()
  let changes = 0
  const watcher = watchFolder(
    dir.path,
    readSources(dir.path),
    () => readSources(dir.path),
    clock,
    () => changes++,
  )
  clock.advance(6_000)
  assert.equal(changes, 0)
  writeFileSync(join(dir.path, 'policy/one.yaml'), 'b')
  clock.advance(6_000)
  assert.equal(changes, 0)
  writeFileSync(join(dir.path, 'policy/one.yaml'), 'c')
  clock.advance(6_000)
  assert.equal(changes, 1)
  clock.advance(60_000)
  assert.equal(changes, 1)
  watcher.close()
  writeFileSync(join(dir.path, 'policy/one.yaml'), 'd')
  clock.advance(60_000)
  assert.equal(changes, 1)
})

test('a change between the reading at start and the watching is told', () => {
  using dir = folder()
  const clock = new ManualClock()
  let changes = 0
  const known = readSources(dir.path)
  writeFileSync(join(dir.path, 'policy/one.yaml'), 'meanwhile')
  const watcher = watchFolder(
    dir.path,
    known,
    () => readSources(dir.path),
    clock,
    () => changes++,
  )
  clock.advance(200)
  assert.equal(changes, 1)
  watcher.close()
})

test('a folder that can not be read for a moment is looked at again', () => {
  using dir = folder()
  const clock = new ManualClock()
  let changes = 0
  const watcher = watchFolder(
    dir.path,
    readSources(dir.path),
    () => readSources(dir.path),
    clock,
    () => changes++,
  )
  renameSync(join(dir.path, 'ostiary.yaml'), join(dir.path, 'away'))
  clock.advance(6_000)
  assert.equal(changes, 0)
  writeFileSync(join(dir.path, 'ostiary.yaml'), 'new')
  clock.advance(6_000)
  assert.equal(changes, 1)
  watcher.close()
})

test('swapped symlinks, as Kubernetes mounts a ConfigMap, are a change', () => {
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
  const watcher = watchFolder(
    inner,
    readSources(inner),
    () => readSources(inner),
    clock,
    () => changes++,
  )
  symlinkSync('..2', join(inner, '..next'))
  renameSync(join(inner, '..next'), join(inner, '..data'))
  clock.advance(6_000)
  assert.equal(changes, 1)
  watcher.close()
})
