import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KubernetesAction } from '../../core/action.ts'
import { isNamespaced } from '../../policy/actions/kubernetes/known.ts'
import { rulesWithin } from './rules.ts'

const namespaced = (group: string, _version: string, resource: string): boolean | undefined => isNamespaced(group, resource)
const pods = { verbs: ['get', 'list', 'delete'], apiGroups: [''], resources: ['pods', 'pods/exec', 'nodes'] }

test('what a cluster and the policy both give is told, resource by resource', () => {
  const may = ({ verb, resource, subresource, namespace, name, path }: KubernetesAction): boolean =>
    path === '/healthz' ||
    (verb !== 'delete' && resource === 'pods' && subresource === '' && namespace === 'shop' && name !== 'hidden') ||
    (resource === 'nodes' && namespace === '')
  const rules = [
    pods,
    { ...pods, resourceNames: ['a', 'hidden'] },
    { ...pods, resourceNames: ['a'] },
    { verbs: ['*'], nonResourceURLs: [] },
  ]
  const told = rulesWithin(
    { resourceRules: rules, nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['/healthz', '/metrics', '/healthz*'] }] },
    'shop',
    may,
    namespaced,
  )
  assert.deepEqual(told.resourceRules, [
    { verbs: ['get', 'list'], apiGroups: [''], resources: ['pods'] },
    { verbs: ['get', 'list', 'delete'], apiGroups: [''], resources: ['nodes'] },
    { verbs: ['get', 'list', 'delete'], apiGroups: [''], resources: ['nodes'], resourceNames: ['a', 'hidden'] },
    { verbs: ['get', 'list'], apiGroups: [''], resources: ['pods'], resourceNames: ['a'] },
    { verbs: ['get', 'list', 'delete'], apiGroups: [''], resources: ['nodes'], resourceNames: ['a'] },
  ])
  assert.deepEqual(told.nonResourceRules, [{ verbs: ['get'], nonResourceURLs: ['/healthz'] }])
})

test('rules that stand for more than can be looked at are told as far as they were', () => {
  const many = Array.from({ length: 1000 }, (_, i) => `r${i}`)
  for (const rules of [
    { resourceRules: [{ verbs: ['*'], apiGroups: many, resources: many }] },
    { resourceRules: [{ verbs: many, apiGroups: ['example.com'], resources: many, resourceNames: many }] },
    { resourceRules: Array.from({ length: 5000 }, () => ({ verbs: ['*'], apiGroups: ['*'], resources: ['*'] })) },
    { nonResourceRules: [{ verbs: many, nonResourceURLs: many.map((one) => `/${one}`) }] },
  ]) {
    let asked = 0
    let looked = 0
    const told = rulesWithin(
      rules,
      'shop',
      () => ++asked > 0,
      (...what) => {
        looked++
        return namespaced(...what)
      },
    )
    assert.equal(asked, 20_000)
    assert.ok(looked < 50_000, `${looked}`)
    assert.ok(told.resourceRules!.length + told.nonResourceRules!.length > 0)
  }
})
