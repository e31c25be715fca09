import { diagnostic, type Diagnostic } from '../core/errors.ts'
import { overlay, readDocument, type Located } from './document.ts'
import { expandPlaces } from './places.ts'
import { rolloutProblems } from './rollout.ts'
import { environmentExtras, wiringSchema, type Families, type Wiring } from './schema.ts'
import { validate } from './validate.ts'

/** One file as read: its path relative to the configuration folder, with `/`, and its text. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

/** Everything that a version of the configuration consists of. */
export interface Sources {
  readonly wiring: SourceFile
  readonly environment: (SourceFile & { readonly name: string }) | undefined
  readonly policy: readonly SourceFile[]
  readonly tests: readonly SourceFile[]
  /** OpenAPI documents that resources name. */
  readonly documents?: readonly SourceFile[] | undefined
}

export interface ReadWiring {
  readonly wiring: Wiring | undefined
  /** The merged tree, for places in findings of later stages. */
  readonly root: Located | undefined
  /** The environment's `bindings:`, for the policy. */
  readonly bindings: Located | undefined
  readonly diagnostics: readonly Diagnostic[]
}

const ENVIRONMENT_ONLY = new Set(['apiVersion', 'bindings'])
/** Policy doesn't differ between environments. */
const NEVER_IN_ENVIRONMENT = new Set(['rules', 'guardrails', 'roles'])

/** Reads `ostiary.yaml` with the environment laid over it. */
export function readWiring(sources: Pick<Sources, 'wiring' | 'environment'>, families: Families): ReadWiring {
  const base = readDocument(sources.wiring.path, sources.wiring.text)
  const diagnostics = [...base.diagnostics]
  let root = base.root
  let bindings: Located | undefined
  if (root !== undefined && root.kind !== 'map') {
    // Laid over what is no map, an environment would be the whole wiring.
    diagnostics.push(diagnostic('config/wrong-type', { where: 'the document', expected: 'map' }, root.span))
    return { wiring: undefined, root, bindings, diagnostics }
  }
  if (sources.environment !== undefined) {
    const over = readDocument(sources.environment.path, sources.environment.text)
    diagnostics.push(...over.diagnostics)
    if (over.root?.kind === 'map') {
      bindings = over.root.entries.get('bindings')?.node
      const extras = new Map([...over.root.entries].filter(([key]) => ENVIRONMENT_ONLY.has(key)))
      diagnostics.push(...validate(environmentExtras, { ...over.root, entries: extras }).diagnostics)
      for (const [key, entry] of over.root.entries)
        if (NEVER_IN_ENVIRONMENT.has(key)) diagnostics.push(diagnostic('config/overlay-key', { key }, entry.keySpan))
      const wiringPart = new Map([...over.root.entries].filter(([key]) => !ENVIRONMENT_ONLY.has(key) && !NEVER_IN_ENVIRONMENT.has(key)))
      if (root !== undefined) root = overlay(root, { ...over.root, entries: wiringPart })
    } else if (over.root !== undefined) {
      diagnostics.push(diagnostic('config/wrong-type', { where: 'the document', expected: 'map' }, over.root.span))
    }
  }
  if (root === undefined) return { wiring: undefined, root, bindings, diagnostics }
  const checked = validate(wiringSchema(families), root)
  diagnostics.push(...checked.diagnostics)
  const failed = (): boolean => diagnostics.some(({ severity }) => severity === 'error')
  if (failed()) return { wiring: undefined, root, bindings, diagnostics }
  const written = checked.value as unknown as Wiring
  const expanded = expandPlaces(written.targets, root, families.targets)
  diagnostics.push(...expanded.diagnostics)
  const wiring = { ...written, targets: expanded.targets }
  if (!failed()) diagnostics.push(...rolloutProblems(wiring, root))
  return { wiring: failed() ? undefined : wiring, root, bindings, diagnostics }
}
