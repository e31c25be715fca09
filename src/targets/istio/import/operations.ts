/** What a rule of Istio is about: its methods and paths as actions of ours, with conditions for what no action says. */
import { normalSegment, STANDARD_METHODS } from '../../../policy/actions/http/template.ts'
import { isTemplate } from '../translate/matchers.ts'
import type { Operation } from '../translate/types.ts'
import type { Losses } from './losses.ts'
import { isMatch, isOneOf, quoted, textOf, type Text } from './texts.ts'

export interface Grant {
  /** `GET /orders/{id}`. */
  readonly methods: readonly string[]
  readonly paths: readonly string[]
  /** In CEL, all of which have to be so. */
  readonly when: readonly string[]
}

export interface Place {
  readonly document: string
  readonly field: string
  readonly losses: Losses
  /** Whether it may let in a little more than Istio does. */
  readonly acceptsWider: boolean
}

export const EVERY_METHOD = ['*']
export const EVERY_PATH = ['/**']
/** What stands plain in a path, and has no other spelling that a mesh leaves as it is. */
const ONE_SPELLING = /^[A-Za-z0-9\-._~]*$/
const METHOD = /^[!#$%&'+.^_`|~0-9A-Z-]{1,32}$/

/** What an operation allows, or less. Undefined for nothing. */
export function granted(operation: Operation | undefined, place: Place): Grant | undefined {
  if (operation === undefined) return { methods: EVERY_METHOD, paths: EVERY_PATH, when: [] }
  const methods = grantedMethods(operation, place)
  const paths = operation.paths.length === 0 ? EVERY_PATH : [...new Set(operation.paths.flatMap((path) => grantedPaths(path, place)))]
  if (methods.length === 0 || paths.length === 0) return undefined
  if (!operation.notPaths.every(isPlain)) {
    place.losses.add(
      'narrower',
      place.document,
      `${place.field}.notPaths`,
      'what is left out has signs of several spellings, and nothing of it is let in',
    )
    return undefined
  }
  return { methods, paths, when: operation.notPaths.map((path) => `!(${pathCondition(path)})`) }
}

function grantedMethods({ methods, notMethods }: Operation, { losses, document, field }: Place): readonly string[] {
  const not = notMethods.map(textOf)
  const all = methods.map(textOf)
  const some = [...new Set(all.flatMap((one) => (one.is === 'exact' ? [one.text] : one.is === 'any' ? EVERY_METHOD : standard(one))))]
  const asked = some.length === 0 && methods.length === 0 ? EVERY_METHOD : some.includes('*') ? EVERY_METHOD : some
  const odd = asked.filter((one) => one !== '*' && !METHOD.test(one))
  if (odd.length > 0) losses.add('narrower', document, `${field}.methods`, `${list(odd)}: methods have no small letters here`)
  if (all.some(({ is }) => is === 'prefix' || is === 'suffix'))
    losses.add('narrower', document, `${field}.methods`, 'of methods that are not written out, only standard ones are let in')
  const known = asked.filter((one) => !odd.includes(one))
  if (not.length === 0) return known
  if (known.includes('*')) losses.add('narrower', document, `${field}.notMethods`, 'of all other methods, only standard ones are let in')
  const rest = known.includes('*') ? STANDARD_METHODS : known
  return rest.filter((one) => !not.some((text) => isMatch(text, one)))
}

function standard(text: Text): readonly string[] {
  return STANDARD_METHODS.filter((one) => isMatch(text, one))
}

function grantedPaths(path: string, place: Place): readonly string[] {
  const { losses, document, field } = place
  const at = `${field}.paths`
  if (isTemplate(path)) {
    const made = templateOf(path)
    if (made.exact && isCarried(made.path, place, at, path)) return [made.path]
    if (!made.exact) losses.add('narrower', document, at, `\`${path}\`: no template of ours is like it, and it is left out`)
    return []
  }
  const { is, text } = textOf(path)
  if (is === 'any') return EVERY_PATH
  if (is === 'suffix') {
    losses.add('narrower', document, at, `\`${path}\`: no action is told by its end, and it is left out`)
    return []
  }
  if (!text.startsWith('/')) {
    losses.add('narrower', document, at, `\`${path}\`: no path begins so`)
    return []
  }
  if (is === 'exact') return isCarried(text, place, at, path) ? [text] : []
  if (text.endsWith('/')) return isCarried(text, place, at, path) ? [`${text}**`] : []
  if (!isCarried(text, place, at, path)) return []
  losses.add('narrower', document, at, `\`${path}\` is taken for \`${text}\` and all below it, not for \`${text}…\``)
  return [text, `${text}/**`]
}

/** Whether it lets in exactly what Istio does, whatever the spelling. */
function isCarried(path: string, { losses, document, acceptsWider }: Place, field: string, written: string): boolean {
  const segments = path.slice(1).split('/')
  if (segments.slice(0, -1).includes('') || segments.some((one) => one === '.' || one === '..')) {
    losses.add('narrower', document, field, `\`${written}\`: no canonical path is so`)
    return false
  }
  const literals = segments.filter((one) => one !== '**' && !/^\{p[0-9]+\}$/.test(one))
  if (literals.every((one) => ONE_SPELLING.test(one))) return true
  if (literals.some((one) => /[*{}?#\s\\\p{Cc}]|%(?![0-9A-Fa-f]{2})|%(?:2[fF]|5[cC]|[01][0-9A-Fa-f]|7[fF])/u.test(one) || isDots(one))) {
    losses.add('narrower', document, field, `\`${written}\`: no path of ours is so, and it is left out`)
    return false
  }
  const why = `\`${written}\` has signs of several spellings (\`:\` is \`%3A\`): here they are one, and to Istio only what is written`
  losses.add('wider', document, field, acceptsWider ? `${why}; written all the same` : `${why}; left out`)
  return acceptsWider
}

function isDots(segment: string): boolean {
  return ['.', '..'].includes(normalSegment(segment))
}

/** A template of Istio’s; not exact where it is only around it. */
function templateOf(path: string): { readonly path: string; readonly exact: boolean } {
  const kept: string[] = []
  for (const [index, segment] of path.slice(1).split('/').entries()) {
    const isLast = index === path.split('/').length - 2
    if (segment === '{*}') kept.push(`{p${index + 1}}`)
    else if (segment.includes('{**}')) return { path: `/${[...kept, '**'].join('/')}`, exact: segment === '{**}' && isLast }
    else if (segment.includes('{*}')) return { path: `/${[...kept, '**'].join('/')}`, exact: false }
    else kept.push(segment)
  }
  return { path: `/${kept.join('/')}`, exact: true }
}

/** That a path is one of Istio's. */
function pathCondition(path: string): string {
  if (!isTemplate(path)) return isOneOf('request.path', [textOf(path)])
  const signs = String.raw`[^/?#]`
  const pattern = path
    .split(/(\{\*\*\}|\{\*\})/)
    .map((part) => (part === '{**}' ? '.*' : part === '{*}' ? `${signs}+` : part.replaceAll(/[\\.+*?()|[\]{}^$]/g, String.raw`\$&`)))
  return `request.path.matches(${quoted(`^${pattern.join('')}$`)})`
}

/** What an operation denies, or more. */
export function denied(operation: Operation | undefined, { losses, document, field }: Place): Grant {
  if (operation === undefined) return { methods: EVERY_METHOD, paths: EVERY_PATH, when: [] }
  const { methods, notMethods, paths, notPaths } = operation
  const told = methods.map(textOf)
  const isExact = told.every((one) => one.is === 'exact')
  if (!isExact && !told.some(({ is }) => is === 'any'))
    losses.add('narrower', document, `${field}.methods`, 'what begins or ends so is taken for every method')
  const exact = told.map(({ text }) => text).filter((one) => METHOD.test(one))
  if (isExact && exact.includes('GET') && !exact.includes('HEAD'))
    losses.add('narrower', document, `${field}.methods`, 'what is denied of `GET` is denied of `HEAD` as well')
  const conditions = notMethods.map((method) => `!(${isOneOf('request.method', [textOf(method)])})`)
  const patterns = paths.map((path) => deniedPath(path))
  const isConditional = patterns.some((one) => one.when !== undefined)
  // Conditions are about all of the paths: where one needs its own, all are told by conditions, or none is.
  const isByCondition = isConditional && paths.every(isPlain)
  if (patterns.some(({ isWider }) => isWider) || isConditional !== isByCondition)
    losses.add('narrower', document, `${field}.paths`, 'more is denied than is written: all below what can be told of it')
  return {
    methods: isExact && told.length > 0 ? exact : EVERY_METHOD,
    paths: paths.length === 0 || isConditional ? EVERY_PATH : [...new Set(patterns.flatMap((one) => one.paths))],
    when: [
      ...(isByCondition ? [paths.map(pathCondition).join(' || ')].map((one) => (paths.length > 1 ? `(${one})` : one)) : []),
      ...conditions,
      ...notPaths.flatMap((path) => exemption(path)),
    ],
  }
}

/** Only what is the same in every spelling may be left out of what is denied. */
function exemption(path: string): readonly string[] {
  return isPlain(path) ? [`!(${pathCondition(path)})`] : []
}

/** Whether it has one spelling alone, its wildcards aside. */
function isPlain(path: string): boolean {
  return ONE_SPELLING.test(path.replaceAll(/[/*]|\{\*\*?\}/g, ''))
}

interface DeniedPath {
  readonly paths: readonly string[]
  /** Where no pattern is around it that isn't far too wide. */
  readonly when?: true
  readonly isWider?: true
}

function deniedPath(path: string): DeniedPath {
  if (isTemplate(path)) {
    const { path: made, exact } = templateOf(path)
    return exact && isPattern(made) ? { paths: [made] } : below(made.replace(/\*\*$/, ''))
  }
  const { is, text } = textOf(path)
  if (is === 'any') return { paths: EVERY_PATH }
  if (is === 'suffix') return ONE_SPELLING.test(text.replaceAll('/', '')) ? { paths: [], when: true } : { paths: EVERY_PATH, isWider: true }
  if (!text.startsWith('/')) return { paths: [] }
  if (is === 'exact') return isPattern(text) ? { paths: [text] } : below(text)
  if (text.endsWith('/') && isPattern(text)) return { paths: [`${text}**`] }
  return ONE_SPELLING.test(text.replaceAll('/', '')) ? { paths: [], when: true } : below(text)
}

function isPattern(path: string): boolean {
  const segments = path.slice(1).split('/')
  return segments.every(
    (one, index) =>
      (one !== '' || index === segments.length - 1) &&
      !isDots(one) &&
      (/^\{p[0-9]+\}$/.test(one) ||
        (one === '**' && index === segments.length - 1) ||
        !/[*{}?#\s\\\p{Cc}]|%(?![0-9A-Fa-f]{2})|%(?:2[fF]|5[cC]|[01][0-9A-Fa-f]|7[fF])/u.test(one)),
  )
}

/** All below the segments of which there is one spelling. */
function below(path: string): DeniedPath {
  const segments = path.slice(1).split('/').slice(0, -1)
  const odd = segments.findIndex((one) => one === '' || isDots(one) || !(ONE_SPELLING.test(one) || /^\{p[0-9]+\}$/.test(one)))
  const kept = odd < 0 ? segments : segments.slice(0, odd)
  return { paths: [`/${[...kept, '**'].join('/')}`], isWider: true }
}

function list(all: readonly string[]): string {
  return all.map((one) => `\`${one}\``).join(', ')
}
