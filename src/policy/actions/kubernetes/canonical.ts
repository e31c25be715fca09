import { ALL, type KubernetesAction } from '../../../core/action.ts'
import { isPlainPath } from '../sets/path.ts'
import { OF_ONE, PATH_VERBS, STREAMS, VERBS } from './known.ts'

const WORD = /^[a-z][a-z0-9-]{0,62}$/
const GROUP = /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)?$/
export const NAMESPACE = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
/** A segment of a path: DNS names, and what roles and users are called besides. */
export const NAME = /^(?!\.{1,2}$)[A-Za-z0-9._:@~+=-]{1,253}$/

/** Whether an action has the form that a door gives it. What hasn't is covered by nothing. */
export function isCanonical({ verb, group, resource, subresource, namespace, name, path }: KubernetesAction): boolean {
  if (path !== '') return isPlainPath(path) && PATH_VERBS.includes(verb) && `${group}${resource}${subresource}${namespace}${name}` === ''
  return (
    VERBS.includes(verb) &&
    GROUP.test(group) &&
    WORD.test(resource) &&
    (subresource === '' || WORD.test(subresource)) &&
    (namespace === '' || namespace === ALL || NAMESPACE.test(namespace)) &&
    (name === ALL ? !OF_ONE.has(verb) : NAME.test(name)) &&
    (verb === 'create' || !STREAMS.has(subresource)) &&
    // A namespace is in itself, as for the API server: who may do nothing in it may not delete it either.
    (group !== '' || resource !== 'namespaces' || namespace === (name === ALL ? '' : name))
  )
}
