/**
 * Compares role definitions and assignments of Azure with the policy, cell by cell: what Azure would make of them as they are written,
 * against the rules that cover the cell, for everybody by one group. Both only grant: what holds for each group holds for every set of them.
 */
import type { KubernetesAction } from '../../../core/action.ts'
import { kubernetes } from '../../../policy/actions/kubernetes/index.ts'
import { STREAMS } from '../../../policy/actions/kubernetes/known.ts'
import type { KubernetesPattern } from '../../../policy/actions/kubernetes/template.ts'
import { literal } from '../../../policy/actions/sets/glob.ts'
import { pathSet } from '../../../policy/actions/sets/path.ts'
import { valuesOf } from '../../../policy/actions/sets/values.ts'
import { everyBut, some } from '../../../policy/actions/sets/words.ts'
import type { Counterexample } from '../../../policy/compare/enforced.ts'
import type { Rule } from '../../../policy/model.ts'
import { statementsOn } from '../../../policy/statements.ts'
import type { ResourceProof, TargetInput } from '../../target.ts'
import { EVERYTHING, isOpen, listedIn, MAX_CELLS, MAX_TOLD, PATTERN } from '../cells.ts'
import { isGiven } from '../defaults.ts'
import type { RbacRequest } from '../evaluate.ts'
import { peopleOf } from '../people.ts'
import { requestsOf } from '../requests.ts'
import type { KubernetesTarget } from '../schema.ts'
import { isAssigned, isWithin, readAzure, type ReadAzure } from './evaluate.ts'
import { asksTwice, isSentOn, isServed, SERVED, verbsOf, type Asked } from './known.ts'

type Outcome = Pick<ResourceProof, 'problems' | 'classes' | 'cells' | 'comparisons' | 'counterexamples' | 'notProven'>

interface Covering {
  readonly rule: Rule
  readonly pattern: KubernetesPattern
}

/** @param documents As they come back. @throws NotReadable, TooManyCells */
export function comparedInAzure(input: TargetInput<KubernetesTarget>, cluster: string, documents: readonly unknown[]): Outcome {
  const { config, policy } = input
  const told = readAzure(documents)
  const { rules, guardrails } = statementsOn(policy.model, config.resource)
  const notProven = [
    ...guardrails.map(({ id }) => `guardrail \`${id}\` takes away what roles can not`),
    ...rules.flatMap(({ id, when, peer }) => (when === undefined && peer === undefined ? [] : [`rule \`${id}\` asks what roles can not`])),
  ]
  const coverings = rules.flatMap((rule) =>
    rule.actions.flatMap(({ pattern }): readonly Covering[] => (pattern.protocol === 'kubernetes' ? [{ rule, pattern }] : [])),
  )
  const people = peopleOf(policy.model, rules, config, '', { roles: new Map(), bindings: told.assignments.map(bindingOf) })
  const patterns = [
    ...coverings.map(({ pattern }) => pattern),
    ...patternsIn(told, cluster),
    ...KNOWN_PATTERNS,
    ...listedIn(config),
    ...EVERYTHING,
  ]
  const counterexamples: Counterexample[] = []
  let [cells, comparisons] = [0, 0]
  for (const cell of kubernetes.cells(patterns, { named: () => undefined, wants: () => true, most: MAX_CELLS })) {
    cells++
    const action = cell.action(new Map())
    if (action?.protocol !== 'kubernetes') {
      notProven.push(`there is no request of ${cell.text}`)
      continue
    }
    const here = cell.covering.flatMap((number) => (coverings[number] === undefined ? [] : [coverings[number]]))
    const ways = waysOf(action, config.version)
    for (const { text, groups, holds } of people) {
      comparisons++
      const granting = here.filter(({ rule }) => rule.roles.some((role) => holds.has(role)))
      const direction = differs(action, ways, granting, holds, (request) => isAssigned(told, cluster, { ...request, groups }), config)
      if (direction !== undefined && counterexamples.length < MAX_TOLD)
        counterexamples.push({ issuer: undefined, who: [text], actions: cell.text, direction })
    }
  }
  return {
    problems: problemsOf(told, cluster),
    classes: people.length,
    cells,
    comparisons,
    counterexamples,
    notProven: [...new Set(notProven)],
  }
}

type Request = Omit<RbacRequest, 'groups'> & RbacRequest

/** How Azure differs from the policy about one action by somebody: undefined where it doesn't, or where nobody could tell. */
function differs(
  action: KubernetesAction,
  ways: readonly (readonly Request[])[],
  granting: readonly Covering[],
  holds: ReadonlySet<string>,
  isLetIn: (request: Request) => boolean,
  config: KubernetesTarget,
): 'wider' | 'narrower' | undefined {
  for (const way of ways) {
    const is = way.every(isLetIn)
    if (granting.length === 0 && is && !isAssumed(way, config)) return 'wider'
    if (granting.length === 0 || is || !way.every((one) => isServed(askedBy(one)))) continue
    const isLeft = granting.every(({ rule, pattern }) => rule.roles.some((role) => holds.has(role) && isGiven(role, pattern)))
    if (!isLeft && !isOpen(action, granting, config)) return 'narrower'
  }
  return undefined
}

