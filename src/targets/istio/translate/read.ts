/** Resources out of YAML or JSON, strictly: what isn't understood wholly is an error, for a field that is dropped changes who gets in. */
import { isAlias, isMap as isYamlMap, isPair, isScalar, parseAllDocuments, visit, type Document } from 'yaml'
import { diagnostic, OstiaryError, type Details, type Diagnostic } from '../../../core/errors.ts'
import type { Span } from '../../../core/span.ts'
import { authorizationSpec } from './readauthorization.ts'
import { authenticationSpec } from './readauthentication.ts'
import { fields, invalid, Misfit, needed, oneOf, text, texts, type Path, type Shape } from './shapes.ts'
import type { IstioResource, Metadata } from './types.ts'

export interface ReadIstio {
  /** Undefined where anything at all is wrong: half of a set of policies isn't a narrower set. */
  readonly resources: readonly IstioResource[] | undefined
  readonly diagnostics: readonly Diagnostic[]
}

const MAX_TEXT = 16 * 1024 * 1024
/** What the API server adds, and nothing of which Envoy is told. */
const ignored: Shape<unknown> = (value) => value
const kubernetesName = text((value) =>
  /^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$/.test(value) ? undefined : 'it is no name of a Kubernetes resource',
)
const metadataShape = fields({
  name: kubernetesName,
  namespace: kubernetesName,
  annotations: texts(),
  creationTimestamp: text((value) => (Number.isNaN(Date.parse(value)) ? 'it is no time' : undefined)),
  labels: ignored,
  uid: ignored,
  resourceVersion: ignored,
  generation: ignored,
  managedFields: ignored,
  ownerReferences: ignored,
  finalizers: ignored,
})
const resourceShape = fields({
  apiVersion: oneOf('security.istio.io/v1', 'security.istio.io/v1beta1'),
  kind: oneOf('AuthorizationPolicy', 'RequestAuthentication'),
  metadata: metadataShape,
  spec: ignored,
  status: ignored,
})

/** Istio enforces a policy whose annotation it can't read, and only says so in its log. */
const DRY_RUN = 'istio.io/dry-run'
const BOOLEANS = new Set(['1', 't', 'T', 'TRUE', 'true', 'True', '0', 'f', 'F', 'FALSE', 'false', 'False'])

function metadataOf(read: ReturnType<typeof metadataShape>): Metadata {
  const dryRun = read.annotations?.[DRY_RUN]
  if (dryRun !== undefined && !BOOLEANS.has(dryRun)) throw invalid('it is neither true nor false', ['metadata', 'annotations', DRY_RUN])
  return {
    name: needed(read.name, 'name', ['metadata']),
    namespace: needed(read.namespace, 'namespace', ['metadata']),
    annotations: read.annotations ?? {},
    creationTimestamp: read.creationTimestamp,
  }
}

/** @throws Misfit */
export function resourceOf(value: unknown): IstioResource {
  const read = resourceShape(value, [])
  needed(read.apiVersion, 'apiVersion', [])
  const kind = needed(read.kind, 'kind', [])
  const metadata = metadataOf(needed(read.metadata, 'metadata', []))
  const spec = read.spec === undefined ? {} : read.spec
  if (kind === 'AuthorizationPolicy') return { kind, metadata, ...authorizationSpec(spec, ['spec']) }
  return { kind, metadata, ...authenticationSpec(spec, ['spec']) }
}

/** A document of a file. */
export interface ReadDocument {
  /** What may not stand in a resource of Istio, such as aliases and what is read in two ways. */
  readonly problem: Diagnostic | undefined
  /** @throws Error where it can't be told, as for aliases */
  value(): unknown
  /** A misfit of it, with its place in the file. */
  diagnosticOf(misfit: Misfit): Diagnostic
}

/** Takes a file apart, whatever its documents are of. Never throws. */
export function readDocuments(
  file: string,
  source: string,
): { readonly documents: readonly ReadDocument[]; readonly diagnostics: readonly Diagnostic[] } {
  const whole: Span = { file, line: 1, column: 1, endLine: 1, endColumn: 1 }
  const unreadable = (code: 'config/too-large' | 'config/yaml', details: Details) => ({
    documents: [],
    diagnostics: [diagnostic(code, details, whole)],
  })
  if (source.length > MAX_TEXT) return unreadable('config/too-large', { file, limit: MAX_TEXT })
  const spanAt = (offset: number): Span => {
    const before = source.slice(0, offset).split('\n')
    const at = { line: before.length, column: before.at(-1)!.length + 1 }
    return { file, ...at, endLine: at.line, endColumn: at.column }
  }
  try {
    const parsed = parseAllDocuments(source, { version: '1.2', merge: false, stringKeys: true, prettyErrors: false, logLevel: 'error' })
    const documents = 'empty' in parsed ? [] : parsed
    return {
      documents: documents.flatMap((document) => {
        const problem = problemOf(document)
        if (problem === undefined && (document.contents === null || isNull(document.contents))) return []
        return {
          problem: problem && diagnostic('config/yaml', { problem: problem.text }, spanAt(problem.at)),
          value: () => document.toJS({ maxAliasCount: 0 }) as unknown,
          diagnosticOf: (misfit) => diagnostic(misfit.code, misfit.details, spanAt(offsetOf(document, misfit))),
        }
      }),
      diagnostics: [],
    }
  } catch {
    return unreadable('config/yaml', { problem: 'it can not be read' })
  }
}

