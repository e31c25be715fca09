import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { OstiaryError } from '../core/errors.ts'
import type { StandInCluster, StandInDocument } from '../testing/standin-kubectl.ts'
import { applyToCluster, driftOf } from './istiocluster.ts'
import { kubectlIn, type Kubectl } from './kubectl.ts'

const STANDIN = join(import.meta.dirname, '../testing/standin-kubectl.ts')
let folder: string
let file: string
let kubectl: Kubectl
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kubectl-'))
  file = join(folder, 'cluster.json')
  put({})
  kubectl = kubectlIn('shop', [process.execPath, STANDIN, file])
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const cluster = (): StandInCluster => JSON.parse(readFileSync(file, 'utf8')) as StandInCluster
function put(more: Partial<StandInCluster>): void {
  writeFileSync(file, JSON.stringify({ documents: {}, calls: [], ...more } satisfies StandInCluster))
}

const of = (kind: string, name: string, spec: object, target: string | undefined = 'mesh') => ({
  apiVersion: 'security.istio.io/v1',
  kind,
  metadata: { name, namespace: 'shop', labels: target === '' ? {} : { 'ostiary.dev/target': target } },
  spec,
})
const nothing = (name: string) => of('AuthorizationPolicy', name, { selector: { matchLabels: { app: name } } })
const allow = (name: string, target?: string) =>
  of('AuthorizationPolicy', name, { action: 'ALLOW', rules: [{ to: [{ operation: { paths: [`/${name}`] } }] }] }, target)
const deny = (name: string, action = 'DENY') => of('AuthorizationPolicy', name, { action, rules: [{}] })
const tokens = (jwks: string) => of('RequestAuthentication', 'tokens', { jwtRules: [{ issuer: 'i', jwks }] })
const documents = (all: readonly StandInDocument[]): StandInCluster['documents'] =>
  Object.fromEntries(all.map((one) => [`${one.kind} ${one.metadata.namespace}/${one.metadata.name}`, one]))

