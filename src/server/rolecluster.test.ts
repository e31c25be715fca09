import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import type { TargetDocument } from '../targets/target.ts'
import type { Kubectl } from './kubectl.ts'
import { applyRoles, lookAtRoles } from './rolecluster.ts'

interface Stored extends TargetDocument {
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
    readonly uid?: string
  }
}

const NOW = Date.UTC(2026, 2, 2, 12)
const OWNER = { target: 'prod', prefix: 'ostiary:' }
const PLURALS: Readonly<Record<string, string>> = {
  clusterroles: 'ClusterRole',
  roles: 'Role',
  clusterrolebindings: 'ClusterRoleBinding',
  rolebindings: 'RoleBinding',
}

/** As much of an API server as these look at, with everything that it was told to do. */
class Cluster implements Kubectl {
  readonly stored = new Map<string, Stored>()
  readonly did: string[] = []

  put(...all: readonly Stored[]): void {
    for (const one of all) this.stored.set(idOf(one), { ...one, metadata: { ...one.metadata, uid: `uid of ${one.metadata.name}` } })
  }

  run(args: readonly string[], input?: string): Promise<{ readonly code: number; readonly stdout: string }> {
    const [verb] = args
    let items: readonly Stored[] = []
    if (verb === 'get') {
      const kinds = args[1]!.split(',').map((one) => PLURALS[one.replace('.rbac.authorization.k8s.io', '')])
      const [label, value] = args.includes('-l') ? args[args.indexOf('-l') + 1]!.split('=') : []
      items = [...this.stored.values()].filter(
        ({ kind, metadata }) => kinds.includes(kind) && (label === undefined || metadata.labels?.[label] === value),
      )
    } else if (verb === 'apply') {
      const { items: applied } = JSON.parse(input!) as { readonly items: readonly Stored[] }
      this.put(...applied)
      this.did.push(...applied.map((one) => `apply ${idOf(one)}`))
    } else {
      assert.deepEqual(args.slice(0, 2), ['delete', '--raw'])
      const { preconditions } = JSON.parse(input!) as { readonly preconditions: { readonly uid: string } }
      const [, namespace, plural, name] = /^\/apis\/rbac\.authorization\.k8s\.io\/v1\/(?:namespaces\/([^/]+)\/)?([a-z]+)\/([^/]+)$/.exec(
        args[2]!,
      )!
      assert.doesNotMatch(name!, /[?#\s]/, 'it would end the path')
      const id = `${PLURALS[plural!]!} ${namespace === undefined ? '' : `${namespace}/`}${decodeURIComponent(name!)}`
      assert.equal(preconditions.uid, this.stored.get(id)?.metadata.uid)
      this.stored.delete(id)
      this.did.push(`delete ${id}`)
    }
    return Promise.resolve({ code: 0, stdout: JSON.stringify({ items }) })
  }
}

function idOf({ kind, metadata: { name, namespace } }: Stored): string {
  return `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`
}

const labels = (target: string) => (target === '' ? {} : { 'ostiary.dev/target': target, 'ostiary.dev/revision': 'r1' })
const role = (name: string, target = 'prod', verbs: readonly string[] = ['get']): Stored => ({
  kind: 'ClusterRole',
  metadata: { name, labels: labels(target) },
  rules: [{ apiGroups: [''], resources: ['pods'], verbs }],
})
const binding = (name: string, to: string, group: string, target = 'prod'): Stored => ({
  kind: 'ClusterRoleBinding',
  metadata: { name, labels: labels(target) },
  roleRef: { kind: 'ClusterRole', name: to },
  subjects: [{ kind: 'Group', name: group }],
})
const inNamespace = (one: Stored, kind: string): Stored => ({ ...one, kind, metadata: { ...one.metadata, namespace: 'shop' } })

describe('roles of a cluster', () => {
  let cluster: Cluster
  beforeEach(() => {
    cluster = new Cluster()
  })

  test('what was for a time is removed once that is over, or where nobody says any more that it is not', async () => {
    const timed = (name: string, until: number): Stored => {
      const one = binding(name, 'r', 'ostiary:entra:lea')
      return { ...one, metadata: { ...one.metadata, annotations: { 'ostiary.dev/until': new Date(until).toISOString() } } }
    }
    const all = [role('r'), binding('b', 'r', 'ostiary:lead'), binding('left', 'r', 'ostiary:x')]
    cluster.put(...all, timed('over', NOW), timed('running', NOW + 1), timed('wanted', NOW + 1))
    const wanted = [role('r'), binding('b', 'r', 'ostiary:lead'), timed('wanted', NOW + 1)]
    assert.deepEqual(await applyRoles(OWNER, wanted, false, cluster, NOW), ['ClusterRoleBinding over'])
    const { drift } = await lookAtRoles(OWNER, wanted, cluster)
    const leftOver = drift.filter(({ is }) => is === 'left-over').map(({ document }) => document)
    assert.deepEqual(leftOver, ['ClusterRoleBinding left', 'ClusterRoleBinding running'], 'and until then it is told')
    assert.deepEqual(await applyRoles(OWNER, wanted, 'timed', cluster, NOW), ['ClusterRoleBinding running'])
    assert.ok(cluster.stored.has('ClusterRoleBinding left'))
    assert.deepEqual(await applyRoles(OWNER, wanted, true, cluster, NOW), ['ClusterRoleBinding left'])
  })

  test('are applied before what binds them, and what is left goes last, bindings first', async () => {
    cluster.put(
      role('old'),
      inNamespace(binding('b-old', 'old', 'ostiary:a'), 'RoleBinding'),
      role('theirs', ''),
      role('other', 'elsewhere'),
    )
    const wanted = [binding('b', 'new', 'ostiary:a'), role('new'), inNamespace(role('n'), 'Role')]
    assert.deepEqual(await applyRoles(OWNER, wanted, true, cluster, NOW), ['RoleBinding shop/b-old', 'ClusterRole old'])
    assert.deepEqual(cluster.did, [
      'apply ClusterRole new',
      'apply Role shop/n',
      'apply ClusterRoleBinding b',
      'delete RoleBinding shop/b-old',
      'delete ClusterRole old',
    ])
    assert.deepEqual(await lookAtRoles(OWNER, wanted, cluster), { drift: [], revisions: ['r1'] })
    assert.ok(cluster.stored.has('ClusterRole theirs') && cluster.stored.has('ClusterRole other'), 'what others have applied stays')
  })

  test('stay where nobody asked to remove them, and that is said', async () => {
    cluster.put(role('old'))
    assert.deepEqual(await applyRoles(OWNER, [role('new')], false, cluster, NOW), [])
    assert.deepEqual((await lookAtRoles(OWNER, [role('new')], cluster)).drift, [{ document: 'ClusterRole old', is: 'left-over' }])
  })

  test('are compared by what they give and to whom', async () => {
    const wanted = [role('a'), role('b'), role('c'), binding('d', 'a', 'ostiary:x')]
    cluster.put(role('b', 'prod', ['*']), { ...role('c'), aggregationRule: {} }, binding('d', 'a', 'ostiary:y'))
    const { drift } = await lookAtRoles(OWNER, wanted, cluster)
    assert.deepEqual(drift, [
      { document: 'ClusterRole a', is: 'missing' },
      { document: 'ClusterRole b', is: 'changed' },
      { document: 'ClusterRole c', is: 'changed' },
      { document: 'ClusterRoleBinding d', is: 'changed' },
    ])
  })

  test('are no others than these for groups that are ours', async () => {
    cluster.put(
      binding('admins', 'cluster-admin', 'ostiary:reader', ''),
      binding('guests', 'view', '4444', ''),
      binding('system:discovery', 'system:discovery', 'system:authenticated', ''),
      binding('theirs', 'view', 'theirs', ''),
    )
    const wanted = [role('a'), binding('b', 'a', '4444'), binding('c', 'a', 'system:authenticated')]
    await applyRoles(OWNER, wanted, false, cluster, NOW)
    assert.deepEqual((await lookAtRoles(OWNER, wanted, cluster)).drift, [
      { document: 'ClusterRoleBinding admins', is: 'foreign' },
      { document: 'ClusterRoleBinding guests', is: 'foreign' },
    ])
  })

  test('are no others than these for everybody, but for what every cluster gives by itself', async () => {
    const given = (name: string, ...groups: readonly string[]): Stored => ({
      ...binding(name, name, '', ''),
      subjects: groups.map((one) => ({ kind: 'Group', name: one })),
    })
    cluster.put(
      given('system:discovery', 'system:authenticated'),
      given('system:public-info-viewer', 'system:authenticated', 'system:unauthenticated'),
      given('system:basic-user', 'system:authenticated', 'system:unauthenticated'),
      inNamespace(binding('all', 'cluster-admin', 'system:authenticated', ''), 'RoleBinding'),
      binding('nobody', 'view', 'system:unauthenticated', ''),
      binding('accounts', 'view', 'system:serviceaccounts', ''),
    )
    const wanted = [role('a'), binding('b', 'a', 'ostiary:x')]
    await applyRoles(OWNER, wanted, false, cluster, NOW)
    assert.deepEqual((await lookAtRoles(OWNER, wanted, cluster)).drift, [
      { document: 'ClusterRoleBinding system:basic-user', is: 'foreign' },
      { document: 'RoleBinding shop/all', is: 'foreign' },
      { document: 'ClusterRoleBinding nobody', is: 'foreign' },
    ])
  })

  test('are removed by their names, whatever these hold', async () => {
    cluster.put(role('a?b#c d'), role('a'))
    await applyRoles(OWNER, [role('a')], true, cluster, NOW)
    assert.deepEqual(cluster.did, ['apply ClusterRole a', 'delete ClusterRole a?b#c d'])
  })

  test('of which somebody made a binding anew for another role, that one goes first', async () => {
    cluster.put(role('a'), binding('b', 'cluster-admin', 'ostiary:x'))
    await applyRoles(OWNER, [role('a'), binding('b', 'a', 'ostiary:x')], false, cluster, NOW)
    assert.deepEqual(cluster.did, ['delete ClusterRoleBinding b', 'apply ClusterRole a', 'apply ClusterRoleBinding b'])
  })
})
