import { ALL, type KubernetesAction } from '../../../core/action.ts'
import { isPlainPath } from '../sets/path.ts'
import { OF_ONE, PATH_VERBS, STREAMS, VERBS } from './known.ts'

const WORD = /^[a-z][a-z0-9-]{0,62}$/
const GROUP = /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)?$/
export const NAMESPACE = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
/** A segment of a path: DNS names, and what roles and users are called besides. */
export const NAME = /^(?!\.{1,2}$)[A-Za-z0-9._:@~+=-]{1,253}$/

/** Which fields of an action have a form that patterns can name. */
export const NAMEABLE = {
  verb: ({ verb, path }: KubernetesAction) => (path === '' ? VERBS : PATH_VERBS).includes(verb),
  group: ({ group }: KubernetesAction) => GROUP.test(group),
  resource: ({ resource }: KubernetesAction) => WORD.test(resource),
  subresource: ({ subresource }: KubernetesAction) => subresource === '' || WORD.test(subresource),
  namespace: ({ namespace }: KubernetesAction) => namespace === '' || namespace === ALL || NAMESPACE.test(namespace),
  name: ({ name }: KubernetesAction) => name === ALL || NAME.test(name),
  path: ({ path }: KubernetesAction) => isPlainPath(path),
} as const

/** Whether an action has the form that a door gives it. What hasn't is covered by nothing. */
export function isCanonical(action: KubernetesAction): boolean {
  const { verb, group, resource, subresource, namespace, name, path } = action
  if (path !== '') return NAMEABLE.path(action) && NAMEABLE.verb(action) && `${group}${resource}${subresource}${namespace}${name}` === ''
  return (
    NAMEABLE.verb(action) &&
    NAMEABLE.group(action) &&
    NAMEABLE.resource(action) &&
    NAMEABLE.subresource(action) &&
    NAMEABLE.namespace(action) &&
    NAMEABLE.name(action) &&
    (name !== ALL || !OF_ONE.has(verb)) &&
    (verb === 'create' || !STREAMS.has(subresource)) &&
    // A namespace is in itself, as for the API server: who may do nothing in it may not delete it either.
    (group !== '' || resource !== 'namespaces' || namespace === (name === ALL ? '' : name))
  )
}
