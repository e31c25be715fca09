/** What an API server is asked for an action: every request by which it may come. All of them have to be answered alike. */
import { ALL, type KubernetesAction } from '../../core/action.ts'
import type { RbacRequest } from './evaluate.ts'

/** Ways in, which come by several methods: of pods by two, and what passes on whole requests by any. */
const WAYS_IN: readonly string[] = ['exec', 'attach', 'portforward', 'proxy']
const BY_STREAM: readonly string[] = ['get', 'create']
const BY_ANY: readonly string[] = ['get', 'create', 'update', 'patch', 'delete']

export function requestsOf(
  action: KubernetesAction,
  who: { readonly user: string; readonly groups: readonly string[] },
): readonly RbacRequest[] {
  const { verb, group: apiGroup, resource, subresource, path } = action
  if (path !== '') return (verb === 'get' ? ['get', 'head'] : [verb]).map((one) => ({ ...who, verb: one, path }))
  const of = { ...who, apiGroup, resource, subresource, namespace: one(action.namespace), name: one(action.name) }
  const verbs = !WAYS_IN.includes(subresource) ? [verb] : apiGroup === '' && subresource !== 'proxy' ? BY_STREAM : BY_ANY
  return verbs.map((each) => ({ ...of, verb: each }))
}

/** All of them, and none, are the same to it. */
function one(value: string): string {
  return value === ALL ? '' : value
}
