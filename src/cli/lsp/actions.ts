import { vocabularyOf } from '../../policy/actions/index.ts'
import { ITEM, type Asked, type Proposal } from './proposal.ts'

/** How actions of a protocol begin. */
const BEGINNINGS: Readonly<Record<string, readonly string[]>> = {
  http: ['GET /', 'POST /', 'PUT /', 'PATCH /', 'DELETE /', 'HEAD /', 'OPTIONS /', '* /**'],
}

/** Beginnings of what the protocols of the resource know, an example of each, and what is said of it elsewhere. */
export function completeAction(asked: Asked, form: 'pattern' | 'action'): readonly Proposal[] {
  const resources = writtenResources(asked)
  const protocols = new Set(resources.map((name) => asked.project.analysis.world?.resources[name]?.protocol ?? 'http'))
  return [...(protocols.size === 0 ? ['http'] : protocols)].flatMap((protocol) => {
    const vocabulary = vocabularyOf(protocol)
    const example = form === 'pattern' ? vocabulary?.example : vocabulary?.exampleAction
    const beginnings = (BEGINNINGS[protocol] ?? []).filter((one) => form === 'pattern' || !one.includes('*'))
    return [
      ...beginnings.map((label) => ({ label, kind: ITEM.value, detail: protocol })),
      ...(form === 'pattern' ? elsewhere(asked, resources, protocol) : []),
      ...operations(asked, resources, form),
      ...(example === undefined ? [] : [{ label: example, kind: ITEM.value, detail: `example of ${protocol}` }]),
    ].map((one) => ({ ...one, text: quoted(one.label, asked) }))
  })
}

/** Resources of the statement or test that is written. */
export function writtenResources({ project, cursor, kind }: Asked): readonly string[] {
  const known = project.analysis.world?.resources ?? {}
  if (kind === 'wiring' || kind === 'environment') return cursor.path[0] === 'resources' ? [String(cursor.path[1])] : []
  const written = cursor.around.map((one) => one['resource'] ?? one['on']).find((one) => one !== undefined)
  if (typeof written === 'string') return Object.hasOwn(known, written) ? [written] : []
  if (Array.isArray(written)) return written.filter((one): one is string => typeof one === 'string' && Object.hasOwn(known, one))
  const labels = (written as { labels?: Readonly<Record<string, unknown>> } | null | undefined)?.labels
  if (labels === undefined || labels === null) return []
  return Object.entries(known).flatMap(([name, { labels: own }]) =>
    Object.entries(labels).every(([key, value]) => own[key] === value) ? [name] : [],
  )
}

function elsewhere({ project }: Asked, resources: readonly string[], protocol: string): readonly Proposal[] {
  const { rules = [], guardrails = [] } = project.analysis.policy ?? {}
  const found = new Set<string>()
  for (const statement of [...rules, ...guardrails])
    if (resources.some((name) => statement.resources.includes(name)))
      for (const { pattern } of statement.actions) if (pattern.protocol === protocol && found.size < 200) found.add(pattern.text)
  return [...found].toSorted().map((label) => ({ label, kind: ITEM.value, detail: 'said elsewhere' }))
}

/** Operation ids of the resource's OpenAPI document. */
function operations({ project }: Asked, resources: readonly string[], form: 'pattern' | 'action'): readonly Proposal[] {
  if (form === 'action') return []
  return resources.flatMap((name) =>
    [...(project.analysis.world?.resources[name]?.operations ?? [])].slice(0, 1000).map(([id, { method, template }]) => ({
      label: `operation ${id}`,
      kind: ITEM.function,
      detail: `${method} ${template}`,
    })),
  )
}

/** YAML takes `* /**` for an alias and braces within a flow for a map: such actions stand in quotes, unless there are some already. */
function quoted(text: string, { cursor }: Asked): string {
  const plain = !/^[*&!|>@%`'"[{#]|[{}[\],]|: | #/.test(text)
  return plain || cursor.quoted ? text : `'${text}'`
}
