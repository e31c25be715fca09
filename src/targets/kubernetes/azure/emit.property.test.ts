import * as fc from 'fast-check'
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { KubernetesAction } from '../../../core/action.ts'
import { isCanonical } from '../../../policy/actions/kubernetes/canonical.ts'
import { STREAMS } from '../../../policy/actions/kubernetes/known.ts'
import type { CompiledPolicy } from '../../../policy/index.ts'
import { NOW, someone } from '../../../policy/testdata/world.ts'
import { runs, untilEnough } from '../../../testing/runs.ts'
import type { TargetDocument } from '../../target.ts'
import { compileKubernetes } from '../emit.ts'
import { proveKubernetes } from '../prove.ts'
import { requestsOf } from '../requests.ts'
import { inputOf, policyOf } from '../testing.ts'
import type { KubernetesTarget } from '../schema.ts'
import { isAssigned, readAzure, type ReadAzure } from './evaluate.ts'
import { isSentOn, isServed } from './known.ts'
import { ASSUMED, azureTarget, CLUSTER, DEVELOPERS, OTHERS, READERS } from './testing.ts'

const SETS = ['get,list,watch', 'create,update,patch', 'delete,deletecollection', '*']
/** What is one to Azure, and what isn't. */
const BUNDLES: readonly (readonly string[])[] = [
  ...['configmaps', 'secrets', 'leases.coordination.k8s.io'].flatMap((what) => SETS.map((verbs) => [`${verbs} ${what}`])),
  ['get,list,watch deployments.apps', 'get deployments.apps/scale', 'get deployments.apps/status'],
  ['create,update,patch deployments.apps', 'update,patch deployments.apps/scale', 'update,patch deployments.apps/status'],
  ['get,list,watch pods', 'get pods/log', 'get pods/status', 'get pods/ephemeralcontainers', 'get pods/resize'],
  ['create pods/attach', 'create pods/portforward'],
  ['create pods/exec'],
  ['create pods/proxy'],
  ['* pods', 'create pods/proxy', 'create pods/attach', 'create pods/portforward', 'create pods/binding', 'create pods/eviction'],
  ['get,update,patch pods/status', 'get,update,patch pods/ephemeralcontainers', 'get,update,patch pods/resize', 'get pods/log'],
  ['get,list,watch services', 'get services/status'],
  ['impersonate users'],
  ['create,update,patch serviceaccounts', 'create serviceaccounts/token'],
  ['create,update,patch serviceaccounts'],
  ['get,list,watch namespaces', 'get namespaces/status'],
  ['get secrets'],
  ['get,list,watch pods web'],
]
const where = fc.constantFrom('', '', ' -n shop', ' -n shop', ' -n team-a,shop', ' -n team-*')
const rule = fc.record({
  role: fc.uniqueArray(fc.constantFrom('reader', 'developer', 'reader', 'developer', 'authenticated'), { minLength: 1, maxLength: 2 }),
  actions: fc
    .tuple(fc.subarray([...BUNDLES.keys()], { minLength: 1, maxLength: 3 }), where)
    .map(([bundles, scope]) => [...new Set(bundles.flatMap((one) => BUNDLES[one]!.map((text) => `${text}${scope}`)))]),
})
const rules = fc.array(rule, { minLength: 1, maxLength: 3 })
const wired = fc.record({
  version: fc.constantFrom('1.34', '1.35'),
  assume: fc.constantFrom([...ASSUMED], [...ASSUMED, 'proxied-requests'], [...ASSUMED, 'proxied-requests']),
  namespaces: fc.constantFrom(['shop', 'team-a', 'other']),
  apiResources: fc.constantFrom(['configmaps', 'secrets', 'events']),
})

