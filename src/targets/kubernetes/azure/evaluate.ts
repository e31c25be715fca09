/**
 * Azure's authorization of requests to a cluster, over role definitions and assignments as they were written: reads bytes, and knows
 * neither the policy nor what wrote them. What a request is asked as is what `authz/providers/azure/rbac` of Guard, the authorizer of AKS,
 * makes of it; how data actions and scopes meet it, what Azure documents of its roles.
 */
import { NotReadable, type RbacRequest } from '../evaluate.ts'

interface ReadPermission {
  readonly dataActions: readonly string[]
  readonly notDataActions: readonly string[]
  /** @param asked A data action in lower case */
  readonly gives: (asked: string) => boolean
}

export interface ReadDefinition {
  readonly id: string
  /** Of Azure itself, not of the cluster. */
  readonly actions: readonly string[]
  readonly permissions: readonly ReadPermission[]
  readonly assignableScopes: readonly string[]
}

export interface ReadAssignment {
  readonly scope: string
  /** Name of the definition, in lower case. */
  readonly definition: string
  readonly principal: string
  readonly principalType: string
}

export interface ReadAzure {
  /** By name, in lower case. */
  readonly definitions: ReadonlyMap<string, ReadDefinition>
  readonly assignments: readonly ReadAssignment[]
}

type Fields = Readonly<Record<string, unknown>>

const ID = /^(\/subscriptions\/.+)\/providers\/microsoft\.authorization\/(roledefinitions|roleassignments)\/([0-9a-f-]{36})$/i

/** @throws NotReadable */
export function readAzure(documents: readonly unknown[]): ReadAzure {
  const definitions = new Map<string, ReadDefinition>()
  const assignments: ReadAssignment[] = []
  const ids = new Set<string>()
  for (const one of documents) {
    const { id, type, name, properties } = only(one, ['id', 'type', 'name', 'properties'])
    const [, scope, kind, guid] = ID.exec(textIn(id)) ?? []
    if (scope === undefined) throw new NotReadable(`id \`${String(id)}\``)
    if (textIn(type).toLowerCase() !== `microsoft.authorization/${kind!.toLowerCase()}` || name !== guid)
      throw new NotReadable(`\`${String(id)}\` says that it is another`)
    if (ids.has(textIn(id).toLowerCase())) throw new NotReadable(`two of \`${String(id)}\``)
    ids.add(textIn(id).toLowerCase())
    if (kind!.toLowerCase() === 'roledefinitions') {
      if (definitions.has(guid!.toLowerCase())) throw new NotReadable(`two definitions \`${guid!}\``)
      definitions.set(guid!.toLowerCase(), definitionOf(textIn(id), properties))
    } else assignments.push(assignmentOf(scope, properties))
  }
  return { definitions, assignments }
}

function definitionOf(id: string, value: unknown): ReadDefinition {
  const fields = only(value, ['roleName', 'description', 'type', 'permissions', 'assignableScopes'])
  if (fields['type'] !== 'CustomRole') throw new NotReadable(`a role of type \`${String(fields['type'])}\``)
  const permissions = listIn(fields['permissions']).map((one) => {
    const { actions, dataActions, notDataActions } = only(one, ['actions', 'notActions', 'dataActions', 'notDataActions'])
    return { actions: textsIn(actions), ...permissionOf(textsIn(dataActions), textsIn(notDataActions)) }
  })
  return { id, actions: permissions.flatMap(({ actions }) => actions), permissions, assignableScopes: textsIn(fields['assignableScopes']) }
}

function permissionOf(dataActions: readonly string[], notDataActions: readonly string[]): ReadPermission {
  const [given, taken] = [dataActions.map(meeting), notDataActions.map(meeting)]
  return { dataActions, notDataActions, gives: (asked) => given.some((one) => one(asked)) && !taken.some((one) => one(asked)) }
}

