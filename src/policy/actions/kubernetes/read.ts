import { ALL, type KubernetesAction } from '../../../core/action.ts'
import { asciiProblem, isProblem, notKnown, textProperties } from '../text.ts'
import type { Problem } from '../vocabulary.ts'
import { isCanonical } from './canonical.ts'
import { isNamespaced, OF_ONE, PATH_VERBS, STREAMS, VERBS } from './known.ts'
import { readResource } from './resource.ts'

/** Reads one concrete action: `get pods web-1 -n shop`, `list pods -A`, `get /healthz`. */
export function readAction(text: string): KubernetesAction | Problem {
  const problem = asciiProblem(text)
  if (problem !== undefined) return problem
  if (/[*,]/.test(text)) return { problem: 'it asks for one concrete action, without `*` and lists' }
  const [verb = '', what, ...more] = text.split(' ')
  if (what === undefined) return { problem: 'it needs a verb and a resource', help: 'write for example `get pods web-1 -n shop`' }
  if (what.startsWith('/')) return more.length === 0 ? ofPath(verb, what) : { problem: 'nothing comes after a path' }
  const resource = readResource(what)
  if (isProblem(resource)) return resource
  const everywhere = more.at(-1) === '-A'
  const words = everywhere ? more.slice(0, -1) : more
  const named = words[0] !== undefined && words[0] !== '-n'
  const [flag, namespace, ...others] = named ? words.slice(1) : words
  if (
    (flag !== undefined && flag !== '-n') ||
    others.length > 0 ||
    (flag !== undefined) !== (namespace !== undefined) ||
    (everywhere && flag !== undefined)
  )
    return { problem: 'it is a name, then `-n` and a namespace, or `-A`', help: 'write for example `get pods web-1 -n shop`' }
  const { group, subresource = '' } = resource
  const where = everywhere ? ALL : (namespace ?? (isNamespaced(group, resource.resource) === true ? undefined : ''))
  if (where === undefined)
    return {
      problem: `\`${resource.resource}\` are in namespaces, and it names none`,
      help: 'write `-n` and a namespace, or `-A` for across all',
    }
  return ofResource({ verb, group, resource: resource.resource, subresource, namespace: where, name: named ? words[0]! : ALL })
}

type OfResource = Omit<KubernetesAction, 'protocol' | 'path'>

function ofResource(said: OfResource): KubernetesAction | Problem {
  const { group, resource, subresource, name } = said
  const verb = STREAMS.has(subresource) && VERBS.includes(said.verb) ? 'create' : said.verb
  if (!VERBS.includes(verb)) return notKnown(verb, 'the verbs', VERBS)
  if (name === ALL && OF_ONE.has(verb))
    return {
      problem: `\`${verb}\` is about one of them, and it names none`,
      help: verb === 'get' ? 'write its name, or `list`' : verb === 'delete' ? 'write its name, or `deletecollection`' : 'write its name',
    }
  if (said.namespace !== '' && said.namespace !== ALL && isNamespaced(group, resource) === false && resource !== 'namespaces')
    return { problem: `\`${resource}\` are in no namespace`, help: 'leave `-n` out' }
  const isNamespace = group === '' && resource === 'namespaces'
  const namespace = isNamespace ? (name === ALL ? '' : name) : said.namespace
  const action = { protocol: 'kubernetes', ...said, verb, namespace, path: '' } as const
  if (isNamespace && said.namespace !== '' && said.namespace !== ALL && said.namespace !== name)
    return { problem: 'a namespace is in itself', help: 'leave `-n` out' }
  return isCanonical(action) ? action : { problem: 'a name, namespace or group in it is none that the API server takes' }
}

function ofPath(method: string, path: string): KubernetesAction | Problem {
  const verb = method === 'head' ? 'get' : method
  if (!PATH_VERBS.includes(verb)) return notKnown(verb, 'the verbs of paths', PATH_VERBS)
  const action = { protocol: 'kubernetes', verb, group: '', resource: '', subresource: '', namespace: '', name: '', path } as const
  return isCanonical(action) ? action : { problem: 'its path is not canonical' }
}

/** The same from a verb and properties. A namespace that isn't said can't be told, unless the resource is known to be in none. */
export function readParts(verb: string, properties: Readonly<Record<string, unknown>>): KubernetesAction | Problem {
  const read = textProperties(properties, ['group', 'resource', 'subresource', 'namespace', 'name', 'path'])
  if (isProblem(read)) return read
  const { group = '', resource, subresource = '', namespace, name = ALL, path } = read
  if (path !== undefined)
    return Object.keys(read).length === 1 ? ofPath(verb, path) : { problem: 'it has a path and a resource', help: 'write one of them' }
  if (resource === undefined) return { problem: 'it needs the property `resource`, or `path`' }
  return ofResource({
    verb,
    group,
    resource,
    subresource,
    namespace: namespace ?? (isNamespaced(group, resource) === false ? '' : ALL),
    name,
  })
}