/** What requests may be about, served or not. */
const WHAT: readonly (readonly [group: string, resource: string, subresource: string])[] = [
  ...['', 'log', 'status', 'exec', 'attach', 'portforward', 'proxy', 'ephemeralcontainers', 'eviction', 'other'].map(
    (sub) => ['', 'pods', sub] as const,
  ),
  ...['', 'scale', 'status'].map((sub) => ['apps', 'deployments', sub] as const),
  ...['', 'proxy', 'status'].map((sub) => ['', 'services', sub] as const),
  ...['', 'token'].map((sub) => ['', 'serviceaccounts', sub] as const),
  ...['configmaps', 'secrets', 'users', 'nodes'].map((resource) => ['', resource, ''] as const),
  ['coordination.k8s.io', 'leases', ''],
  ['example.com', 'widgets', ''],
  ['example.com', 'pods', ''],
]
const VERBS = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection', 'impersonate', 'escalate', 'use']
/** Each of them by each verb, in some namespaces and everywhere. */
const ACTIONS: readonly KubernetesAction[] = WHAT.flatMap(([group, resource, subresource]) =>
  (STREAMS.has(subresource) ? ['create'] : VERBS).flatMap((verb) =>
    ['*', '', 'shop', 'team-a', 'bank'].flatMap((namespace) =>
      ['*', 'web'].map((name) => ({ protocol: 'kubernetes' as const, verb, group, resource, subresource, namespace, name, path: '' })),
    ),
  ),
).filter((one) => isCanonical(one))

const PEOPLE = [[], [READERS], [DEVELOPERS], [READERS, OTHERS], ['99999999-9999-9999-9999-999999999999']]

function texts(all: readonly object[]): string {
  return `rules: ${JSON.stringify(all.map((one, index) => ({ id: `r${index}`, resource: 'prod', ...one })))}\n`
}

function engine(policy: CompiledPolicy, asked: KubernetesAction, groups: readonly string[]): boolean {
  const context = { time: NOW } as Parameters<CompiledPolicy['decide']>[3]
  return policy.decide(policy.bind(someone({ claims: { groups } })), asked, 'prod', context).effect === 'allow'
}

/** Of all requests by which the action may come: whether each is let in. Without what nobody answers. */
function azure(read: ReadAzure, asked: KubernetesAction, groups: readonly string[], { version, assume }: KubernetesTarget) {
  const { group, resource, subresource } = asked
  const requests = requestsOf(asked, { user: 'somebody', groups })
  const is = (one: (typeof requests)[number]): boolean => isAssigned(read, CLUSTER, one)
  // From 1.35 on, who comes by GET is asked about `create` too.
  const isTwice = version === '1.35' && group === '' && ['exec', 'attach', 'portforward'].includes(subresource)
  return requests
    .map((one) => ({ one, of: { verb: one.verb, group, resource, subresource } }))
    .filter(({ of }) => isServed(of))
    .map(({ one, of }) => ({
      is: is(one) && (!isTwice || requests.every(is)),
      isVouched: assume.includes('proxied-requests') && isSentOn(of),
    }))
}

function readOf(documents: readonly TargetDocument[]): ReadAzure {
  return readAzure(JSON.parse(JSON.stringify(documents)) as readonly unknown[])
}

