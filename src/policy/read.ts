import { readDocument, type Located } from '../config/document.ts'
import { validate } from '../config/validate.ts'
import type { SourceFile } from '../config/wiring.ts'
import { diagnostic, type Diagnostic } from '../core/errors.ts'
import { policySchema, type PolicyText } from './schema.ts'

/** A policy file whose form is right. */
export interface PolicyFile {
  readonly source: SourceFile
  readonly root: Located
  readonly value: PolicyText
}

/** Words of the language that this version doesn't carry out, by where they stand. */
const NOT_YET = {
  file: ['mode', 'owns', 'onWiden', 'obligations'],
  role: ['eligible', 'owns', 'peer'],
  rule: ['peer', 'mode', 'eligible', 'obligations', 'require', 'mask', 'limit', 'record'],
  guardrail: ['mask', 'limit', 'record', 'mode', 'per', 'peer'],
} as const

/** Reads the form of policy files. What they name is looked at by `resolve`. */
export function readPolicy(sources: readonly SourceFile[]): {
  readonly files: readonly PolicyFile[]
  readonly diagnostics: readonly Diagnostic[]
} {
  const files: PolicyFile[] = []
  const diagnostics: Diagnostic[] = []
  for (const source of sources) {
    const document = readDocument(source.path, source.text)
    diagnostics.push(...document.diagnostics)
    if (document.root === undefined) continue
    const root = withoutNotYet(document.root, diagnostics)
    const checked = validate(policySchema, root)
    diagnostics.push(...checked.diagnostics)
    if (checked.value !== undefined) files.push({ source, root, value: checked.value })
  }
  return { files, diagnostics }
}

/** The tree without what isn't carried out yet. Each piece is an error of its own, so that its form isn't found wrong too. */
function withoutNotYet(root: Located, diagnostics: Diagnostic[]): Located {
  if (root.kind !== 'map') return root
  const entries = new Map<string, { keySpan: Located['span']; node: Located }>()
  for (const [key, entry] of stripped(root, NOT_YET.file, 'the document', diagnostics).entries) {
    let { node } = entry
    if (key === 'roles' && node.kind === 'map') {
      const roles = new Map(
        [...node.entries].map(([name, role]) => [
          name,
          { ...role, node: role.node.kind === 'map' ? stripped(role.node, NOT_YET.role, `role \`${name}\``, diagnostics) : role.node },
        ]),
      )
      node = { ...node, entries: roles }
    } else if (key === 'rules' && node.kind === 'list') {
      node = {
        ...node,
        items: node.items.map((item) => (item.kind === 'map' ? stripped(item, NOT_YET.rule, named('rule', item), diagnostics) : item)),
      }
    } else if (key === 'guardrails' && node.kind === 'list') {
      node = { ...node, items: node.items.flatMap((item) => guardrail(item, diagnostics)) }
    }
    entries.set(key, { ...entry, node })
  }
  return { ...root, entries }
}

/** A guardrail that says only what isn't carried out has nothing left to check. */
function guardrail(item: Located, diagnostics: Diagnostic[]): readonly Located[] {
  if (item.kind !== 'map') return [item]
  const left = stripped(item, NOT_YET.guardrail, named('guardrail', item), diagnostics)
  const says = left.entries.has('deny') || left.entries.has('require')
  return left.entries.size < item.entries.size && !says ? [] : [left]
}

type LocatedMap = Extract<Located, { kind: 'map' }>

function stripped(map: LocatedMap, words: readonly string[], where: string, diagnostics: Diagnostic[]): LocatedMap {
  const entries = new Map(map.entries)
  for (const word of words) {
    const entry = entries.get(word)
    if (entry === undefined) continue
    diagnostics.push(diagnostic('policy/not-yet', { feature: `\`${word}\``, where }, entry.keySpan))
    entries.delete(word)
  }
  return { ...map, entries }
}

function named(kind: string, item: LocatedMap): string {
  const id = item.entries.get('id')?.node
  return id?.kind === 'scalar' && typeof id.value === 'string' ? `${kind} \`${id.value}\`` : `a ${kind}`
}
