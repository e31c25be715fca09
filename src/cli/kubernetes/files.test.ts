import assert from 'node:assert/strict'
import { existsSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, before, beforeEach, describe, test } from 'node:test'
import { OstiaryError } from '../../core/errors.ts'
import type { ListedCluster } from '../../kubernetes/directory.ts'
import { changeKubeconfig, kubeconfigFiles, readKubeconfig } from './files.ts'
import { chosen, printed, remove, write, type WriteOptions } from './kubeconfig.ts'

const url = 'https://gateway.example'
const clusters: readonly ListedCluster[] = ['shop', 'bank'].map((name) => ({
  name,
  server: `https://door.example/clusters/${name}`,
  mode: 'impersonate',
}))
const [shop] = clusters as [ListedCluster]

describe('kubeconfigs', () => {
  let folder: string
  const file = (name: string): string => join(folder, name)
  const options = (more: Partial<WriteOptions> = {}): WriteOptions => ({
    url,
    prefix: '',
    command: ['ostiary'],
    file: undefined,
    env: { KUBECONFIG: file('config') },
    namespace: undefined,
    setCurrent: false,
    ...more,
  })
  const writeAll = (more: Partial<WriteOptions> = {}) => write(clusters, clusters, options(more))
  const failsBy = (code: string) => (error: unknown) => error instanceof OstiaryError && error.code === code
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'ostiary-kubeconfig-'))
  })
  beforeEach(() => {
    for (const one of readdirSync(folder)) rmSync(join(folder, one), { recursive: true, force: true })
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  test('are those that kubectl reads', () => {
    assert.deepEqual(kubeconfigFiles('/a/b', { KUBECONFIG: '/c' }), ['/a/b'])
    assert.deepEqual(kubeconfigFiles(undefined, { KUBECONFIG: ['/c', '', '/d', '/c'].join(delimiter) }), ['/c', '/d'])
    for (const env of [{}, { KUBECONFIG: '' }, { KUBECONFIG: delimiter }])
      assert.deepEqual(kubeconfigFiles(undefined, env), [join(homedir(), '.kube/config')])
  })

  test('are written for their owner alone, and once', async () => {
    const first = await writeAll()
    assert.deepEqual(first, { file: file('config'), changed: true, contexts: ['shop', 'bank'], current: undefined, unlisted: [] })
    assert.equal(statSync(file('config')).mode & 0o777, 0o600)
    const text = readFileSync(file('config'), 'utf8')
    const { mtimeNs } = statSync(file('config'), { bigint: true })
    assert.equal((await writeAll()).changed, false)
    assert.equal(statSync(file('config'), { bigint: true }).mtimeNs, mtimeNs)
    assert.equal(readFileSync(file('config'), 'utf8'), text)
    assert.deepEqual(readdirSync(folder), ['config'], 'neither lock nor half a file is left')
  })

  test('that are there already get no wider, and stay links', async () => {
    writeFileSync(file('real'), 'kind: Config\n', { mode: 0o644 })
    symlinkSync(file('real'), file('config'))
    await writeAll()
    assert.ok(lstatSync(file('config')).isSymbolicLink())
    assert.equal(statSync(file('real')).mode & 0o777, 0o600)
    assert.match(readFileSync(file('real'), 'utf8'), /name: shop/)
  })

  test('that are not changed stay as they are, to the byte', async () => {
    const text = 'kind:   Config\nclusters:\n      -   name:  x\n'
    writeFileSync(file('config'), text)
    assert.equal(await changeKubeconfig(file('config'), () => undefined), false)
    assert.equal(readFileSync(file('config'), 'utf8'), text)
  })

  test('that can not be read are not written', async () => {
    for (const [text, problem] of [
      ['clusters: [', /can not be read as a kubeconfig/],
      ['kind: Pod', /its `kind` is not `Config`/],
      ['users: [{name: *gone}]', /can not be read as a kubeconfig/],
    ] as const) {
      writeFileSync(file('config'), text)
      await assert.rejects(writeAll(), (error) => failsBy('cli/kubeconfig-broken')(error) && problem.test((error as Error).message))
      assert.equal(readFileSync(file('config'), 'utf8'), text)
    }
    assert.deepEqual(readdirSync(folder), ['config'])
  })

  test('that somebody else has locked are waited for, and not broken into', async () => {
    writeFileSync(file('config.lock'), '')
    await assert.rejects(
      changeKubeconfig(file('config'), () => assert.fail(), 0),
      failsBy('cli/kubeconfig-locked'),
    )
    assert.ok(existsSync(file('config.lock')))
    assert.ok(!existsSync(file('config')))
    setImmediate(() => rmSync(file('config.lock')))
    assert.equal((await writeAll()).changed, true)
  })

  test('of several are written where the entries are, else where kubectl would', async () => {
    const env = { KUBECONFIG: [file('a'), file('b'), file('c')].join(delimiter) }
    assert.equal((await writeAll({ env })).file, file('c'))
    writeFileSync(file('b'), 'kind: Config\ncurrent-context: own\n')
    assert.equal((await writeAll({ env })).file, file('c'), 'they are there')
    const others = { env: { KUBECONFIG: [file('a'), file('b')].join(delimiter) } }
    const { file: where, current } = await write([shop], clusters, options(others))
    assert.deepEqual([where, current], [file('b'), undefined])
    assert.equal(readKubeconfig(file('b')).current, 'own')
  })

  test('get a current context where there is none and only one is written, or where it is asked for', async () => {
    assert.equal((await writeAll()).current, undefined)
    assert.equal((await write([shop], clusters, options())).current, 'shop')
    writeFileSync(file('first'), 'kind: Config\ncurrent-context: own\n')
    const env = { KUBECONFIG: [file('first'), file('config')].join(delimiter) }
    await write([shop], clusters, options({ env }))
    assert.equal(readKubeconfig(file('first')).current, 'own')
    await write([shop], clusters, options({ env, setCurrent: true }))
    assert.equal(readKubeconfig(file('first')).current, 'shop')
  })

  test('with names of somebody else in any of them are not written', async () => {
    writeFileSync(file('first'), 'contexts: [{name: bank, context: {}}]\n')
    const env = { KUBECONFIG: [file('first'), file('config')].join(delimiter) }
    await assert.rejects(writeAll({ env }), (error) => failsBy('cli/kubeconfig-taken')(error) && /`bank` in/.test((error as Error).message))
    assert.ok(!existsSync(file('config')))
    assert.deepEqual((await writeAll({ env, prefix: 'gw/' })).contexts, ['gw/shop', 'gw/bank'])
  })

  test('say what is listed no more, and lose what is removed', async () => {
    await writeAll()
    assert.deepEqual((await write([shop], [shop], options())).unlisted, ['bank'])
    assert.deepEqual(await remove(['bank'], options()), [{ file: file('config'), contexts: ['bank'] }])
    assert.deepEqual(readKubeconfig(file('config')).contexts(url), ['shop'])
    assert.deepEqual(await remove([], options({ url: 'https://other.example' })), [])
    assert.deepEqual(await remove([], options()), [{ file: file('config'), contexts: ['shop'] }])
    assert.deepEqual(await remove([], options()), [])
  })

  test('can be printed, with nothing of those that are there', () => {
    writeFileSync(file('config'), 'current-context: own\n')
    const text = printed([shop], options({ namespace: 'team' }))
    assert.match(text, /current-context: shop/)
    assert.match(text, /namespace: team/)
    assert.doesNotMatch(text, /own/)
  })

  test('have the clusters that were named', () => {
    assert.deepEqual(chosen(clusters, [], url), clusters)
    assert.deepEqual(chosen(clusters, ['bank', 'bank'], url), [clusters[1]])
    assert.throws(
      () => chosen(clusters, ['shup'], url),
      (error) => failsBy('cli/kube-no-cluster')(error) && /did you mean `shop`/.test((error as OstiaryError).help),
    )
    assert.throws(
      () => chosen([], ['shop'], url),
      (error) => /lists none/.test((error as OstiaryError).help),
    )
  })
})
