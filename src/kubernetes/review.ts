/** Questions that Kubernetes asks about access (`authorization.k8s.io/v1`), as actions. */
import { ALL, type KubernetesAction } from '../core/action.ts'
import type { Namespaced } from './request.ts'

/** `spec.resourceAttributes` of a SubjectAccessReview. */
export interface ResourceAttributes {
  readonly namespace?: string
  readonly verb?: string
  readonly group?: string
  readonly version?: string
  readonly resource?: string
  readonly subresource?: string
  readonly name?: string
}

/** `spec.nonResourceAttributes`. */
export interface NonResourceAttributes {
  readonly path?: string
  readonly verb?: string
}

/** Verbs that are about one object; where none is named, the question is about any. */
const OF_ONE: ReadonlySet<string> = new Set(['get', 'update', 'patch', 'delete'])
const CONNECTS: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward', 'proxy'])
/** Stands for an object of no particular name. */
const SOME_NAME = 'any-that-no-rule-names'

/** What is asked about; undefined for what no request can be. Verb, resource or group `*` is about all at once, which no action is. */
export function reviewedAction(
  spec: {
    readonly resourceAttributes?: ResourceAttributes | undefined
    readonly nonResourceAttributes?: NonResourceAttributes | undefined
  },
  namespaced: Namespaced,
): KubernetesAction | undefined {
  const { resourceAttributes: of, nonResourceAttributes: path } = spec
  if ((of === undefined) === (path === undefined)) return undefined
  const base = { protocol: 'kubernetes', group: '', resource: '', subresource: '', namespace: '', name: '', path: '' } as const
  if (path !== undefined) {
    const verb = path.verb ?? ''
    return { ...base, verb: verb === 'head' ? 'get' : verb, path: path.path ?? '' }
  }
  const { group = '', version = '', resource = '', subresource = '', namespace = '', name = '' } = of!
  if (resource === '' || resource === ALL || group === ALL || subresource === ALL || of!.verb === ALL) return undefined
  const verb = CONNECTS.has(subresource) ? 'create' : (of!.verb ?? '')
  const named = name === '' || name === ALL ? (OF_ONE.has(verb) ? SOME_NAME : ALL) : name
  const isNamespace = group === '' && resource === 'namespaces'
  const known = namespaced(group, version, resource)
  // Clients name the namespace that they are in, also of what is in none.
  const where = isNamespace ? (named === ALL ? '' : named) : known === false ? '' : namespace === '' ? ALL : namespace
  return { ...base, verb, group, resource, subresource, namespace: where, name: named }
}