/** By what it may come: requests, all of which have to be let in. */
function waysOf(action: KubernetesAction, version: string): readonly (readonly Request[])[] {
  const all = requestsOf(action, { user: 'somebody', groups: [] })
  const [byGet, byPost] = ['get', 'create'].map((verb) => all.find((one) => one.verb === verb))
  const isTwice = STREAMS.has(action.subresource) && action.subresource !== 'proxy' && action.group === '' && asksTwice(version)
  return isTwice ? [[byPost!], [byGet!, byPost!]] : all.map((one) => [one])
}

function askedBy(request: Request): Asked {
  if (request.path !== undefined) return { verb: request.verb, group: '', resource: '', subresource: '' }
  const { verb, apiGroup: group, resource, subresource } = request
  return { verb, group, resource, subresource }
}

/** Whether the wiring vouches for it: nothing answers it, or a pod or a service does. */
function isAssumed(way: readonly Request[], { assume }: KubernetesTarget): boolean {
  return way.some((request) => {
    if (request.path !== undefined) return assume.includes('served-resources') && NAMES.has(request.path)
    const asked = askedBy(request)
    return (assume.includes('served-resources') && !isServed(asked)) || (assume.includes('proxied-requests') && isSentOn(asked))
  })
}

/** Whoever is assigned to is asked about. */
function bindingOf({ principal }: ReadAzure['assignments'][number]) {
  return { namespace: '', role: '', subjects: [{ kind: 'Group' as const, name: principal, namespace: '' }] }
}

/** What Azure would refuse, and what gives more than a cluster. */
function problemsOf({ definitions, assignments }: ReadAzure, cluster: string): readonly string[] {
  const ofDefinitions = [...definitions.values()].flatMap(({ id, actions }) =>
    actions.length === 0 ? [] : [`${id} gives \`${actions.join('`, `')}\` over Azure’s own resources`],
  )
  const ofAssignments = assignments.flatMap(({ scope, definition, principal, principalType }) => {
    const found = definitions.get(definition)
    return [
      ...(principalType === 'Group' ? [] : [`${principalType} ${principal} is assigned to, and only groups are to be`]),
      ...(isWithin(scope, cluster) ? [] : [`${principal} is assigned to at \`${scope}\`, which is more than the cluster`]),
      ...(found === undefined
        ? [`role definition ${definition} is assigned and is not there: whoever writes it decides what it gives`]
        : []),
      ...(found?.assignableScopes.some((one) => isWithin(scope, one)) === false
        ? [`role definition ${definition} can not be assigned at \`${scope}\``]
        : []),
    ]
  })
  return [...new Set([...ofDefinitions, ...ofAssignments])]
}

/** What Azure knows, and what is served below it. */
const KNOWN_PATTERNS: readonly KubernetesPattern[] = SERVED.flatMap(({ group, resource, subresource, verbs }) =>
  verbs.length === 0
    ? []
    : [{ ...PATTERN, groups: some([group]), resources: some([resource]), subresources: some([subresource]), verbs: some(verbs) }],
)
const NAMES: ReadonlySet<string> = new Set(SERVED.map(({ group, resource }) => `/${group === '' ? '' : `${group}/`}${resource}`))

/** What the documents tell apart: namespaces, and data actions that may be of paths or of what Azure doesn't know. */
function patternsIn({ definitions, assignments }: ReadAzure, cluster: string): readonly KubernetesPattern[] {
  const namespaces = assignments.flatMap(({ scope }) => {
    const [, name] = isWithin(scope, cluster) ? (/^\/(?:managed)?namespaces\/([a-z0-9-]+)$/i.exec(scope.slice(cluster.length)) ?? []) : []
    return name === undefined ? [] : [{ ...PATTERN, namespaces: valuesOf([literal(name.toLowerCase())]) }]
  })
  const actions = [...definitions.values()].flatMap(({ permissions }) =>
    permissions.flatMap((one) => [...one.dataActions, ...one.notDataActions]),
  )
  return [...namespaces, ...[...new Set(actions)].flatMap(patternsOf)]
}

function patternsOf(action: string): readonly KubernetesPattern[] {
  const parts = action.split('/').slice(2)
  const [first = '', second = ''] = parts
  const kind = parts.at(-1)!.toLowerCase()
  const path = pathSet(parts.slice(0, -1).join('/'))
  const verbs = verbsOf(kind === 'action' ? parts.slice(-2).join('/').toLowerCase() : kind)
  return [
    { ...PATTERN, resources: some([first]) },
    { ...PATTERN, groups: some([first]), resources: some([second]) },
    ...(verbs.length === 0 ? [] : [{ ...PATTERN, verbs: some(verbs) }]),
    ...(typeof path === 'string' || action.includes('*')
      ? []
      : [{ ...PATTERN, paths: path, verbs: verbs.length === 0 ? everyBut() : some(verbs) }]),
  ]
}
