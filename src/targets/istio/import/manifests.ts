/** What users have: files of Kubernetes' resources, whole lists as kubectl prints them, and other things in between. */
import { parse } from 'yaml'
import { diagnostic, type Diagnostic } from '../../../core/errors.ts'
import { DEFAULT_MESH, type Mesh, type PathNormalization } from '../translate/mesh.ts'
import { readDocuments, resourceOf, twiceOf, type ReadDocument } from '../translate/read.ts'
import { isMap, Misfit, type Path } from '../translate/shapes.ts'
import type { IstioResource } from '../translate/types.ts'
import type { Losses } from './losses.ts'

export interface ManifestSource {
  readonly file: string
  readonly text: string
}

/** A Service of Kubernetes, as far as it says who is behind which name. */
export interface Service {
  readonly namespace: string
  readonly name: string
  readonly selector: Readonly<Record<string, string>>
  readonly ports: readonly { readonly port: number; readonly targetPort: number | undefined; readonly isHttp: boolean }[]
}

export type MeshFacts = Pick<Mesh, 'rootNamespace' | 'trustDomain' | 'trustDomainAliases' | 'pathNormalization'>

export interface Manifests {
  readonly resources: readonly IstioResource[]
  readonly services: readonly Service[]
  readonly mesh: MeshFacts
  /** Errors: then nothing of the rest is to be used. */
  readonly diagnostics: readonly Diagnostic[]
}

const OURS = new Set(['AuthorizationPolicy', 'RequestAuthentication'])
const MAX_ITEMS = 20_000
const MAX_DIAGNOSTICS = 20

/** @param namespace Of documents that name none */
export function readManifests(sources: readonly ManifestSource[], namespace: string | undefined, losses: Losses): Manifests {
  const reading = new Reading(namespace, losses)
  for (const { file, text } of sources) {
    const { documents, diagnostics } = readDocuments(file, text)
    reading.diagnostics.push(...diagnostics)
    for (const document of documents) reading.take(document, file)
  }
  const twice = twiceOf(reading.resources)
  if (twice !== undefined)
    reading.diagnostics.push(diagnostic('config/invalid', { where: `\`${twice}\``, problem: 'it is there twice' }, undefined))
  for (const [kind, count] of reading.others)
    losses.add('not-carried', kind, '', `${count === 1 ? 'one document' : `${count} documents`} of this kind: it is not read`)
  const { resources, services, mesh } = reading
  return { resources, services, mesh, diagnostics: reading.diagnostics.slice(0, MAX_DIAGNOSTICS) }
}

class Reading {
  readonly resources: IstioResource[] = []
  readonly services: Service[] = []
  readonly others = new Map<string, number>()
  readonly diagnostics: Diagnostic[] = []
  mesh: MeshFacts = DEFAULT_MESH
  readonly #namespace: string | undefined
  readonly #losses: Losses

  constructor(namespace: string | undefined, losses: Losses) {
    this.#namespace = namespace
    this.#losses = losses
  }

  take(document: ReadDocument, file: string): void {
    let value: unknown
    try {
      value = document.value()
    } catch {
      const unread = diagnostic('config/yaml', { problem: 'it can not be read' }, undefined)
      this.diagnostics.push(document.problem ?? unread)
      return
    }
    try {
      this.#object(value, [], document)
    } catch (error) {
      if (error instanceof Misfit) this.diagnostics.push(document.diagnosticOf(error))
      else this.diagnostics.push(diagnostic('config/invalid', { where: `\`${file}\``, problem: 'it can not be read' }, undefined))
    }
  }

