/**
 * The action vocabulary of Kubernetes, as `kubectl` writes it: `get,list,watch pods -n team-a`,
 * `create pods/exec web-* -n shop`, `patch deployments.apps/scale`, `get /healthz`.
 *
 * In a rule, `*` for verbs and for resources leaves out what has to be named: see `GUARDED_VERBS` and
 * `GUARDED_SUBRESOURCES`. In a guardrail it leaves out nothing.
 */
import type { KubernetesAction } from '../../../core/action.ts'
import { glob, type Glob } from '../sets/glob.ts'
import { matchesPath, pathSet, type PathSet } from '../sets/path.ts'
import { readGlobs } from '../sets/read.ts'
import { ANY, meetsValue, valuesOf, type Side, type Values } from '../sets/values.ts'
import { everyBut, hasWord, some, type Words } from '../sets/words.ts'
import { asciiProblem, isProblem, wordList } from '../text.ts'
import type { Parsed, PatternBase, Problem } from '../vocabulary.ts'
import { isCanonical, NAME, NAMEABLE, NAMESPACE } from './canonical.ts'
import { GUARDED_SUBRESOURCES, GUARDED_VERBS, PATH_VERBS, STREAMS, VERBS } from './known.ts'
import { readResource } from './resource.ts'

export interface KubernetesPattern extends PatternBase {
  readonly protocol: 'kubernetes'
  readonly side: Side
  readonly verbs: Words
  readonly resources: Words
  readonly groups: Words
  /** With the empty word for the resource itself. */
  readonly subresources: Words
  readonly namespaces: Values
  readonly names: Values
  /** Of a pattern for paths, which is for no resource; undefined otherwise. */
  readonly paths: PathSet | undefined
}

const FORM = 'write for example `get,list pods -n team-a`, or `get /healthz`'

/** Reads one pattern. */
export function parsePattern(text: string, side: Side): Parsed<KubernetesPattern> {
  const problem = asciiProblem(text)
  if (problem !== undefined) return problem
  const [verbs, what, ...more] = text.split(' ')
  if (verbs === undefined || what === undefined) return { problem: 'it needs verbs and a resource', help: FORM }
  return what.startsWith('/') ? parsePath(text, side, verbs, what, more) : parseResource(text, side, verbs, what, more)
}