function assignmentOf(scope: string, value: unknown): ReadAssignment {
  // A condition is no field of these: nothing here could tell what it comes to.
  const { roleDefinitionId, principalId, principalType } = only(value, ['roleDefinitionId', 'principalId', 'principalType'])
  const [, , kind, definition] = ID.exec(textIn(roleDefinitionId)) ?? []
  if (kind?.toLowerCase() !== 'roledefinitions') throw new NotReadable(`roleDefinitionId \`${String(roleDefinitionId)}\``)
  return {
    scope,
    definition: definition!.toLowerCase(),
    principal: textIn(principalId).toLowerCase(),
    principalType: textIn(principalType),
  }
}

function only(value: unknown, names: readonly string[]): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new NotReadable('a document that is no object')
  const more = Object.keys(value).filter((one) => !names.includes(one))
  if (more.length > 0) throw new NotReadable(`\`${more.join('`, `')}\` of a document`)
  return value as Fields
}

function listIn(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new NotReadable('a list that is none')
  return value
}

function textIn(value: unknown): string {
  if (typeof value !== 'string' || value === '') throw new NotReadable('a text that is none')
  return value
}

function textsIn(value: unknown): readonly string[] {
  return listIn(value).map(textIn)
}

/** Whether some assignment to one of the groups allows it. @param cluster Resource id of the cluster that is asked */
export function isAssigned({ definitions, assignments }: ReadAzure, cluster: string, request: RbacRequest): boolean {
  const groups = request.groups.map((one) => one.toLowerCase())
  const theirs = assignments.filter(({ principal }) => groups.includes(principal))
  if (theirs.length === 0) return false
  const [scopes, asked] = [scopesOf(cluster, request), askedAs(request)]
  return theirs.some(
    ({ scope, definition }) =>
      scopes.some((one) => isWithin(one, scope)) && (definitions.get(definition)?.permissions ?? []).some(({ gives }) => asked.some(gives)),
  )
}

/** Where it is asked about: the namespace, also as one that Azure manages. */
function scopesOf(cluster: string, request: RbacRequest): readonly string[] {
  if (request.path !== undefined || request.namespace === '') return [cluster]
  return [`${cluster}/namespaces/${request.namespace}`, `${cluster}/managedNamespaces/${request.namespace}`]
}

/** Whether what is given at a scope counts at another. */
export function isWithin(scope: string, of: string): boolean {
  return `${scope.toLowerCase()}/`.startsWith(`${of.toLowerCase()}/`)
}

const PROVIDER = 'Microsoft.ContainerService/managedClusters'
const VERBS: ReadonlyMap<string, string> = new Map([
  ...['get', 'list', 'watch'].map((verb) => [verb, 'read'] as const),
  ...['create', 'update', 'patch'].map((verb) => [verb, 'write'] as const),
  ...['delete', 'deletecollection'].map((verb) => [verb, 'delete'] as const),
  ...['bind', 'escalate', 'impersonate', 'use'].map((verb) => [verb, `${verb}/action`] as const),
])

/** Data actions in lower case, one of which has to be held. A resource of a group may be a custom one there, which are all asked about alike. */
function askedAs(request: RbacRequest): readonly string[] {
  const verb = VERBS.get(request.verb) ?? ''
  if (request.path !== undefined) return [joined(request.path, verb)]
  const { apiGroup, resource, subresource } = request
  const own = resource === 'pods' && subresource === 'exec' ? 'pods/exec/action' : `${resource}/${verb}`
  return [joined(apiGroup, own), ...(apiGroup === '' ? [] : [joined('customresources', verb)])]
}

function joined(...parts: readonly string[]): string {
  const text = [PROVIDER, ...parts.filter((one) => one !== '')].join('/').toLowerCase()
  return text.includes('//') || text.endsWith('/') ? text.replaceAll(/\/+/g, '/').replace(/\/$/, '') : text
}

/** Whether a data action, in lower case, is met by this one: `*` is for anything, more than one part as well. */
function meeting(action: string): (asked: string) => boolean {
  const [first = '', ...rest] = action.toLowerCase().split('*')
  const last = rest.pop()
  return last === undefined ? (text) => text === first : (text) => isBetween(text, first, rest, last)
}

function isBetween(text: string, first: string, rest: readonly string[], last: string): boolean {
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false
  let at = first.length
  for (const piece of rest) {
    const found = text.indexOf(piece, at)
    if (found === -1 || found + piece.length > text.length - last.length) return false
    at = found + piece.length
  }
  return true
}