  /** @throws Misfit */
  #object(value: unknown, path: Path, document: ReadDocument): void {
    const { kind, items } = isMap(value) ? value : {}
    if (!isMap(value) || typeof kind !== 'string' || kind === '') {
      if (document.problem === undefined) throw new Misfit('target/import-no-kind', {}, path)
      this.diagnostics.push(document.problem)
    } else if (Array.isArray(items) && (kind === 'List' || (kind.endsWith('List') && OURS.has(kind.slice(0, -4))))) {
      if (items.length > MAX_ITEMS)
        throw new Misfit('config/invalid', { where: '`items`', problem: `it has more than ${MAX_ITEMS} entries` }, path)
      for (const [index, item] of items.entries()) {
        const at = [...path, 'items', index]
        if (path.length > 0) throw new Misfit('config/invalid', { where: '`items`', problem: 'a list is in a list' }, at)
        this.#object(item, at, document)
      }
    } else if (OURS.has(kind)) this.#ours(value, path, document)
    else if (kind === 'Service' && value['apiVersion'] === 'v1') this.#service(value)
    else if (kind === 'ConfigMap') this.#mesh(value)
    else this.others.set(kind.slice(0, 80), (this.others.get(kind.slice(0, 80)) ?? 0) + 1)
  }

  #ours(value: Readonly<Record<string, unknown>>, path: Path, document: ReadDocument): void {
    if (document.problem !== undefined) {
      this.diagnostics.push(document.problem)
      return
    }
    const { metadata } = value
    const isWithout = this.#namespace !== undefined && isMap(metadata) && metadata['namespace'] === undefined
    try {
      this.resources.push(resourceOf(isWithout ? { ...value, metadata: { ...metadata, namespace: this.#namespace } } : value))
    } catch (error) {
      if (!(error instanceof Misfit)) throw error
      // The first part of a place is of the resource, which may stand in a list.
      throw new Misfit(error.code, error.details, [...path, ...error.path], error.isKey)
    }
  }

  #service({ metadata, spec }: Readonly<Record<string, unknown>>): void {
    if (!isMap(metadata) || !isMap(spec)) return
    const { name, namespace = this.#namespace } = metadata
    const { selector, ports } = spec
    if (typeof name !== 'string' || typeof namespace !== 'string' || !isMap(selector) || Object.keys(selector).length === 0) return
    const labels = Object.entries(selector).flatMap(([key, label]) => (typeof label === 'string' ? [[key, label] as const] : []))
    if (labels.length !== Object.keys(selector).length || !/^[a-z0-9-]{1,63}$/.test(name) || !/^[a-z0-9-]{1,63}$/.test(namespace)) return
    this.services.push({
      namespace,
      name,
      selector: Object.fromEntries(labels),
      ports: (Array.isArray(ports) ? ports : []).flatMap((one: unknown) => {
        if (!isMap(one) || !isPortNumber(one['port'])) return []
        const { port, targetPort = port, protocol = 'TCP', appProtocol, name: called = '' } = one
        const isHttp = protocol === 'TCP' && /^(?:http|http2|grpc|grpc-web)(?:-.*)?$/.test(String(appProtocol ?? called))
        return [{ port, targetPort: isPortNumber(targetPort) ? targetPort : undefined, isHttp }]
      }),
    })
  }

  /** `meshConfig`, where Istio's control plane reads it. */
  #mesh({ metadata, data }: Readonly<Record<string, unknown>>): void {
    if (!isMap(metadata) || metadata['name'] !== 'istio' || !isMap(data) || typeof data['mesh'] !== 'string') return
    const document = `ConfigMap ${text(metadata['namespace']) ?? ''}/istio`
    let mesh: unknown
    try {
      mesh = parse(data['mesh'], { maxAliasCount: 0, version: '1.2' })
    } catch {
      this.#losses.add('not-carried', document, 'data.mesh', 'it can not be read')
      return
    }
    if (!isMap(mesh)) return
    const { rootNamespace, trustDomain, trustDomainAliases, pathNormalization } = mesh
    const normalization = isMap(pathNormalization) ? pathNormalization['normalization'] : undefined
    const known: readonly PathNormalization[] = ['DEFAULT', 'NONE', 'BASE', 'MERGE_SLASHES', 'DECODE_AND_MERGE_SLASHES']
    this.mesh = {
      rootNamespace: text(rootNamespace) ?? this.mesh.rootNamespace,
      trustDomain: text(trustDomain) ?? this.mesh.trustDomain,
      trustDomainAliases: Array.isArray(trustDomainAliases) ? trustDomainAliases.flatMap((one) => text(one) ?? []) : [],
      pathNormalization: known.find((one) => one === normalization) ?? this.mesh.pathNormalization,
    }
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function isPortNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= 65_535
}
