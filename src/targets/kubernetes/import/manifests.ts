/** Files of roles and bindings, whole lists as kubectl prints them, and other documents in between, which are passed over. */
import { parseAllDocuments } from 'yaml'
import { diagnostic, type Diagnostic } from '../../../core/errors.ts'
import { RULES } from '../documents.ts'

export interface ManifestSource {
  readonly file: string
  readonly text: string
}

export interface ReadRule {
  readonly verbs: readonly string[]
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames: readonly string[]
  readonly nonResourceURLs: readonly string[]
}

export interface ReadRole {
  /** `ClusterRole view`, `Role shop/deployer` */
  readonly id: string
  readonly name: string
  /** Id of the rule of ours that it was made of, if any. */
  readonly rule: string | undefined
  readonly rules: readonly ReadRule[]
  readonly isAggregated: boolean
  /** Every cluster has it by itself. */
  readonly isOwn: boolean
}

export interface ReadBinding {
  readonly id: string
  /** Undefined for the whole cluster. */
  readonly namespace: string | undefined
  readonly subjects: readonly { readonly kind: string; readonly name: string; readonly namespace: string }[]
  /** Id of a role, which there may not be. */
  readonly role: string
  readonly isOwn: boolean
}

export interface Manifests {
  readonly roles: ReadonlyMap<string, ReadRole>
  readonly bindings: readonly ReadBinding[]
  readonly documents: number
  /** Errors: then nothing of the rest is to be used. */
  readonly diagnostics: readonly Diagnostic[]
}

const MAX_DOCUMENTS = 100_000
const MAX_DEPTH = 3
const MAX_DIAGNOSTICS = 20
const OURS = ['ClusterRole', 'Role', 'ClusterRoleBinding', 'RoleBinding']
const RBAC = /^rbac\.authorization\.k8s\.io\/v1(?:(?:alpha|beta)1)?$/

type Fields = Readonly<Record<string, unknown>>

/** What is said of a document that isn't as it should be. */
class Unfit extends Error {}

export function readManifests(sources: readonly ManifestSource[]): Manifests {
  const roles = new Map<string, ReadRole>()
  const bindings = new Map<string, ReadBinding>()
  const diagnostics: Diagnostic[] = []
  let documents = 0
  const take = (value: unknown, depth: number): void => {
    const { kind, apiVersion, items, ...rest } = fieldsOf(value, 'a document')
    if (typeof kind !== 'string' || kind === '') throw new Unfit('a document that does not say `kind`')
    if (Array.isArray(items) && kind.endsWith('List')) {
      if (depth === MAX_DEPTH) throw new Unfit('lists in lists')
      const of = kind.slice(0, -'List'.length)
      // Those of one kind need not say it again.
      for (const item of items) take(of === '' ? item : { kind: of, apiVersion, ...fieldsOf(item, 'an entry of a list') }, depth + 1)
      return
    }
    if (++documents > MAX_DOCUMENTS) throw new Unfit(`more than ${MAX_DOCUMENTS} documents`)
    if (!OURS.includes(kind)) return
    if (typeof apiVersion !== 'string') throw new Unfit(`a ${kind} without \`apiVersion\``)
    // Others have kinds of these names, too.
    if (!RBAC.test(apiVersion)) return
    const one = documentOf(kind, rest)
    if ('rules' in one ? roles.has(one.id) : bindings.has(one.id)) throw new Unfit(`${one.id} twice`)
    if ('rules' in one) roles.set(one.id, one)
    else bindings.set(one.id, one)
  }
  for (const { file, text } of sources) {
    const refuse = (problem: string): void => {
      if (diagnostics.length < MAX_DIAGNOSTICS) diagnostics.push(diagnostic('config/invalid', { where: `\`${file}\``, problem }, undefined))
    }
    try {
      for (const value of valuesOf(text)) if (value !== null && value !== undefined) take(value, 0)
    } catch (error) {
      refuse(error instanceof Unfit ? `has ${error.message}` : 'can not be read')
    }
  }
  return { roles, bindings: [...bindings.values()], documents, diagnostics }
}

/** JSON is much faster read as such, and all of a cluster can be large. */
function valuesOf(text: string): readonly unknown[] {
  if (/^\s*\{/.test(text))
    try {
      return [JSON.parse(text) as unknown]
    } catch {
      // Several documents, or YAML that begins so.
    }
  const documents = parseAllDocuments(text, { maxAliasCount: 0, merge: false } as Parameters<typeof parseAllDocuments>[1])
  if (!Array.isArray(documents)) return []
  return documents.map((one) => {
    const [error] = one.errors
    if (error !== undefined) throw new Unfit(`YAML that can not be read (${error.code})`)
    return one.toJS({ maxAliasCount: 0 }) as unknown
  })
}

function documentOf(kind: string, { metadata, rules, aggregationRule, subjects, roleRef }: Fields): ReadRole | ReadBinding {
  const { name, namespace, labels, annotations } = fieldsOf(metadata, 'metadata')
  if (typeof name !== 'string' || name === '') throw new Unfit(`a ${kind} without a name`)
  const isPlaced = kind === 'Role' || kind === 'RoleBinding'
  if (isPlaced && typeof namespace !== 'string') throw new Unfit(`a ${kind} without a namespace`)
  const where = isPlaced && typeof namespace === 'string' ? namespace : undefined
  const id = `${kind} ${where === undefined ? '' : `${where}/`}${name}`
  const isOwn = fieldsOf(labels ?? {}, 'labels')['kubernetes.io/bootstrapping'] === 'rbac-defaults'
  const from = fieldsOf(annotations ?? {}, 'annotations')[RULES]
  const rule = typeof from === 'string' ? from : undefined
  if (kind === 'ClusterRole' || kind === 'Role')
    return { id, name, rule, rules: listOf(rules ?? [], id).map((one) => ruleOf(one, id)), isAggregated: aggregationRule != null, isOwn }
  const { kind: of, name: to } = fieldsOf(roleRef, `roleRef of ${id}`)
  if ((of !== 'ClusterRole' && (of !== 'Role' || !isPlaced)) || typeof to !== 'string') throw new Unfit(`a roleRef in ${id} that is none`)
  return {
    id,
    namespace: where,
    subjects: listOf(subjects ?? [], id).map((one) => {
      const { kind: who, name: called, namespace: at = '' } = fieldsOf(one, `a subject of ${id}`)
      if (typeof who !== 'string' || typeof called !== 'string' || typeof at !== 'string')
        throw new Unfit(`a subject in ${id} that is none`)
      return { kind: who, name: called, namespace: at }
    }),
    role: of === 'ClusterRole' ? `ClusterRole ${to}` : `Role ${where ?? ''}/${to}`,
    isOwn,
  }
}

function ruleOf(value: unknown, id: string): ReadRule {
  const { verbs, apiGroups, resources, resourceNames, nonResourceURLs } = fieldsOf(value, `a rule of ${id}`)
  const texts = (all: unknown): readonly string[] =>
    listOf(all ?? [], id).map((one) => {
      if (typeof one !== 'string') throw new Unfit(`something in a rule of ${id} that is no text`)
      return one
    })
  return {
    verbs: texts(verbs),
    apiGroups: texts(apiGroups),
    resources: texts(resources),
    resourceNames: texts(resourceNames),
    nonResourceURLs: texts(nonResourceURLs),
  }
}

function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Unfit(`${what} that is no map`)
  return value as Fields
}

function listOf(value: unknown, id: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new Unfit(`something in ${id} that is no list`)
  return value
}
