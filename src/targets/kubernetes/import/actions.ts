/** One rule of a role as actions of ours: never more than it gives, and what it gives besides by name. */
import { GUARDED_SUBRESOURCES, GUARDED_VERBS, PATH_VERBS, STREAMS, VERBS } from '../../../policy/actions/kubernetes/known.ts'
import { parsePattern } from '../../../policy/actions/kubernetes/template.ts'
import type { ReadRule } from './manifests.ts'

/** An action without where it is: `get,list pods web`. */
export interface Carried {
  /** Of a path, which is nowhere. */
  readonly isPath: boolean
  readonly text: string
}

export type Say = (kind: 'narrower' | 'over-broad', field: string, what: string) => void

/** @param field Of the rule: `rules[0]` */
export function actionsOf(rule: ReadRule, field: string, say: Say): readonly Carried[] {
  warn(rule, field, say)
  return [...pathsOf(rule, field, say), ...resourcesOf(rule, field, say)]
}

function pathsOf({ nonResourceURLs, verbs }: ReadRule, field: string, say: Say): readonly Carried[] {
  if (nonResourceURLs.length === 0) return []
  const every = verbs.includes('*')
  // Of a path, who may read it may also ask whether it is there.
  const known = PATH_VERBS.filter((verb) => verbs.includes(verb))
  if (!every && known.length === 0) return []
  return nonResourceURLs.flatMap((url) =>
    patternsOfPath(url).flatMap((path) => {
      const text = `${every ? '*' : known.join(',')} ${path}`
      if ((PATH.test(url) || url === '*') && parsePattern(text, 'grants').pattern !== undefined) return [{ isPath: true, text }]
      say('narrower', `${field}.nonResourceURLs`, `\`${url}\` is no path that a policy can say`)
      return []
    }),
  )
}

/** A text that means something else to a policy than to a cluster is none. */
const PATH = /^\/[^*\s]*\*?$/
const RESOURCE = /^(?:\*|[a-z][a-z0-9-]*)(?:\/(?:\*|[a-z][a-z0-9-]*))?$/
const GROUP = /^(?:\*|(?!core$)[a-z0-9.-]*)$/
const NAME = /^[A-Za-z0-9._:@~+=-]+$/

/** Below a path are its segments, and never what only begins with the same letters. */
function patternsOfPath(url: string): readonly string[] {
  if (url === '*' || url === '/*') return ['/**']
  if (url.endsWith('/*')) return [`${url.slice(0, -1)}**`]
  return url.endsWith('*') ? [url.slice(0, -1), `${url.slice(0, -1)}/**`] : [url]
}

function resourcesOf({ apiGroups, resources, resourceNames, verbs }: ReadRule, field: string, say: Say): readonly Carried[] {
  if (resources.length === 0) return []
  const every = verbs.includes('*')
  const known = every ? ['*'] : VERBS.filter((verb) => verbs.includes(verb))
  for (const verb of every ? [] : verbs.filter((one) => !VERBS.includes(one)))
    say('narrower', `${field}.verbs`, `\`${verb}\` is no verb of a policy`)
  const names = [...new Set(resourceNames)].toSorted()
  const groups = apiGroups.includes('*') ? ['*'] : [...new Set(apiGroups)]
  return groups.flatMap((group) =>
    (resources.includes('*') ? ['*', ...resources.filter(isGuarded)] : [...new Set(resources)]).flatMap((resource): readonly Carried[] => {
      const given = verbsFor(resource, group, verbs, known, field, say)
      if (given.length === 0) return []
      const of = namedIn(resource, group)
      const text = `${given.join(',')} ${of}${names.length === 0 ? '' : ` ${names.join(',')}`}`
      const { pattern, problem = 'what it names is none' } = parsePattern(text, 'grants')
      const isPlain = RESOURCE.test(resource) && GROUP.test(group) && names.every((name) => NAME.test(name))
      if (pattern !== undefined && isPlain) return [{ isPath: false, text }]
      say('narrower', `${field}.resources`, `\`${resource}\` of \`${group}\` can not be said: ${problem}`)
      return []
    }),
  )
}

