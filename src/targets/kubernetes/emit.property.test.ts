import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { KubernetesAction } from '../../core/action.ts'
import { clusterUser } from '../../kubernetes/users.ts'
import { kubernetes } from '../../policy/actions/kubernetes/index.ts'
import type { CompiledPolicy } from '../../policy/index.ts'
import { NOW, someone } from '../../policy/testdata/world.ts'
import { runs, untilEnough } from '../../testing/runs.ts'
import type { TargetDocument } from '../target.ts'
import { compileKubernetes } from './emit.ts'
import { isAuthorized, readRbac } from './evaluate.ts'
import { proveKubernetes } from './prove.ts'
import { requestsOf } from './requests.ts'
import { inputOf, policyOf, targetOf } from './testing.ts'

const NAMESPACES = ['shop', 'team-a', 'team-b']
const verbs = fc.oneof(
  fc.constant('*'),
  fc
    .subarray(['get', 'list', 'watch', 'create', 'delete', 'deletecollection', 'impersonate', 'escalate'], { minLength: 1, maxLength: 3 })
    .map((all) => all.join(',')),
)
const what = fc.constantFrom(
  'pods',
  'pods/log',
  'pods/*',
  '*',
  '*.apps',
  'deployments.apps',
  'deployments.*',
  '*/scale',
  'namespaces',
  'secrets',
  'nodes',
  'pods/ephemeralcontainers',
)
const name = fc.constantFrom(...Array.from({ length: 9 }, () => ''), ' web', ' web,api', ' web', ' *', ' web-*')
const namespace = fc.constantFrom('', '', '', ' -n shop', ' -n shop', ' -n team-a,shop', ' -n team-a,shop', ' -n team-*', ' -n *')
const path = fc.constantFrom('/healthz', '/apis', '/apis/', '/apis/**', '/**', '/version/', '/healthz', '/api', '/a/*')
const pattern = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(verbs, what, name, namespace).map(([verb, of, named, where]) => `${verb} ${of}${named}${where}`) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('pods/exec', 'nodes/proxy', '*/attach', 'services/proxy'), name, namespace)
      .map((all) => `create ${all.join('')}`),
  },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('get', '*', 'post,get'), path).map((all) => all.join(' ')) },
)
const rule = fc.record({
  role: fc.uniqueArray(fc.constantFrom('reader', 'developer', 'operator', 'everyone', 'authenticated'), { minLength: 1, maxLength: 2 }),
  actions: fc.uniqueArray(pattern, { minLength: 1, maxLength: 3 }),
})
const rules = fc.array(rule, { minLength: 1, maxLength: 4 })

const action: fc.Arbitrary<KubernetesAction> = fc
  .record({
    verb: fc.constantFrom('get', 'list', 'create', 'delete', 'deletecollection', 'use', 'impersonate', 'escalate'),
    group: fc.constantFrom('', 'apps', 'example.com'),
    resource: fc.constantFrom('pods', 'deployments', 'namespaces', 'secrets', 'nodes', 'widgets'),
    subresource: fc.constantFrom('', '', 'log', 'scale', 'exec', 'attach', 'proxy', 'ephemeralcontainers'),
    namespace: fc.constantFrom('', '*', ...NAMESPACES, 'other'),
    name: fc.constantFrom('*', 'web', 'api', 'web-1', 'shop'),
  })
  .map((all) => ({ protocol: 'kubernetes' as const, ...all, path: '' }))
const pathAction: fc.Arbitrary<KubernetesAction> = fc
  .tuple(
    fc.constantFrom('get', 'post', 'options'),
    fc.constantFrom('/healthz', '/apis', '/apis/', '/apis/apps/v1', '/', '/version/', '/a/b'),
  )
  .map(([verb, to]) => ({
    protocol: 'kubernetes' as const,
    verb,
    group: '',
    resource: '',
    subresource: '',
    namespace: '',
    name: '',
    path: to,
  }))

/** Listed or not: with it, all that is asked about below is. */
const LISTED = {
  namespaces: [...NAMESPACES, 'other'],
  apiResources: ['', '.apps', '.example.com'].flatMap((group) =>
    ['pods', 'deployments', 'namespaces', 'secrets', 'nodes', 'widgets'].flatMap((one) =>
      ['', '/log', '/scale', '/ephemeralcontainers', '/exec'].map((sub) => `${one}${group}${sub}`),
    ),
  ),
}
const listing = fc.constantFrom({}, LISTED, LISTED)

const PEOPLE = [
  undefined,
  {},
  { groups: ['11111111-1111-1111-1111-111111111111'] },
  { groups: ['22222222-2222-2222-2222-222222222222'] },
  { roles: ['operator'], groups: ['33333333-3333-3333-3333-333333333333'] },
]