describe('a cluster', () => {
  test('is brought to what it should be in an order that opens nothing', async () => {
    const old = [nothing('old'), deny('old-deny'), allow('old-allow'), allow('theirs', ''), allow('other', 'elsewhere')]
    put({ documents: documents(old) })
    const wanted = [nothing('a'), deny('d'), deny('c', 'CUSTOM'), allow('b'), tokens('k')]
    assert.deepEqual(await applyToCluster('mesh', wanted, true, kubectl), [
      'AuthorizationPolicy shop/old-allow',
      'AuthorizationPolicy shop/old-deny',
    ])
    assert.deepEqual(
      cluster()
        .calls.filter(([what]) => what !== 'get')
        .map((call) => call.map((one) => one.replace('AuthorizationPolicy shop/', ''))),
      [
        ['apply', 'a'],
        ['apply', 'd', 'c'],
        ['delete', 'old-allow'],
        ['apply', 'b'],
        ['apply', 'RequestAuthentication shop/tokens'],
        ['delete', 'old-deny'],
      ],
    )
    const there = Object.values(cluster().documents).map(({ metadata }) => metadata.name)
    assert.deepEqual(there.toSorted(), ['a', 'b', 'c', 'd', 'old', 'other', 'theirs', 'tokens'])
    assert.deepEqual(await driftOf('mesh', wanted, true, kubectl), [
      { document: 'AuthorizationPolicy shop/old', is: 'left-over', stays: true },
      { document: 'AuthorizationPolicy shop/theirs', is: 'foreign' },
      { document: 'AuthorizationPolicy shop/other', is: 'foreign' },
    ])
  })

  test('keeps what is left over where nobody asked to remove it', async () => {
    put({ documents: documents([allow('old')]) })
    assert.deepEqual(await applyToCluster('mesh', [nothing('a')], false, kubectl), [])
    assert.deepEqual(await driftOf('mesh', [nothing('a')], true, kubectl), [{ document: 'AuthorizationPolicy shop/old', is: 'left-over' }])
  })

  test('that refuses a denial is not told to allow anything', async () => {
    put({ refuses: ['d'] })
    await assert.rejects(applyToCluster('mesh', [nothing('a'), deny('d'), allow('b'), tokens('k')], true, kubectl), (error) => {
      assert.ok(error instanceof OstiaryError)
      assert.equal(error.code, 'target/kubectl')
      assert.match(error.message, /`kubectl apply` with context `shop` failed: Error: admission webhook denied d/)
      return true
    })
    assert.deepEqual(Object.keys(cluster().documents), ['AuthorizationPolicy shop/a'])
  })

  test('tells what is missing and what was changed, and keys only where they were asked for', async () => {
    const wanted = [nothing('a'), deny('d'), allow('b'), tokens('new')]
    put({ documents: documents([nothing('a'), of('AuthorizationPolicy', 'b', { action: 'ALLOW', rules: [{}] }), tokens('old')]) })
    const missing = { document: 'AuthorizationPolicy shop/d', is: 'missing' }
    const changed = { document: 'AuthorizationPolicy shop/b', is: 'changed' }
    assert.deepEqual(await driftOf('mesh', wanted, false, kubectl), [missing, changed])
    assert.deepEqual(await driftOf('mesh', wanted, true, kubectl), [
      missing,
      changed,
      { document: 'RequestAuthentication shop/tokens', is: 'changed' },
    ])
    assert.deepEqual(
      cluster().calls.filter(([what]) => what !== 'get'),
      [],
      'nothing is changed',
    )
  })

  test('takes what is only tried for what it is: grants before what grants, denials last, and whoever changed that has changed it', async () => {
    const tried = (one: ReturnType<typeof of>, value = 'true') => ({
      ...one,
      metadata: { ...one.metadata, annotations: { 'istio.io/dry-run': value } },
    })
    put({})
    const wanted = [nothing('a'), deny('d'), tried(deny('soon')), allow('b'), tried(allow('later'))]
    await applyToCluster('mesh', wanted, false, kubectl)
    assert.deepEqual(
      cluster()
        .calls.filter(([what]) => what !== 'get')
        .map((call) => call.map((one) => one.replace('AuthorizationPolicy shop/', ''))),
      [
        ['apply', 'a'],
        ['apply', 'd', 'later'],
        ['apply', 'b'],
        ['apply', 'soon'],
      ],
    )
    assert.deepEqual(await driftOf('mesh', wanted, false, kubectl), [])
    const changed = (name: string) => ({ document: `AuthorizationPolicy shop/${name}`, is: 'changed' })
    put({
      documents: documents([
        tried(nothing('a')),
        tried(deny('d'), '1'),
        deny('soon'),
        tried(allow('b'), 'false'),
        tried(allow('later'), 'T'),
      ]),
    })
    assert.deepEqual(await driftOf('mesh', wanted, false, kubectl), [changed('a'), changed('d'), changed('soon')])
    // Somebody else's that is only tried allows nothing.
    put({ documents: documents([...wanted, tried(of('AuthorizationPolicy', 'theirs', { action: 'ALLOW', rules: [{}] }, ''))]) })
    assert.deepEqual(await driftOf('mesh', wanted, false, kubectl), [])
  })

  test('tells of whoever else allows something at its workloads', async () => {
    const other = (name: string, attached: object) => of('AuthorizationPolicy', name, { ...attached, rules: [{}] }, '')
    const by = (labels: object) => ({ selector: { matchLabels: labels } })
    const waypoint = { targetRefs: [{ group: '', kind: 'Service', name: 'web' }] }
    const wanted = [nothing('a'), of('AuthorizationPolicy', 'w', waypoint)]
    const met = [other('all', {}), other('same', by({ app: 'a' })), other('more', by({ version: 'v1' })), other('service', waypoint)]
    const passed = [
      other('b', by({ app: 'b' })),
      other('gateway', { targetRefs: [{ kind: 'Gateway', name: 'web' }] }),
      of('AuthorizationPolicy', 'deny', { action: 'DENY', rules: [{}] }, ''),
    ]
    put({ documents: documents([...wanted, ...met, ...passed]) })
    // What is attached to a Service is passed over by whatever has a selector, and the other way round: it is told all the same.
    const found = await driftOf('mesh', wanted, false, kubectl)
    assert.deepEqual(
      found.filter(({ is }) => is !== 'foreign'),
      [],
    )
    for (const one of met)
      assert.ok(
        found.some(({ document }) => document.endsWith(`/${one.metadata.name}`)),
        one.metadata.name,
      )
    for (const one of passed.slice(1))
      assert.ok(!found.some(({ document }) => document.endsWith(`/${one.metadata.name}`)), one.metadata.name)
  })

  test('that is not there is said to be', async () => {
    await assert.rejects(driftOf('mesh', [], false, kubectlIn('other', [process.execPath, STANDIN, file])), /no context `other`/)
    await assert.rejects(
      driftOf('mesh', [], false, kubectlIn('shop', [join(folder, 'nowhere')])),
      /`kubectl get` with context `shop` failed: .*ENOENT/,
    )
  })
})