/** `pods/exec` is not among `*`. */
function isGuarded(resource: string): boolean {
  return GUARDED_SUBRESOURCES.includes(resource.split('/')[1] ?? '')
}

function namedIn(resource: string, group: string): string {
  const [name = '', ...sub] = resource.split('/')
  const behind = sub.length === 0 ? '' : `/${sub.join('/')}`
  if (group === '') return `${name === '*' ? '*.core' : name}${behind}`
  return group === '*' && name === '*' ? `*${behind}` : `${name}.${group}${behind}`
}

/** Verbs for one of its resources; none where only a part of a way in is given, by which a policy would give all of it. */
function verbsFor(
  resource: string,
  group: string,
  verbs: readonly string[],
  known: readonly string[],
  field: string,
  say: Say,
): readonly string[] {
  const [name, sub] = resource.split('/')
  if (sub === '*') {
    say('narrower', `${field}.resources`, `\`${resource}\` gives nothing in a cluster, and so it does here`)
    return []
  }
  if (sub === undefined || !STREAMS.has(sub)) return known
  const needed = group === '' && sub !== 'proxy' && name !== '*' ? ['create', 'get'] : ['create', 'delete', 'get', 'patch', 'update']
  const missing = verbs.includes('*') ? [] : needed.filter((verb) => !verbs.includes(verb))
  if (missing.length === 0) return ['create']
  say(
    'narrower',
    `${field}.verbs`,
    `\`${resource}\` without ${missing.map((one) => `\`${one}\``).join(', ')}: a policy gives all of a way in, or none`,
  )
  return []
}

/** What is more than it seems. */
function warn({ verbs, resources, apiGroups, nonResourceURLs, resourceNames }: ReadRule, field: string, say: Say): void {
  const every = verbs.includes('*')
  const broad = (at: string, what: string): void => say('over-broad', `${field}.${at}`, what)
  const has = (verb: string): boolean => every || verbs.includes(verb)
  const core = apiGroups.includes('') || apiGroups.includes('*')
  const reaches = (resource: string): boolean =>
    resources.includes('*') || resources.includes(resource) || resources.includes(`*/${resource.split('/')[1] ?? ''}`)
  if (resources.length > 0 && every) {
    broad('verbs', '`*` is also `escalate`, `bind` and `impersonate`: here it is what requests do, and the rest has to be named')
    say('narrower', `${field}.verbs`, `\`*\` without ${GUARDED_VERBS.map((one) => `\`${one}\``).join(', ')}`)
  }
  if (resources.includes('*')) {
    broad(
      'resources',
      '`*` is also `secrets`, `pods/exec`, `nodes/proxy` and what will be added: here it is without ways in and credentials',
    )
    say('narrower', `${field}.resources`, `\`*\` without ${GUARDED_SUBRESOURCES.map((one) => `\`${one}\``).join(', ')}`)
  }
  if (nonResourceURLs.includes('*')) broad('nonResourceURLs', '`*` is every path of the API server')
  for (const verb of GUARDED_VERBS) if (verbs.includes(verb)) broad('verbs', `\`${verb}\`: whoever has it can come to have more`)
  if (!core) return
  if (reaches('secrets') && ['get', 'list', 'watch'].some(has) && resourceNames.length === 0)
    broad('resources', 'all `secrets`, tokens of service accounts among them')
  if (reaches('nodes/proxy') && has('get')) broad('resources', '`nodes/proxy`: a way into every container of the node, past all records')
  for (const one of ['pods/exec', 'pods/attach', 'pods/portforward'])
    if (resources.includes(one) && has('get') && !has('create')) broad('verbs', `\`get\` of \`${one}\`: before 1.35 that is a way in`)
  if (reaches('serviceaccounts/token') && has('create')) broad('resources', '`serviceaccounts/token`: credentials of every service account')
}
