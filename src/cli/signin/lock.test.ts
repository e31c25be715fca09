import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, test } from 'node:test'
import { locked } from './lock.ts'

describe('a lock', () => {
  let home: string
  let had: string | undefined
  before(() => {
    had = process.env['XDG_CONFIG_HOME']
    home = mkdtempSync(join(tmpdir(), 'ostiary-lock-'))
    process.env['XDG_CONFIG_HOME'] = home
  })
  afterEach(() => assert.deepEqual(readdirSync(join(home, 'ostiary')), [], 'nothing is left behind'))
  after(() => {
    if (had === undefined) delete process.env['XDG_CONFIG_HOME']
    else process.env['XDG_CONFIG_HOME'] = had
    rmSync(home, { recursive: true, force: true })
  })

  /** How many were inside at once, at most. */
  async function most(count: number): Promise<number> {
    let inside = 0
    let seen = 0
    const work = async (): Promise<void> => {
      inside++
      seen = Math.max(seen, inside)
      await new Promise((resolve) => setImmediate(resolve))
      inside--
    }
    await Promise.all(Array.from({ length: count }, () => locked(work)))
    return seen
  }

  test('lets one in at a time', async () => {
    assert.equal(await most(5), 1)
  })

  test('that somebody left when killed is taken away, and let one in at a time', async () => {
    const left = join(home, 'ostiary/lock')
    mkdirSync(left, { recursive: true })
    writeFileSync(join(left, 'killed'), '')
    utimesSync(join(left, 'killed'), new Date(0), new Date(0))
    assert.equal(await most(5), 1)
  })

  test('takes away what those left who were killed while they waited, and nothing of those who wait', async () => {
    for (const name of ['lock.killed', 'lock.waits', 'signing-in.killed']) {
      const folder = join(home, 'ostiary', name)
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, 'x'), '')
      if (name.endsWith('.killed')) for (const one of [join(folder, 'x'), folder]) utimesSync(one, new Date(0), new Date(0))
    }
    await locked(() => Promise.resolve())
    assert.deepEqual(readdirSync(join(home, 'ostiary')).sort(), ['lock.waits', 'signing-in.killed'])
    for (const name of ['lock.waits', 'signing-in.killed']) rmSync(join(home, 'ostiary', name), { recursive: true })
  })

  test('that is held when somebody interrupts is open at once', async () => {
    const path = JSON.stringify(join(import.meta.dirname, 'lock.ts'))
    const script = `import { locked } from ${path}; await locked(() => new Promise(() => { process.stdout.write('held'); setInterval(() => {}, 1e6) }))`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    assert.deepEqual(readdirSync(join(home, 'ostiary')), ['lock'])
    child.kill('SIGINT')
    assert.deepEqual(await once(child, 'exit'), [130, null])
  })

  test('is open again when the work failed', async () => {
    await assert.rejects(
      locked(() => Promise.reject(new Error('the work failed'))),
      /the work failed/,
    )
    assert.equal(await locked(() => Promise.resolve(7)), 7)
  })
})
