import assert from 'node:assert/strict'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { OstiaryError } from '../core/errors.ts'
import type { Sources } from '../config/wiring.ts'
import { temporary } from './testdata/record.ts'
import { PolicyVersions } from './versions.ts'

const version = (digit: string): string => `sha256:${digit.repeat(64)}`

const sources: Sources = {
  wiring: { path: 'ostiary.yaml', text: 'apiVersion: ostiary.dev/v1\n' },
  environment: { name: 'production', path: 'environments/production.yaml', text: 'x: 1\n' },
  policy: [{ path: 'policy/orders.yaml', text: 'rules: []\n"\u0000\ud800' }],
  tests: [],
}

test('a version is read as it was kept, owner-only, also by another process', () => {
  using folder = temporary()
  const dir = join(folder.path, 'policies')
  new PolicyVersions(dir).keep(version('a'), sources, 7)
  const kept = new PolicyVersions(dir).read(version('a'))
  assert.deepEqual(kept, { version: version('a'), keptAt: 7, sources })
  assert.equal(statSync(dir).mode & 0o777, 0o700)
  for (const name of readdirSync(dir)) assert.equal(statSync(join(dir, name)).mode & 0o777, 0o600)
})

test('kept again, a version stays as it was and is the latest', () => {
  using folder = temporary()
  const versions = new PolicyVersions(folder.path)
  assert.equal(versions.last(), undefined)
  versions.keep(version('a'), sources, 1)
  versions.keep(version('b'), { ...sources, environment: undefined }, 2)
  assert.equal(versions.last()?.version, version('b'))
  assert.equal(versions.last()?.sources.environment, undefined)
  versions.keep(version('a'), sources, 3)
  assert.equal(versions.last()?.version, version('a'))
  assert.equal(versions.read(version('a')).keptAt, 1)
})

test('what no record cites is removed, but never the latest', () => {
  using folder = temporary()
  const versions = new PolicyVersions(folder.path)
  for (const digit of ['a', 'b', 'c']) versions.keep(version(digit), sources, 1)
  assert.deepEqual(versions.prune(new Set([version('b')])), [version('a')])
  assert.deepEqual(versions.list().toSorted(), [version('b'), version('c')])
})

test('a version that is not kept, not one, or altered is told apart', () => {
  using folder = temporary()
  const versions = new PolicyVersions(folder.path)
  versions.keep(version('a'), sources, 1)
  const code = (expected: string) => (error: unknown) => error instanceof OstiaryError && error.code === expected
  assert.throws(() => versions.read(version('b')), code('audit/unknown-version'))
  assert.throws(() => versions.read('../../etc/passwd'), code('audit/unknown-version'))
  assert.throws(() => versions.keep('../x', sources, 1), code('audit/unknown-version'))
  const file = join(folder.path, `${'a'.repeat(64)}.json`)
  const good = readFileSync(file)
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const bytes = Buffer.from(good)
      bytes[at]! ^= mask
      writeFileSync(file, bytes)
      assert.throws(() => versions.read(version('a')), code('audit/version-mismatch'))
      assert.equal(versions.last(), undefined)
    }),
    { numRuns: 100 },
  )
  versions.keep(version('a'), sources, 9)
  assert.equal(versions.read(version('a')).keptAt, 9)
})
