/** Sets of requests, as operations of an AuthorizationPolicy: methods, one path template, and templates that are cut out of it. */
import { STANDARD_METHODS, type HttpPattern, type Segment } from '../../policy/actions/http/template.ts'
import { NoNativeForm } from '../../policy/native/native.ts'
import { plainValue } from './conditions.ts'

export interface Template {
  readonly segments: readonly Segment[]
  readonly rest: boolean
}

/** Requests with one of the methods, whose path is in the template and in none of those without. */
export interface Region {
  readonly methods: readonly string[]
  readonly path: Template
  readonly without: readonly Template[]
}

/** Methods that a pattern covers: `*` stands for those that are listed, never for one in other letters. */
function methodsOf(method: string, all: readonly string[]): readonly string[] {
  if (method === '*') return all
  return method === 'GET' ? ['GET', 'HEAD'] : [method]
}

/** Every method that the mesh is told of: those that are standard, and those that the policy names. */
export function knownMethods(patterns: readonly HttpPattern[]): readonly string[] {
  return [...new Set([...STANDARD_METHODS, ...patterns.flatMap(({ method }) => (method === '*' ? [] : [method]))])].toSorted()
}

export function regionsOf(patterns: readonly HttpPattern[], all: readonly string[]): readonly Region[] {
  return patterns.map(({ method, segments, rest }) => ({ methods: methodsOf(method, all), path: { segments, rest }, without: [] }))
}

/** The template of what is in both; undefined where nothing is. */
export function intersection(a: Template, b: Template): Template | undefined {
  const [short, long] = a.segments.length <= b.segments.length ? [a, b] : [b, a]
  if (short.segments.length < long.segments.length ? !short.rest : a.rest !== b.rest) return undefined
  const segments: Segment[] = []
  for (const [i, segment] of long.segments.entries()) {
    const other = short.segments[i]
    const both = other === undefined ? segment : common(segment, other)
    if (both === undefined) return undefined
    segments.push(both)
  }
  return { segments, rest: long.rest }
}

function common(a: Segment, b: Segment): Segment | undefined {
  if (a.kind === 'parameter') return b.kind === 'parameter' || b.text !== '' ? b : undefined
  if (b.kind === 'parameter') return a.text === '' ? undefined : a
  return a.text === b.text ? a : undefined
}

function isSame(a: Template, b: Template): boolean {
  return a.rest === b.rest && shape(a) === shape(b)
}

function shape({ segments }: Template): string {
  return segments.map((one) => (one.kind === 'literal' ? `=${one.text}` : '{}')).join('/')
}

/** What of the regions the patterns cover. */
export function within(regions: readonly Region[], patterns: readonly HttpPattern[], all: readonly string[]): readonly Region[] {
  return regions.flatMap(({ methods, path, without }) =>
    patterns.flatMap((pattern) => {
      const both = methodsOf(pattern.method, all).filter((one) => methods.includes(one))
      const met = intersection(path, pattern)
      return both.length === 0 || met === undefined ? [] : remaining({ methods: both, path: met, without })
    }),
  )
}

/** What of the regions the patterns don't cover. */
export function outside(regions: readonly Region[], patterns: readonly HttpPattern[], all: readonly string[]): readonly Region[] {
  return patterns.reduce<readonly Region[]>(
    (before, pattern) => before.flatMap((one) => cut(one, pattern, methodsOf(pattern.method, all))),
    regions,
  )
}

export function meets(regions: readonly Region[], patterns: readonly HttpPattern[], all: readonly string[]): boolean {
  return within(regions, patterns, all).length > 0
}

function cut(region: Region, pattern: Template, methods: readonly string[]): readonly Region[] {
  const common = region.methods.filter((one) => methods.includes(one))
  if (common.length === 0 || intersection(region.path, pattern) === undefined) return [region]
  const others = region.methods.filter((one) => !methods.includes(one))
  return [
    ...(others.length === 0 ? [] : [{ ...region, methods: others }]),
    ...remaining({ methods: common, path: region.path, without: [...region.without, { segments: pattern.segments, rest: pattern.rest }] }),
  ]
}

