/** One pattern of a rule as permissions of role-based access control: exactly what it grants, or why that can't be said. */
import { OF_ONE, PATH_VERBS, STREAMS, VERBS } from '../../policy/actions/kubernetes/known.ts'
import type { KubernetesPattern } from '../../policy/actions/kubernetes/template.ts'
import { isStar, matchesGlob } from '../../policy/actions/sets/glob.ts'
import { literalPath } from '../../policy/actions/sets/path.ts'
import { literalsOf, type Values } from '../../policy/actions/sets/values.ts'
import { hasWord } from '../../policy/actions/sets/words.ts'
import { NoNativeForm } from '../../policy/native/native.ts'
import type { KubernetesTarget } from './schema.ts'

/** `rules` of a role, as the API server has them. */
export type PolicyRule =
  | {
      readonly apiGroups: readonly string[]
      readonly resources: readonly string[]
      readonly resourceNames?: readonly string[]
      readonly verbs: readonly string[]
    }
  | { readonly nonResourceURLs: readonly string[]; readonly verbs: readonly string[] }

export interface Permission {
  /** Undefined for everywhere, and for what is in no namespace. */
  readonly namespace: string | undefined
  readonly rule: PolicyRule
}

export interface Permissions {
  readonly permissions: readonly Permission[]
  /** What it grants besides, to nobody here: by what it is listed in the wiring. */
  readonly narrower: readonly ('namespaces' | 'apiResources')[]
  /** Prefixes of paths, below which the API server takes any spelling. */
  readonly prefixes: readonly string[]
}

type Listed = Pick<KubernetesTarget, 'namespaces' | 'apiResources'>

/** @throws NoNativeForm for what role-based access control has no word for */
export function permissionsOf(pattern: KubernetesPattern, listed: Listed): Permissions {
  if (pattern.paths !== undefined) return ofPaths(pattern)
  const [namespaces, isOpen] = namespacesOf(pattern, listed)
  const names = namesOf(pattern)
  const [served, isListed] = resourcesOf(pattern, listed)
  const verbs = VERBS.filter((verb) => hasWord(pattern.verbs, verb)).toSorted()
  const rules = served.map(({ group, resources, subresource }): PolicyRule => ({
    apiGroups: [group],
    resources,
    ...(names === undefined ? {} : { resourceNames: names }),
    verbs: STREAMS.has(subresource) ? streamVerbs(group, subresource) : verbs,
  }))
  return {
    permissions: namespaces.flatMap((namespace) => rules.map((rule) => ({ namespace, rule }))),
    narrower: [...(isOpen ? (['namespaces'] as const) : []), ...(isListed ? (['apiResources'] as const) : [])],
    prefixes: [],
  }
}

/**
 * A way in comes as GET by WebSocket and as POST over SPDY, and before 1.35 GET alone was enough: both or none. What passes on whole
 * requests takes their methods.
 */
function streamVerbs(group: string, subresource: string): readonly string[] {
  return group === '' && subresource !== 'proxy' ? ['create', 'get'] : ['create', 'delete', 'get', 'patch', 'update']
}

function namespacesOf({ namespaces }: KubernetesPattern, { namespaces: all }: Listed): readonly [readonly (string | undefined)[], boolean] {
  if (namespaces.any) return [[undefined], false]
  const named = literalsOf(namespaces)
  if (named !== undefined) return [sorted(named), false]
  if (all === undefined)
    throw new NoNativeForm(`its namespaces are a pattern (${saidOf(namespaces)}), of which \`namespaces\` of the target lists none`)
  const literals = namespaces.globs.flatMap((one) => (one.pieces.length === 1 ? one.pieces : []))
  return [sorted([...literals, ...all.filter((one) => namespaces.globs.some((glob) => matchesGlob(glob, one)))]), true]
}

/** Undefined for any, and for none. */
function namesOf({ names, verbs }: KubernetesPattern): readonly string[] | undefined {
  if (names.any) return undefined
  const named = literalsOf(names)
  if (named !== undefined) return sorted(named)
  // What always is about one has a name.
  if (names.globs.some(isStar) && !verbs.every && [...verbs.values].every((verb) => OF_ONE.has(verb))) return undefined
  throw new NoNativeForm(`its names are a pattern (${saidOf(names)}), and roles have names alone`)
}

function saidOf(values: Values): string {
  return values.any ? '`*`' : values.globs.map(({ pieces }) => `\`${pieces.join('*')}\``).join(', ')
}

interface Served {
  readonly group: string
  readonly resources: readonly string[]
  readonly subresource: string
}

/** `*` of a role is also for every way into a container: it is never written, but with the name of a subresource. */
function resourcesOf(pattern: KubernetesPattern, { apiResources }: Listed): readonly [readonly Served[], boolean] {
  const { resources, groups, subresources } = pattern
  const [resource] = resources.every ? ['*'] : [...resources.values]
  const [group] = groups.every ? ['*'] : [...groups.values]
  if (!subresources.every && (resource !== '*' || !subresources.values.has(''))) {
    const served = [...subresources.values].map((one) => ({
      group: group!,
      resources: [one === '' ? resource! : `${resource!}/${one}`],
      subresource: one,
    }))
    return [served, false]
  }
  if (apiResources === undefined)
    throw new NoNativeForm(
      '`*` of a role is also for `pods/exec` and all other ways in, and `apiResources` of the target lists no resources',
    )
  const found = apiResources
    .map(takenApart)
    .filter((one) => hasWord(resources, one.resource) && hasWord(groups, one.group) && hasWord(subresources, one.subresource))
  const byGroup = Map.groupBy(found, (one) => one.group)
  const served = [...byGroup].map(([name, all]) => ({ group: name, resources: sorted(all.map(({ text }) => text)), subresource: '' }))
  return [served.toSorted((a, b) => (a.group < b.group ? -1 : 1)), true]
}

/** `deployments.apps/scale` */
export function takenApart(said: string): {
  readonly resource: string
  readonly group: string
  readonly subresource: string
  readonly text: string
} {
  const [what = '', subresource = ''] = said.split('/')
  const dot = what.indexOf('.')
  const resource = dot === -1 ? what : what.slice(0, dot)
  return {
    resource,
    group: dot === -1 ? '' : what.slice(dot + 1),
    subresource,
    text: subresource === '' ? resource : `${resource}/${subresource}`,
  }
}

function ofPaths({ paths, verbs, text }: KubernetesPattern): Permissions {
  const methods = PATH_VERBS.filter((verb) => hasWord(verbs, verb))
  const path = literalPath({ segments: paths!.segments, rest: false })
  if (path === undefined) throw new NoNativeForm(`\`${text}\` has a \`*\` in its path: a role has \`/**\` alone, at the end`)
  const url = paths!.rest ? `/${path}${path === '' ? '' : '/'}*` : `/${path}`
  // HEAD is a verb of its own there.
  const rule = { nonResourceURLs: [url], verbs: sorted(methods.includes('get') ? [...methods, 'head'] : methods) }
  return { permissions: [{ namespace: undefined, rule }], narrower: [], prefixes: paths!.rest ? [url.slice(0, -1)] : [] }
}

function sorted(all: readonly string[]): readonly string[] {
  return [...new Set(all)].toSorted()
}
