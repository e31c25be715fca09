/** What a cluster says somebody may do, cut down to what the policy allows too: for `kubectl auth can-i --list`. */
import type { KubernetesAction } from '../../core/action.ts'
import { reviewedAction } from '../../kubernetes/review.ts'
import type { Namespaced } from '../../kubernetes/request.ts'
import { REQUEST_VERBS, RESOURCES } from '../../policy/actions/kubernetes/known.ts'

/** `status` of a SelfSubjectRulesReview. */
export interface ClusterRules {
  readonly resourceRules?: readonly ResourceRule[] | null
  readonly nonResourceRules?: readonly PathRule[] | null
}

interface ResourceRule {
  readonly verbs?: readonly string[] | null
  readonly apiGroups?: readonly string[] | null
  readonly resources?: readonly string[] | null
  readonly resourceNames?: readonly string[] | null
}

interface PathRule {
  readonly verbs?: readonly string[] | null
  readonly nonResourceURLs?: readonly string[] | null
}

/** Questions that are put to the policy for one answer, at most: a short rule can name a million resources. */
const MAX_QUESTIONS = 20_000
const PATH_VERBS = ['get', 'post', 'put', 'patch', 'delete', 'options']

/** What holds for all resources or groups can't be said of the policy, and is left out: the answer is incomplete, and says so. */
export function rulesWithin(
  { resourceRules, nonResourceRules }: ClusterRules,
  namespace: string,
  may: (action: KubernetesAction) => boolean,
  namespaced: Namespaced,
): Required<ClusterRules> {
  let left = MAX_QUESTIONS
  const asked: typeof may = (action) => left-- > 0 && may(action)
  const resources: ResourceRule[] = []
  for (const rule of resourceRules ?? [])
    for (const [group, all] of placed(rule.apiGroups ?? [], rule.resources ?? []))
      for (const one of all) {
        if (left <= 0) break
        const kept = verbsWithin(rule, group, one, namespace, asked, namespaced)
        const { resourceNames } = rule
        if (kept.length > 0)
          resources.push({ verbs: kept, apiGroups: [group], resources: [one], ...(resourceNames?.length ? { resourceNames } : {}) })
      }
  const paths: PathRule[] = []
  for (const { verbs, nonResourceURLs } of nonResourceRules ?? [])
    for (const url of nonResourceURLs ?? []) {
      if (left <= 0) break
      const path = url.endsWith('*') ? `${url.slice(0, -1)}any` : url
      const kept = expanded(verbs, PATH_VERBS).filter((verb) =>
        asked(reviewedAction({ nonResourceAttributes: { path, verb } }, namespaced)!),
      )
      if (kept.length > 0) paths.push({ verbs: kept, nonResourceURLs: [url] })
    }
  return { resourceRules: resources, nonResourceRules: paths }
}

function verbsWithin(
  { verbs, resourceNames }: ResourceRule,
  group: string,
  one: string,
  namespace: string,
  may: (action: KubernetesAction) => boolean,
  namespaced: Namespaced,
): readonly string[] {
  const [resource = '', subresource = ''] = one.split('/')
  return expanded(verbs, REQUEST_VERBS).filter((verb) =>
    (resourceNames?.length ?? 0) === 0
      ? allows({ verb, group, resource, subresource, namespace }, may, namespaced)
      : resourceNames!.every((name) => allows({ verb, group, resource, subresource, namespace, name }, may, namespaced)),
  )
}

/** What stands for all groups or resources as those that are known: of what isn't, nobody can tell here. */
function placed(groups: readonly string[], names: readonly string[]): readonly (readonly [string, readonly string[]])[] {
  if (!groups.includes('*') && !names.includes('*')) return groups.map((group) => [group, names])
  return RESOURCES.filter(
    ([group, resource]) => (groups.includes('*') || groups.includes(group)) && (names.includes('*') || names.includes(resource)),
  ).map(([group, resource]) => [group, [resource, ...(SUBRESOURCES[`${resource}.${group}`] ?? [])]] as const)
}

const SUBRESOURCES: Readonly<Record<string, readonly string[]>> = {
  'pods.': ['pods/log', 'pods/exec', 'pods/attach', 'pods/portforward', 'pods/ephemeralcontainers', 'pods/eviction'],
  'serviceaccounts.': ['serviceaccounts/token'],
  'deployments.apps': ['deployments/scale'],
  'replicasets.apps': ['replicasets/scale'],
  'statefulsets.apps': ['statefulsets/scale'],
}

function expanded(verbs: readonly string[] | null | undefined, all: readonly string[]): readonly string[] {
  return (verbs ?? []).includes('*') ? all : (verbs ?? [])
}

function allows(
  of: NonNullable<Parameters<typeof reviewedAction>[0]['resourceAttributes']>,
  may: (action: KubernetesAction) => boolean,
  namespaced: Namespaced,
): boolean {
  const action = reviewedAction(
    { resourceAttributes: namespaced(of.group ?? '', 'v1', of.resource ?? '') === false ? { ...of, namespace: '' } : of },
    namespaced,
  )
  return action !== undefined && may(action)
}