/** The region without what is cut out in vain; nothing where all of it is cut out. */
function remaining({ methods, path, without }: Region): readonly Region[] {
  const met = without.filter((one) => intersection(path, one) !== undefined)
  if (met.some((one) => isSame(intersection(path, one)!, path))) return []
  return [{ methods, path, without: [...new Map(met.map((one) => [`${shape(one)} ${one.rest}`, one])).values()] }]
}

export interface Operation {
  readonly hosts: readonly string[]
  readonly ports: readonly string[]
  readonly methods: readonly string[]
  readonly paths: readonly string[]
  readonly notPaths?: readonly string[]
}

/** Longest template of Envoy, in characters. */
const MAX_TEMPLATE = 256

/** Regions as operations, those of the same methods together. @throws NoNativeForm for paths that Istio would take for others */
export function operationsOf(regions: readonly Region[], hosts: readonly string[], ports: readonly string[]): readonly Operation[] {
  const written = regions.map(({ methods, path, without }) => {
    const isNarrow = without.some(hasParameter)
    return {
      methods: methods.map((one) => plainValue(one)).toSorted(),
      path: textOf(path, isNarrow),
      not: [...new Set(without.map((one) => textWithout(one)))].toSorted(),
    }
  })
  const merged = new Map<string, { readonly methods: readonly string[]; readonly paths: Set<string>; readonly not: readonly string[] }>()
  for (const { methods, path, not } of written) {
    // Cut out of one path is cut out of all that stand together: each with its own.
    const key = JSON.stringify([methods, not, not.length === 0 ? '' : path])
    const before = merged.get(key)
    if (before === undefined) merged.set(key, { methods, paths: new Set([path]), not })
    else before.paths.add(path)
  }
  return [...merged.values()].map(({ methods, paths, not }) => ({
    hosts,
    ports,
    methods,
    paths: [...paths].toSorted(),
    ...(not.length === 0 ? {} : { notPaths: not }),
  }))
}

function hasParameter({ segments }: Template): boolean {
  return segments.some(({ kind }) => kind === 'parameter')
}

/** Whether the path may be any of many, so that whatever is written in a segment passes. */
export function isOpen({ path }: Region): boolean {
  return path.rest || hasParameter(path)
}

/**
 * A template as Istio has it.
 * @param asTemplate In the form of templates, whose segments have no `*` and no characters that a path must not have
 */
function textOf({ segments, rest }: Template, asTemplate: boolean): string {
  const texts = segments.map((one) => (one.kind === 'literal' ? one.text : '{*}'))
  const path = `/${texts.join('/')}`
  const isTemplate = asTemplate || hasParameter({ segments, rest })
  for (const one of segments) {
    if (one.kind === 'parameter') continue
    if (/[{}]/.test(one.text)) throw new NoNativeForm(`\`${one.text}\` has a brace, which Istio takes for a template`)
    if (isTemplate && one.text.includes('*')) throw new NoNativeForm(`\`${one.text}\` has a \`*\`, which no template of Istio has`)
  }
  if (!isTemplate) {
    if (rest) return segments.length === 0 ? '/*' : `${path}/*`
    if (path.endsWith('*')) throw new NoNativeForm(`\`${path}\` ends with \`*\`, which stands for anything to Istio`)
    return path
  }
  if (texts.at(-1) === '') throw new NoNativeForm('Istio has no template that ends with `/`')
  const template = rest ? `${segments.length === 0 ? '' : path}/{**}` : path
  if (template.length > MAX_TEMPLATE)
    throw new NoNativeForm(`its path is longer than ${MAX_TEMPLATE} characters, the most that a template has`)
  return template
}

/** What is cut out must be met in every spelling: only characters that the mesh decodes before it looks have just one. */
function textWithout(template: Template): string {
  for (const one of template.segments)
    if (one.kind === 'literal' && !/^[A-Za-z0-9\-._~]*$/.test(one.text))
      throw new NoNativeForm(
        `\`${one.text}\` would have to be cut out of a larger path, and could be escaped so that Istio does not see it: only letters, digits, \`-\`, \`.\`, \`_\` and \`~\` have one spelling`,
      )
  return textOf(template, false)
}