/** Reads the documents of a file. Never throws. */
export function readIstio(file: string, source: string): ReadIstio {
  const whole: Span = { file, line: 1, column: 1, endLine: 1, endColumn: 1 }
  const failed = (...diagnostics: readonly Diagnostic[]): ReadIstio => ({ resources: undefined, diagnostics: diagnostics.slice(0, 20) })
  const { documents, diagnostics: unreadable } = readDocuments(file, source)
  const resources: IstioResource[] = []
  const diagnostics = [...unreadable]
  for (const document of documents) {
    if (document.problem !== undefined) {
      diagnostics.push(document.problem)
      continue
    }
    try {
      resources.push(resourceOf(document.value()))
    } catch (error) {
      if (error instanceof Misfit) diagnostics.push(document.diagnosticOf(error))
      else diagnostics.push(diagnostic('config/yaml', { problem: 'it can not be read' }, whole))
    }
  }
  const twice = twiceOf(resources)
  if (twice !== undefined) diagnostics.push(diagnostic('config/invalid', { where: `\`${twice}\``, problem: 'it is there twice' }, whole))
  return diagnostics.length > 0 ? failed(...diagnostics) : { resources, diagnostics: [] }
}

/** As `readIstio`. @throws OstiaryError `config/*` for the first finding */
export function parseIstio(file: string, source: string): readonly IstioResource[] {
  const { resources, diagnostics } = readIstio(file, source)
  if (resources !== undefined) return resources
  const { code, message, span } = diagnostics[0]!
  throw new OstiaryError('config/invalid', { where: `\`${file}\``, problem: message }, { span, cause: code })
}

/** Resources as objects, such as an emitter makes them. @throws OstiaryError `config/*` */
export function istioOf(objects: readonly unknown[]): readonly IstioResource[] {
  const resources = objects.map((object) => {
    try {
      return resourceOf(object)
    } catch (error) {
      if (error instanceof Misfit) throw new OstiaryError(error.code, error.details)
      throw error
    }
  })
  const twice = twiceOf(resources)
  if (twice !== undefined) throw new OstiaryError('config/invalid', { where: `\`${twice}\``, problem: 'it is there twice' })
  return resources
}

export function twiceOf(resources: readonly IstioResource[]): string | undefined {
  const seen = new Set<string>()
  for (const { kind, metadata } of resources) {
    const name = `${kind} ${metadata.namespace}/${metadata.name}`
    if (seen.has(name)) return name
    seen.add(name)
  }
  return undefined
}

function isNull(contents: unknown): boolean {
  return isScalar(contents) && contents.value === null && (contents.source ?? '') === ''
}

/** Plain scalars that the YAML 1.1 of Kubernetes reads as something else than the YAML 1.2 of everyone else. */
const AMBIGUOUS =
  /^(?:y|n|yes|no|on|off|[-+]?0[0-7_]+|[-+]?0b[01_]+|[-+]?[0-9][0-9_]*_[0-9_]*|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?)$/i

function problemOf(document: Document): { readonly text: string; readonly at: number } | undefined {
  const error = document.errors[0] ?? document.warnings[0]
  if (error !== undefined) return { text: error.message.split('\n')[0]!.toLowerCase(), at: error.pos[0] }
  let found: { readonly text: string; readonly at: number } | undefined
  visit(document, (_key, node) => {
    if (isPair(node)) return undefined
    const { range, anchor, tag } = (node ?? {}) as { range?: readonly number[]; anchor?: string; tag?: string }
    const at = range?.[0] ?? 0
    if (isAlias(node) || anchor !== undefined) found = { text: 'aliases and anchors are not allowed here', at }
    else if (tag !== undefined) found = { text: 'tags (`!`) are not allowed', at }
    else if (isScalar(node) && node.type === 'PLAIN' && AMBIGUOUS.test(node.source ?? ''))
      found = { text: `\`${node.source}\` is read in two ways: write it in quotes`, at }
    else if (isYamlMap(node) && node.items.some(({ key }) => isScalar(key) && (typeof key.value !== 'string' || key.value === '__proto__')))
      found = { text: 'a key must be a plain string', at }
    return found === undefined ? undefined : visit.BREAK
  })
  return found
}

function offsetOf(document: Document, { path }: { readonly path: Path }): number {
  for (let length = path.length; length >= 0; length--) {
    const node: unknown = length === 0 ? document.contents : document.getIn(path.slice(0, length), true)
    const { range } = (node ?? {}) as { range?: readonly number[] }
    if (range !== undefined) return range[0]!
  }
  return 0
}
