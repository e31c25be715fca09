import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { askedAlike, dataActionOf, isServed, SERVED, textOf } from './known.ts'

/** As `/api/v1` and `/apis` of Kubernetes 1.36 list what is served below resources, of those that Azure knows. */
const DISCOVERED = `
namespaces finalize:update status:get+patch+update
nodes proxy:create+delete+get+patch+update status:get+patch+update
persistentvolumeclaims status:get+patch+update
persistentvolumes status:get+patch+update
pods attach:create+get binding:create ephemeralcontainers:get+patch+update eviction:create exec:create+get log:get portforward:create+get proxy:create+delete+get+patch+update resize:get+patch+update status:get+patch+update
replicationcontrollers scale:get+patch+update status:get+patch+update
resourcequotas status:get+patch+update
serviceaccounts token:create
services proxy:create+delete+get+patch+update status:get+patch+update
apiservices.apiregistration.k8s.io status:get+patch+update
daemonsets.apps status:get+patch+update
deployments.apps scale:get+patch+update status:get+patch+update
replicasets.apps scale:get+patch+update status:get+patch+update
statefulsets.apps scale:get+patch+update status:get+patch+update
horizontalpodautoscalers.autoscaling status:get+patch+update
cronjobs.batch status:get+patch+update
jobs.batch status:get+patch+update
certificatesigningrequests.certificates.k8s.io approval:get+patch+update status:get+patch+update
ingresses.networking.k8s.io status:get+patch+update
poddisruptionbudgets.policy status:get+patch+update
volumeattachments.storage.k8s.io status:get+patch+update
customresourcedefinitions.apiextensions.k8s.io status:get+patch+update
flowschemas.flowcontrol.apiserver.k8s.io status:get+patch+update
prioritylevelconfigurations.flowcontrol.apiserver.k8s.io status:get+patch+update
`

describe('what Azure can tell apart', () => {
  it('is below a resource what Kubernetes serves there', () => {
    const found = new Map<string, Map<string, Set<string>>>()
    for (const { group, resource, subresource, verbs } of SERVED) {
      const of = `${resource}${group === '' ? '' : `.${group}`}`
      const below = found.get(of) ?? new Map<string, Set<string>>()
      if (subresource !== '') below.set(subresource, new Set([...(below.get(subresource) ?? []), ...verbs]))
      if (below.size > 0) found.set(of, below)
    }
    const lines = [...found].map(([of, below]) =>
      [of, ...[...below].map(([name, verbs]) => `${name}:${[...verbs].toSorted().join('+')}`).toSorted()].join(' '),
    )
    assert.deepEqual(lines.toSorted(), DISCOVERED.trim().split('\n').toSorted())
  })

  it('has the names that Microsoft lists', () => {
    const names = new Set(SERVED.flatMap(({ verbs, ...of }) => verbs.flatMap((verb) => dataActionOf({ ...of, verb }) ?? [])))
    const ends = (end: string) => [...names].filter((one) => one.endsWith(end)).map((one) => one.slice(0, -end.length))
    assert.deepEqual(
      [...names].filter((one) => one.endsWith('/action')).toSorted(),
      [
        'groups/impersonate/action',
        'pods/exec/action',
        ...['clusterroles', 'roles'].flatMap((one) =>
          ['bind', 'escalate'].map((verb) => `rbac.authorization.k8s.io/${one}/${verb}/action`),
        ),
        'serviceaccounts/impersonate/action',
        'users/impersonate/action',
      ].toSorted(),
    )
    const [read, written, deleted] = ['/read', '/write', '/delete'].map(ends) as [string[], string[], string[]]
    assert.deepEqual(
      read.filter((one) => !deleted.includes(one)),
      ['metrics.k8s.io/nodes', 'metrics.k8s.io/pods'],
    )
    assert.deepEqual(written.filter((one) => !deleted.includes(one)).toSorted(), [
      'authentication.k8s.io/tokenreviews',
      ...['localsubjectaccessreviews', 'selfsubjectaccessreviews', 'selfsubjectrulesreviews', 'subjectaccessreviews'].map(
        (one) => `authorization.k8s.io/${one}`,
      ),
      'bindings',
    ])
    assert.equal(deleted.length, 49)
    assert.ok(deleted.every((one) => written.includes(one) && read.includes(one)))
  })

  it('is of a pod everything but `exec`, and of nothing what is not served', () => {
    const alike = (verb: string, version: string) => askedAlike({ verb, group: '', resource: 'pods', subresource: '' }, version).map(textOf)
    const read = [
      'get pods',
      'list pods',
      'watch pods',
      'get pods/ephemeralcontainers',
      'get pods/log',
      'get pods/resize',
      'get pods/status',
      'create pods/proxy',
    ]
    assert.deepEqual(alike('list', '1.35').toSorted(), read.toSorted())
    assert.deepEqual(alike('list', '1.34').toSorted(), [...read, 'create pods/attach', 'create pods/portforward'].toSorted())
    assert.deepEqual(alike('delete', '1.36').toSorted(), ['create pods/proxy', 'delete pods', 'deletecollection pods'])
    assert.equal(isServed({ verb: 'get', group: '', resource: 'configmaps', subresource: 'status' }), false)
    assert.equal(
      isServed({ verb: 'get', group: 'example.com', resource: 'widgets', subresource: 'status' }),
      true,
      'of a custom resource nobody knows',
    )
    assert.equal(dataActionOf({ verb: 'get', group: 'example.com', resource: 'widgets', subresource: '' }), undefined)
    assert.equal(dataActionOf({ verb: 'create', group: 'example.com', resource: 'pods', subresource: 'exec' }), undefined)
  })
})
