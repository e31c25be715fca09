/** What a resource is attached to. */
import { fields, invalid, needed, some, text, texts, type Path, type Shape } from './shapes.ts'
import type { Attachment, TargetRef } from './types.ts'

const MAX_REFS = 16
const refShape = fields({
  group: (value: unknown, path: Path) => (value === '' ? '' : text()(value, path)),
  kind: text(),
  name: text(),
})
const ref: Shape<TargetRef> = (value, path) => {
  const read = refShape(value, path)
  return { group: read.group ?? '', kind: needed(read.kind, 'kind', path), name: needed(read.name, 'name', path) }
}
const matchLabels: Shape<Readonly<Record<string, string>>> = (value, path) => {
  const labels = texts()(value, path)
  for (const [key, label] of Object.entries(labels))
    if (key === '' || key.includes('*') || label.includes('*')) throw invalid('a label has no wildcard and a name', [...path, key])
  return labels
}

export const attachmentShapes = { selector: fields({ matchLabels }), targetRef: ref, targetRefs: some(ref, MAX_REFS) }

export function attachmentOf(
  read: {
    readonly selector: { readonly matchLabels: Readonly<Record<string, string>> | undefined } | undefined
    readonly targetRef: TargetRef | undefined
    readonly targetRefs: readonly TargetRef[] | undefined
  },
  path: Path,
): Attachment {
  if ([read.selector, read.targetRef, read.targetRefs].filter((each) => each !== undefined).length > 1)
    throw invalid('only one of `selector`, `targetRef` and `targetRefs` can be set', path)
  return {
    selector: read.selector && (read.selector.matchLabels ?? {}),
    targetRefs: read.targetRefs ?? (read.targetRef === undefined ? [] : [read.targetRef]),
  }
}