function decided(policy: CompiledPolicy, documents: readonly TargetDocument[], asked: KubernetesAction, claims: (typeof PEOPLE)[number]) {
  const principal = claims === undefined ? policy.anonymous : policy.bind(someone({ claims }))
  const door = clusterUser(principal)
  // Whom the door impersonates, and what the API server adds.
  const who =
    claims === undefined
      ? { user: 'system:anonymous', groups: ['system:unauthenticated'] }
      : { user: door.name, groups: [...door.groups, 'system:authenticated'] }
  const context = { time: NOW } as Parameters<CompiledPolicy['decide']>[3]
  return {
    engine: policy.decide(principal, asked, 'prod', context).effect === 'allow',
    cluster: requestsOf(asked, who).map((request) => isAuthorized(readRbac(documents), request)),
  }
}

describe('random policies in a cluster', () => {
  it('are decided as the engine decides them, or refused', async () => {
    let compiledAny = 0
    await untilEnough(
      () =>
        fc.assert(
          fc.property(
            rules,
            listing,
            fc.array(fc.oneof({ weight: 4, arbitrary: action }, pathAction), { minLength: 20, maxLength: 40 }),
            (all, listed, asked) => {
              const policy = policyOf(
                `rules: ${JSON.stringify(all.map((one, index) => ({ id: `r${index}`, resource: 'prod', ...one })))}\n`,
              )
              const config = targetOf(listed)
              const { documents, diagnostics } = compileKubernetes(inputOf(policy, config))
              if (diagnostics.length > 0) return assert.deepEqual(documents, [])
              compiledAny++
              for (const one of asked) {
                if (!kubernetes.matches({ ...EVERYTHING, ...(one.path === '' ? {} : PATHS) }, one)) continue
                for (const claims of PEOPLE) {
                  const { engine, cluster } = decided(policy, documents, one, claims)
                  for (const each of cluster) assert.equal(each, engine, `${JSON.stringify(one)} ${JSON.stringify(claims)}`)
                }
              }
              const [proof] = proveKubernetes(inputOf(policy, config), documents)
              assert.deepEqual([proof!.counterexamples, proof!.problems, proof!.notProven], [[], [], []])
            },
          ),
          { numRuns: runs(20) },
        ),
      () => compiledAny > 10,
      () => compiledAny,
    )
  })

  it('are found out where a document says anything else', () => {
    fc.assert(
      fc.property(
        rules,
        fc.nat(),
        fc.constantFrom('drop-binding', 'drop-verb', 'add-verb', 'add-resource', 'add-subject', 'everywhere'),
        (all, at, how) => {
          const policy = policyOf(`rules: ${JSON.stringify(all.map((one, index) => ({ id: `r${index}`, resource: 'prod', ...one })))}\n`)
          const { documents } = compileKubernetes(inputOf(policy, targetOf()))
          const changed = mutated(documents, at, how)
          if (changed === undefined) return
          const ask = (of: readonly TargetDocument[], one: KubernetesAction) =>
            PEOPLE.map((claims) => decided(policy, of, one, claims).cluster)
          const [proof] = proveKubernetes(inputOf(policy, targetOf()), changed)
          if (proof!.counterexamples.length + proof!.problems.length + proof!.notProven.length > 0) return
          // Where nothing was found, nothing is decided otherwise.
          for (const one of fc.sample(action, { numRuns: 60, seed: at }))
            assert.deepEqual(ask(changed, one), ask(documents, one), JSON.stringify(one))
        },
      ),
      { numRuns: runs(20) },
    )
  })
})

type Loose = Record<string, unknown> & {
  readonly rules?: Record<string, unknown>[]
  readonly subjects?: unknown[]
  metadata: Record<string, unknown>
}

/** Something else than what was compiled; undefined where there is nothing to change. */
function mutated(documents: readonly TargetDocument[], at: number, how: string): readonly TargetDocument[] | undefined {
  const all = JSON.parse(JSON.stringify(documents)) as Loose[]
  const bindings = all.filter(({ subjects }) => subjects !== undefined)
  const given = all.flatMap((one) => one.rules ?? [])
  const [binding, one] = [bindings[at % Math.max(bindings.length, 1)], given[at % Math.max(given.length, 1)]]
  if (binding === undefined || one === undefined) return undefined
  switch (how) {
    case 'drop-binding':
      return all.filter((each) => each !== binding)
    case 'drop-verb':
      one['verbs'] = (one['verbs'] as readonly string[]).slice(1)
      return all
    case 'add-verb':
      one['verbs'] = [...(one['verbs'] as readonly string[]), 'update']
      return all
    case 'add-resource':
      if (one['resources'] === undefined) return undefined
      one['resources'] = [...(one['resources'] as readonly string[]), 'widgets']
      return all
    case 'add-subject':
      binding.subjects!.push({ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'ostiary:reader' })
      return all
    default:
      delete one['resourceNames']
      return all
  }
}

const EVERYTHING = kubernetes.parse('* *', 'takes').pattern!
const PATHS = { paths: { segments: [], rest: true } }
