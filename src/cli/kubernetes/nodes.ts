import { isMap, isScalar, isSeq, parseDocument, Scalar, YAMLMap, YAMLSeq, type Document } from 'yaml'
import type { Value } from './entries.ts'

/** How an entry says that it was written here, and for which gateway. kubectl keeps it. */
export const MARK = 'ostiary.dev/kubeconfig'

/** Texts, lists, maps and nothing. */
export const FORM = { schema: 'failsafe', customTags: ['null'], logLevel: 'silent' } as const satisfies Parameters<typeof parseDocument>[1]

export type Section = 'clusters' | 'contexts' | 'users'
export const INNER: Readonly<Record<Section, string>> = { clusters: 'cluster', contexts: 'context', users: 'user' }

/** What kubectl, which reads YAML 1.1, could take for something else than a text. */
const PLAIN = /^[A-Za-z/][A-Za-z0-9_./:@+=-]*(?<!:)$/
const WORDS = /^(y|n|yes|no|on|off|true|false|null)$/i

/** What can't be written down as it was read must not be changed at all: aliases of what isn't there, and forms that come out as others. */
export function unwritable(document: Document): readonly Error[] {
  if (document.errors.length > 0) return []
  try {
    const again = parseDocument(document.toString({ lineWidth: 0 }), FORM)
    const kept = again.errors.length === 0 && JSON.stringify(again) === JSON.stringify(document)
    return kept ? [] : [new Error('it is written in a way that could not be kept')]
  } catch (error) {
    return [error as Error]
  }
}

/** kubectl writes what it read in its own order, and what isn't there as null. */
export function isSame(found: unknown, value: Value): boolean {
  if (value === undefined) return found === undefined || isNothing(found)
  if (value === true) return textOf(found) === 'true'
  if (typeof value === 'string') return textOf(found) === value
  if (isList(value)) return isSeq(found) && found.items.length === value.length && value.every((one, i) => isSame(found.items[i], one))
  if (!isMap(found)) return false
  const keys = new Set([...Object.keys(value), ...found.items.map(({ key }) => textOf(key) ?? '')])
  return [...keys].every((key) => isSame(found.get(key, true), Object.hasOwn(value, key) ? value[key] : undefined))
}

/** Neither said to be of another type than it is, nor to be used elsewhere. */
export function isPlain({ tag, anchor }: YAMLMap | YAMLSeq, own: string): boolean {
  return anchor === undefined && (tag === undefined || tag === `tag:yaml.org,2002:${own}`)
}

export function isNothing(found: unknown): boolean {
  return isScalar(found) && found.value === null
}

export function textOf(found: unknown): string | undefined {
  const value = isScalar(found) ? found.value : found
  return typeof value === 'string' ? value : undefined
}

export function innerOf(item: YAMLMap, section: Section): YAMLMap | undefined {
  const inner = item.get(INNER[section], true)
  return isMap(inner) ? inner : undefined
}

/** The gateway that an entry was written for; undefined for one of somebody else. */
export function gatewayOf(item: YAMLMap, section: Section): string | undefined {
  const extensions = innerOf(item, section)?.get('extensions', true)
  if (!isSeq(extensions)) return undefined
  for (const one of extensions.items) {
    if (!isMap(one) || textOf(one.get('name')) !== MARK) continue
    const extension = one.get('extension', true)
    return isMap(extension) ? textOf(extension.get('gateway')) : undefined
  }
  return undefined
}

export function isOurs(inner: YAMLMap): boolean {
  const extensions = inner.get('extensions', true)
  return isSeq(extensions) && extensions.items.some((one) => isMap(one) && textOf(one.get('name')) === MARK)
}

/** In quotes where YAML 1.1 could read something else, and everywhere in JSON. */
export function node(value: Exclude<Value, undefined>, json: boolean): Scalar | YAMLMap | YAMLSeq {
  if (value === true) return new Scalar('true')
  if (typeof value === 'string') {
    const scalar = new Scalar(value)
    if (json || !PLAIN.test(value) || WORDS.test(value)) scalar.type = Scalar.QUOTE_DOUBLE
    return scalar
  }
  if (isList(value)) {
    const list = new YAMLSeq()
    for (const one of value) if (one !== undefined) list.items.push(node(one, json))
    return list
  }
  const map = new YAMLMap()
  for (const [key, one] of Object.entries(value)) if (one !== undefined) map.set(node(key, json), node(one, json))
  return map
}

function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value)
}
