/** What tests of this target share: a world with clusters, and what a policy comes to in one of them. */
import assert from 'node:assert/strict'
import type { Wiring } from '../../config/schema.ts'
import type { Action } from '../../core/action.ts'
import { kubernetes } from '../../policy/actions/kubernetes/index.ts'
import { isProblem } from '../../policy/actions/text.ts'
import type { CompiledPolicy } from '../../policy/index.ts'
import { kindClaims, load, wiring as world } from '../../policy/testdata/world.ts'
import type { PolicyWiring } from '../../policy/world.ts'
import type { NativeIssuers, ResourceProof, TargetDocument, TargetInput, TargetResult } from '../target.ts'
import { compileKubernetes } from './emit.ts'
import { isAuthorized, readRbac } from './evaluate.ts'
import { proveKubernetes } from './prove.ts'
import { requestsOf } from './requests.ts'
import { kubernetesSchema, type KubernetesTarget } from './schema.ts'

const cluster = {
  protocol: 'kubernetes',
  description: undefined,
  labels: {},
  issuers: undefined,
  scopes: undefined,
  record: 'spool' as const,
}

export function wiringOf(more: Readonly<Record<string, unknown>> = {}): PolicyWiring {
  return { ...world, resources: { ...world.resources, prod: { ...cluster, ...more } } }
}

export const ROLES = `roles:
  reader: { bind: [{ issuer: entra, claim: groups, any: [11111111-1111-1111-1111-111111111111] }] }
  developer: { bind: [{ issuer: entra, claim: groups, any: [22222222-2222-2222-2222-222222222222, 33333333-3333-3333-3333-333333333333] }] }
  operator: { bind: [{ issuer: entra, claim: roles, any: [operator] }, { issuer: ci, claim: repository, any: [infra] }] }
`

/** @param statements Rules and guardrails, as YAML with their headings */
export function policyOf(statements: string, more: Readonly<Record<string, unknown>> = {}, roles = ROLES): CompiledPolicy {
  const { policy, diagnostics } = load(`${roles}${statements}`, { wiring: wiringOf(more), kindClaims })
  assert.deepEqual(
    diagnostics.filter(({ severity }) => severity === 'error').map(({ message }) => message),
    [],
  )
  return policy!
}

/** A policy of one rule for `developer`. */
export function granting(...actions: readonly string[]): CompiledPolicy {
  return policyOf(`rules:\n  - { id: work, role: developer, resource: prod, actions: ${JSON.stringify(actions)} }\n`)
}

export function targetOf(more: Readonly<Record<string, unknown>> = {}): KubernetesTarget {
  return kubernetesSchema.parse({
    kind: 'kubernetes',
    resource: 'prod',
    version: '1.36',
    assume: ['default-roles', 'canonical-paths'],
    ...more,
  })
}

export function inputOf(
  policy: CompiledPolicy,
  config: KubernetesTarget = targetOf(),
  more: Readonly<Record<string, unknown>> = {},
  issuers: NativeIssuers = new Map(),
): TargetInput<KubernetesTarget> {
  return {
    name: 'prod',
    config,
    wiring: wiringOf(more) as unknown as Wiring,
    policy,
    issuers,
    keys: undefined,
    revision: 'a'.repeat(64),
  }
}

export function compiled(...[policy, config, more]: Parameters<typeof inputOf>): TargetResult {
  return compileKubernetes(inputOf(policy, config, more))
}

/** What is said against it, without the places. */
export function refusals(...all: Parameters<typeof compiled>): readonly string[] {
  const { documents, diagnostics } = compiled(...all)
  if (diagnostics.length > 0) assert.deepEqual(documents, [], 'nothing is written where anything is wrong')
  return diagnostics.map(({ message }) => message)
}

/** Without what only tells the version. */
export function documentsOf(...all: Parameters<typeof compiled>): readonly TargetDocument[] {
  assert.deepEqual(refusals(...all), [])
  const { documents: written, form } = compiled(...all)
  // Azure is told no version.
  if (form === 'json') return written
  const [version, ...documents] = written
  assert.deepEqual([version!['kind'], version!['rules']], ['ClusterRole', []])
  return documents
}

export function proven(policy: CompiledPolicy, documents?: readonly TargetDocument[], config = targetOf()): ResourceProof {
  const [proof, ...more] = proveKubernetes(inputOf(policy, config), documents ?? documentsOf(policy, config))
  assert.equal(more.length, 0)
  return proof!
}

/** Nothing differs, and all was looked at. */
export function assertProven(policy: CompiledPolicy, config = targetOf()): ResourceProof {
  const { cells, counterexamples, notProven, problems, ...rest } = proven(policy, undefined, config)
  assert.deepEqual({ counterexamples, notProven, problems }, { counterexamples: [], notProven: [], problems: [] })
  assert.ok(cells > 0, 'no cell was looked at')
  return { cells, counterexamples, notProven, problems, ...rest }
}

export function actionOf(text: string): Extract<Action, { readonly protocol: 'kubernetes' }> {
  const action = kubernetes.read(text)
  if (isProblem(action)) throw new TypeError(`${text}: ${action.problem}`)
  return action
}

/** Whether every request by which an action may come is allowed; undefined where some are. */
export function allows(documents: readonly TargetDocument[], text: string, ...groups: readonly string[]): boolean | undefined {
  const answers = requestsOf(actionOf(text), { user: 'somebody', groups }).map((request) => isAuthorized(readRbac(documents), request))
  return answers.every((one) => one === answers[0]) ? answers[0] : undefined
}