function parsePath(text: string, side: Side, verbs: string, path: string, more: readonly string[]): Parsed<KubernetesPattern> {
  if (more.length > 0) return { problem: 'nothing comes after a path', help: FORM }
  const known = verbs === '*' ? [] : wordList(verbs, 'verbs of paths', PATH_VERBS)
  if (isProblem(known)) return known
  if (/[?#%\\{}]/.test(path)) return { problem: 'its path has more than plain characters', help: 'write `/apis/**` for all below `/apis/`' }
  const paths = pathSet(path.slice(1))
  if (typeof paths === 'string') return { problem: paths }
  if (paths.segments.some(({ pieces }) => ['.', '..'].includes(pieces.join('*'))) || path.includes('//'))
    return { problem: 'its path is not canonical', help: 'no empty segment, no `.` and no `..`' }
  const pattern = base(text, side, verbs === '*' ? everyBut() : some(known))
  return { pattern: { ...pattern, paths } }
}

function base(text: string, side: Side, verbs: Words): KubernetesPattern {
  return {
    protocol: 'kubernetes',
    text,
    parameters: [],
    side,
    verbs,
    resources: everyBut(),
    groups: everyBut(),
    subresources: everyBut(),
    namespaces: ANY,
    names: ANY,
    paths: undefined,
  }
}

function parseResource(text: string, side: Side, verbs: string, what: string, more: readonly string[]): Parsed<KubernetesPattern> {
  const known = verbs === '*' ? [] : wordList(verbs, 'verbs', VERBS)
  if (isProblem(known)) return known
  const resource = readResource(what)
  if (isProblem(resource)) return resource
  const { subresource } = resource
  const streams = subresource !== undefined && STREAMS.has(subresource)
  if (streams && verbs !== '*' && verbs !== 'create')
    return { problem: `\`${what}\` is always \`create\`, by whatever method it comes`, help: `write \`create ${what}\`` }
  const rest = readRest(more)
  if (isProblem(rest)) return rest
  const guarded = side === 'grants'
  const pattern: KubernetesPattern = {
    ...base(text, side, streams ? some(['create']) : verbs === '*' ? everyBut(guarded ? GUARDED_VERBS : []) : some(known)),
    resources: resource.resource === '*' ? everyBut() : some([resource.resource]),
    groups: resource.group === '*' ? everyBut() : some([resource.group]),
    subresources:
      subresource === '*'
        ? everyBut(guarded ? ['', ...GUARDED_SUBRESOURCES] : [''])
        : subresource !== undefined
          ? some([subresource])
          : resource.resource === '*'
            ? everyBut(guarded ? GUARDED_SUBRESOURCES : [])
            : some(['']),
    ...rest,
  }
  const { names, subresources } = pattern
  return { pattern: guarded || names.any || !hasWord(subresources, 'proxy') ? pattern : { ...pattern, names: atEachPort(names.globs) } }
}

/**
 * Names of what is proxied, at whatever port: `web` is `web:80`, `https:web:443` and `:web:` as well (`SplitSchemeNamePort` of
 * `k8s.io/apimachinery`). A guardrail about one is about all; a rule gives what it names.
 */
function atEachPort(globs: readonly Glob[]): Values {
  return valuesOf(
    globs.flatMap((one) => {
      const text = one.pieces.join('*')
      return [one, glob(`${text}:*`), glob(`*:${text}:*`)]
    }),
  )
}

/** `[name] [-n namespace]` */
function readRest(words: readonly string[]): Pick<KubernetesPattern, 'names' | 'namespaces'> | Problem {
  const [first] = words
  if (words.includes('-A') || words.includes('--all-namespaces'))
    return { problem: '`-A` says nothing here', help: 'leave it out: without `-n` a pattern is for everywhere' }
  if (words.includes('--namespace')) return { problem: '`--namespace` is not read', help: 'write `-n`' }
  const named = first !== undefined && first !== '-n'
  const [flag, namespace, ...more] = named ? words.slice(1) : words
  if ((flag !== undefined && flag !== '-n') || more.length > 0 || (flag !== undefined && namespace === undefined))
    return { problem: 'it is a name, then `-n` and a namespace', help: 'write for example `get pods web-* -n shop`' }
  const names = named ? readGlobs(first, NAME, 'name') : ANY
  if (isProblem(names)) return names
  const namespaces = namespace === undefined ? ANY : readGlobs(namespace, NAMESPACE, 'namespace')
  if (isProblem(namespaces)) return namespaces
  return { names, namespaces }
}

/** The plain definition, which the index must agree with. */
export function matchesPattern(pattern: KubernetesPattern, action: KubernetesAction): boolean {
  return isCanonical(action) && meetsCanonical(pattern, action)
}

/** Whether it meets an action that is canonical. */
export function meetsCanonical(pattern: KubernetesPattern, action: KubernetesAction): boolean {
  const { verb, group, resource, subresource, namespace, name, path } = action
  if (!hasWord(pattern.verbs, verb)) return false
  if (path !== '' || pattern.paths !== undefined)
    return path !== '' && pattern.paths !== undefined && matchesPath(pattern.paths, path.slice(1))
  return (
    hasWord(pattern.resources, resource) &&
    hasWord(pattern.groups, group) &&
    hasWord(pattern.subresources, subresource) &&
    meetsValue(pattern.namespaces, namespace, pattern.side) &&
    meetsValue(pattern.names, name, pattern.side)
  )
}

/** Whether the pattern of a guardrail may be about an action that came by no door: a field that no pattern could name is met by each. */
export function mayMeet(pattern: KubernetesPattern, action: KubernetesAction): boolean {
  const { verb, group, resource, subresource, namespace, name, path } = action
  const unless = (field: keyof typeof NAMEABLE, meets: () => boolean): boolean => !NAMEABLE[field](action) || meets()
  if (!unless('verb', () => hasWord(pattern.verbs, verb))) return false
  if (path !== '' || pattern.paths !== undefined)
    return path !== '' && pattern.paths !== undefined && unless('path', () => matchesPath(pattern.paths!, path.slice(1)))
  return (
    unless('resource', () => hasWord(pattern.resources, resource)) &&
    unless('group', () => hasWord(pattern.groups, group)) &&
    unless('subresource', () => hasWord(pattern.subresources, subresource)) &&
    unless('namespace', () => meetsValue(pattern.namespaces, namespace, pattern.side)) &&
    unless('name', () => meetsValue(pattern.names, name, pattern.side))
  )
}
