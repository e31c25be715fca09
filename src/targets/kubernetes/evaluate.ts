/**
 * The API server's role-based access control over documents as they were written: reads bytes, and knows neither the policy nor what wrote
 * them. Rules are those of `plugin/pkg/auth/authorizer/rbac` of Kubernetes.
 */

/** What an authorizer is asked. */
export type RbacRequest = { readonly groups: readonly string[]; readonly user: string; readonly verb: string } & (
  | {
      readonly apiGroup: string
      readonly resource: string
      readonly subresource: string
      /** Empty for none, and across all. */
      readonly namespace: string
      /** Empty where it is about none by name. */
      readonly name: string
      readonly path?: undefined
    }
  | { readonly path: string }
)

interface ReadRule {
  readonly verbs: readonly string[]
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames: readonly string[]
  readonly nonResourceURLs: readonly string[]
}

interface ReadSubject {
  readonly kind: 'User' | 'Group' | 'ServiceAccount'
  readonly name: string
  readonly namespace: string
}

interface ReadBinding {
  /** Empty for the whole cluster. */
  readonly namespace: string
  readonly subjects: readonly ReadSubject[]
  /** Undefined for a role that there isn't. */
  readonly role: string
}

export interface ReadRbac {
  /** By kind, namespace and name. */
  readonly roles: ReadonlyMap<string, readonly ReadRule[]>
  readonly bindings: readonly ReadBinding[]
}

/** What was written can't be understood as the API server would. */
export class NotReadable extends Error {}

type Fields = Readonly<Record<string, unknown>>

/** @throws NotReadable */
export function readRbac(documents: readonly unknown[]): ReadRbac {
  const roles = new Map<string, readonly ReadRule[]>()
  const bindings: ReadBinding[] = []
  for (const one of documents) {
    const { apiVersion, kind, metadata, ...rest } = fieldsOf(one, 'a document')
    const { name, namespace = '' } = fieldsOf(metadata, 'metadata')
    if (apiVersion !== 'rbac.authorization.k8s.io/v1') throw new NotReadable(`apiVersion \`${String(apiVersion)}\``)
    if (typeof name !== 'string' || name === '' || typeof namespace !== 'string') throw new NotReadable('a document without a name')
    switch (kind) {
      case 'ClusterRole':
      case 'Role': {
        const { rules, ...more } = rest
        nothingIn(more)
        placed(kind === 'Role', namespace, name)
        const key = roleKey(kind, namespace, name)
        if (roles.has(key)) throw new NotReadable(`two of ${key}`)
        roles.set(key, listIn(rules ?? []).map(ruleOf))
        break
      }
      case 'ClusterRoleBinding':
      case 'RoleBinding': {
        const { subjects, roleRef, ...more } = rest
        nothingIn(more)
        placed(kind === 'RoleBinding', namespace, name)
        const ref = fieldsOf(roleRef, 'roleRef')
        if (ref['apiGroup'] !== 'rbac.authorization.k8s.io') throw new NotReadable('roleRef of another group')
        if (ref['kind'] !== 'ClusterRole' && (ref['kind'] !== 'Role' || kind === 'ClusterRoleBinding'))
          throw new NotReadable(`roleRef of kind \`${String(ref['kind'])}\``)
        bindings.push({
          namespace,
          subjects: listIn(subjects ?? []).map(subjectOf),
          role: roleKey(ref['kind'], ref['kind'] === 'Role' ? namespace : '', String(ref['name'])),
        })
        break
      }
      default:
        throw new NotReadable(`kind \`${String(kind)}\``)
    }
  }
  return { roles, bindings }
}

function placed(isInOne: boolean, namespace: string, name: string): void {
  if (isInOne !== (namespace !== '')) throw new NotReadable(`namespace \`${namespace}\` of \`${name}\``)
}

function roleKey(kind: string, namespace: string, name: string): string {
  return `${kind} ${namespace}/${name}`
}

function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new NotReadable(`${what} that is no object`)
  return value as Fields
}

function nothingIn(more: Fields): void {
  const names = Object.keys(more)
  if (names.length > 0) throw new NotReadable(`\`${names.join('`, `')}\` of a document`)
}

function listIn(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new NotReadable('a list that is none')
  return value
}

function textsIn(value: unknown): readonly string[] {
  return listIn(value ?? []).map((one) => {
    if (typeof one !== 'string') throw new NotReadable('a text that is none')
    return one
  })
}

function ruleOf(value: unknown): ReadRule {
  const { verbs, apiGroups, resources, resourceNames, nonResourceURLs, ...more } = fieldsOf(value, 'a rule')
  nothingIn(more)
  return {
    verbs: textsIn(verbs),
    apiGroups: textsIn(apiGroups),
    resources: textsIn(resources),
    resourceNames: textsIn(resourceNames),
    nonResourceURLs: textsIn(nonResourceURLs),
  }
}

function subjectOf(value: unknown): ReadSubject {
  const { kind, name, namespace = '', apiGroup = '' } = fieldsOf(value, 'a subject')
  if ((kind !== 'User' && kind !== 'Group' && kind !== 'ServiceAccount') || typeof name !== 'string' || typeof namespace !== 'string')
    throw new NotReadable('a subject of another kind')
  if (apiGroup !== (kind === 'ServiceAccount' ? '' : 'rbac.authorization.k8s.io'))
    throw new NotReadable(`a subject of group \`${String(apiGroup)}\``)
  return { kind, name, namespace }
}

/** Whether some role that a binding gives allows it. */
export function isAuthorized({ roles, bindings }: ReadRbac, request: RbacRequest): boolean {
  const namespace = request.path === undefined ? request.namespace : ''
  return bindings.some(
    (binding) =>
      (binding.namespace === '' || (namespace !== '' && binding.namespace === namespace)) &&
      binding.subjects.some((subject) => appliesTo(subject, request)) &&
      (roles.get(binding.role) ?? []).some((rule) => allows(rule, request)),
  )
}

function appliesTo({ kind, name, namespace }: ReadSubject, { user, groups }: RbacRequest): boolean {
  switch (kind) {
    case 'User':
      return name === user
    case 'Group':
      return groups.includes(name)
    case 'ServiceAccount':
      return user === `system:serviceaccount:${namespace}:${name}`
  }
}

const EVERYTHING = '*'

function allows(rule: ReadRule, request: RbacRequest): boolean {
  if (!has(rule.verbs, request.verb)) return false
  if (request.path !== undefined) return rule.nonResourceURLs.some((url) => meetsPath(url, request.path))
  const { apiGroup, resource, subresource, name } = request
  const combined = subresource === '' ? resource : `${resource}/${subresource}`
  return (
    has(rule.apiGroups, apiGroup) &&
    rule.resources.some((one) => one === EVERYTHING || one === combined || (subresource !== '' && one === `*/${subresource}`)) &&
    (rule.resourceNames.length === 0 || rule.resourceNames.includes(name))
  )
}

function has(all: readonly string[], one: string): boolean {
  return all.includes(EVERYTHING) || all.includes(one)
}

function meetsPath(url: string, path: string): boolean {
  return url === EVERYTHING || url === path || (url.endsWith('*') && path.startsWith(url.replace(/\*+$/, '')))
}