describe('random policies in Azure', () => {
  it('are decided as the engine decides them, or refused', async () => {
    let [compiledAny, allowed] = [0, 0]
    const round = (): void =>
      fc.assert(
        fc.property(rules, wired, (all, wiring) => {
          const policy = policyOf(texts(all))
          const config = azureTarget(wiring)
          const { documents, diagnostics } = compileKubernetes(inputOf(policy, config))
          if (diagnostics.length > 0) return assert.deepEqual(documents, [])
          compiledAny++
          const read = readOf(documents)
          for (const groups of PEOPLE)
            for (const one of ACTIONS) {
              const may = engine(policy, one, groups)
              for (const { is, isVouched } of azure(read, one, groups, config)) {
                if (is) allowed++
                if (!(isVouched && is)) assert.equal(is, may, `${JSON.stringify(one)} ${groups.join()}`)
              }
            }
          const [proof] = proveKubernetes(inputOf(policy, config), documents)
          assert.deepEqual([proof!.counterexamples, proof!.problems, proof!.notProven], [[], [], []])
        }),
        { numRuns: runs(20) },
      )
    await untilEnough(
      round,
      () => compiledAny > 3 && allowed > 100,
      () => ({ compiledAny, allowed }),
    )
  })

  it('are found out where a document says anything else', () => {
    let found = 0
    fc.assert(
      fc.property(
        fc.subarray([...BUNDLES.keys()].slice(0, 15), { minLength: 1, maxLength: 4 }),
        where,
        fc.nat(),
        fc.constantFrom('drop', 'drop-action', 'add-action', 'wildcard', 'group', 'scope', 'except'),
        (bundles, scope, at, how) => {
          const actions = [...new Set(bundles.flatMap((one) => BUNDLES[one]!.map((text) => `${text}${scope}`)))]
          const policy = policyOf(texts([{ role: ['developer'], actions }]))
          const config = azureTarget({ namespaces: ['shop', 'team-a'], assume: [...ASSUMED, 'proxied-requests'] })
          const { documents } = compileKubernetes(inputOf(policy, config))
          const changed = mutated(documents, at, how)
          if (changed === undefined) return
          const [proof] = proveKubernetes(inputOf(policy, config), changed)
          if (proof!.counterexamples.length + proof!.problems.length + proof!.notProven.length > 0) return void found++
          // Where nothing was found, nothing is decided otherwise.
          const [was, is] = [readOf(documents), readOf(changed)]
          for (const groups of PEOPLE)
            for (const one of ACTIONS)
              for (const [index, { is: before, isVouched }] of azure(was, one, groups, config).entries())
                if (!isVouched)
                  assert.equal(azure(is, one, groups, config)[index]!.is, before, `${how} ${JSON.stringify(one)} ${groups.join()}`)
        },
      ),
      { numRuns: runs(20) },
    )
    assert.ok(found > 10, `only ${found} were found`)
  })
})

interface Loose {
  id: string
  readonly type: string
  readonly properties: { principalId: string; permissions: { dataActions: string[]; notDataActions: string[] }[] }
}

/** Something else than what was compiled; undefined where there is nothing to change. */
function mutated(documents: readonly TargetDocument[], at: number, how: string): readonly TargetDocument[] | undefined {
  const all = JSON.parse(JSON.stringify(documents)) as Loose[]
  const of = (type: string) => all.filter((one) => one.type.endsWith(type))
  const [assignments, definitions] = [of('roleAssignments'), of('roleDefinitions')]
  const [assignment, definition] = [assignments[at % Math.max(assignments.length, 1)], definitions[at % Math.max(definitions.length, 1)]]
  if (assignment === undefined || definition === undefined) return undefined
  const [permission] = definition.properties.permissions
  const actions = permission!.dataActions
  const others = [
    'secrets/read',
    'secrets/write',
    'configmaps/delete',
    'example.com/widgets/write',
    'customresources/delete',
    'pods/exec/action',
    'services/read',
    'apps/deployments/read',
  ]
  switch (how) {
    case 'drop':
      return all.filter((one) => one !== assignment) as unknown as readonly TargetDocument[]
    case 'drop-action':
      actions.shift()
      break
    case 'add-action':
      actions.push(`Microsoft.ContainerService/managedClusters/${others[at % others.length]!}`)
      break
    case 'wildcard':
      actions[0] = actions[0]!.replace(/[^/]+$/, '*')
      break
    case 'except':
      permission!.notDataActions.push(actions[at % actions.length]!)
      break
    case 'group':
      assignment.properties.principalId = READERS
      break
    default:
      assignment.id = assignment.id.includes('/namespaces/')
        ? assignment.id.replace(/\/namespaces\/[^/]+/, '')
        : assignment.id.replace('/prod/', '/prod/namespaces/bank/')
  }
  return all as unknown as readonly TargetDocument[]
}
