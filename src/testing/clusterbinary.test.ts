import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { builtKubebed, clusterCache, haveCluster, kubebed, onceIn } from './clusterbinary.ts'

describe('where the binary of the cluster comes from', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'ostiary-clusterbinary-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  test('is the cache, in a folder that is named after what it is built from', () => {
    const file = builtKubebed({ XDG_CACHE_HOME: folder })
    assert.match(file.slice(folder.length), /^\/ostiary\/kubernetes-\d+\.\d+\.\d+-[0-9a-f]{12}\/kubebed$/u)
    assert.equal(clusterCache({ XDG_CACHE_HOME: 'relative' }), clusterCache({}))
  })

  test('is OSTIARY_KUBEBED where that is set, and then it has to be there', async () => {
    const given = join(folder, 'kubebed')
    await assert.rejects(kubebed({ OSTIARY_KUBEBED: given }), { message: `OSTIARY_KUBEBED names ${given}, which is not there` })
    writeFileSync(given, '')
    assert.equal(await kubebed({ OSTIARY_KUBEBED: given }), given)
  })

  test('is nowhere without Go, which is said, and an error in CI unless it is meant', () => {
    const nothing = { XDG_CACHE_HOME: folder, PATH: folder }
    const said: string[] = []
    const say = (text: string): void => void said.push(text)
    assert.match(String(haveCluster(nothing, say)), /there is no Go to build it with; install Go 1\.26 or later/u)
    assert.match(said.join(''), /^skipped: no cluster: there is no Go/u)
    assert.throws(() => haveCluster({ ...nothing, CI: 'true' }, say), /OSTIARY_WITHOUT_CLUSTER=1 to do without/u)
    assert.match(String(haveCluster({ ...nothing, CI: 'true', OSTIARY_WITHOUT_CLUSTER: '1' }, say)), /says to do without/u)
    assert.equal(said.length, 2)
    assert.equal(haveCluster({ ...nothing, OSTIARY_KUBEBED: '/somewhere' }, say), true)
  })

  test('is made once, whoever asks for it at the same time', async () => {
    const target = join(folder, 'cache', 'made')
    let made = 0
    const make = async (unfinished: string): Promise<void> => {
      made++
      await new Promise((resolve) => setImmediate(resolve))
      assert.ok(!existsSync(target))
      writeFileSync(unfinished, 'whole')
    }
    await Promise.all([onceIn(target, make, 1), onceIn(target, make, 1), onceIn(target, make, 1)])
    assert.equal(made, 1)
    assert.equal(readFileSync(target, 'utf8'), 'whole')
    assert.ok(!existsSync(`${target}.lock`))
  })

  test('is made by another when whoever made it failed or is gone', async () => {
    const target = join(folder, 'made')
    const fails = onceIn(target, () => Promise.reject(new Error('no space left')), 1)
    await assert.rejects(fails, { message: 'no space left' })
    assert.ok(!existsSync(`${target}.lock`))
    // No process has a number that large.
    writeFileSync(`${target}.lock`, '99999999')
    await onceIn(
      target,
      (unfinished) => {
        writeFileSync(unfinished, '')
        return Promise.resolve()
      },
      1,
    )
    assert.ok(existsSync(target))
  })
})
