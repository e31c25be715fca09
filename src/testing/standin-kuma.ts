/**
 * A stand-in for the control plane of a Kuma mesh: its HTTP API as far as policies, dataplanes and their configuration go, after its
 * sources. It is no Kuma, and what it does is what is known of one: fields that it doesn't know it drops without a word, anybody may write
 * policies, and a patch that matches nothing changes nothing.
 */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { JsonValue } from '@bufbuild/protobuf'
import { fromReadable, readable } from '../envoy/any.ts'
import { HttpFilterSchema } from '../envoy/messages/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts'
import { translateKuma } from '../targets/kuma/evaluate.ts'
import { MESH_TLS, plainInbound } from '../targets/kuma/testdata/inbound.ts'

type Json = { readonly [name: string]: unknown }
/** Fields that are known; `true` for whatever is there. Those of a list's entries stand for the list. */
type Known = true | { readonly [field: string]: Known }

const TEXT = true as const
const REF: Known = { kind: TEXT, labels: true, name: TEXT, sectionName: TEXT, tags: true }
const MATCH: Known = { spiffeID: { type: TEXT, value: TEXT }, sni: { type: TEXT, value: TEXT } }
const CHANGE: Known = {
  operation: TEXT,
  match: { origin: TEXT, name: TEXT, listenerName: TEXT, listenerTags: true, routeConfigurationName: TEXT },
  value: TEXT,
}
const rules = (inner: Known): Known => ({ targetRef: REF, rules: { default: inner } })
const attributes: { readonly attributes: Known } = { attributes: { key: TEXT, value: TEXT } }

function known(version: string): Readonly<Record<string, Known>> {
  const isOld = version !== '3.0'
  const permissions = rules({ allow: MATCH, deny: MATCH, allowWithShadowDeny: MATCH }) as { readonly [field: string]: Known }
  const telemetry: Known = { backendRef: { kind: TEXT, name: TEXT, labels: true }, ...attributes, ...(isOld ? { endpoint: TEXT } : {}) }
  return {
    meshtlses: rules({ mode: TEXT }),
    meshtrafficpermissions: isOld ? { ...permissions, from: { targetRef: REF, default: { action: TEXT } } } : permissions,
    meshproxypatches: {
      targetRef: REF,
      default: { appendModifications: { cluster: CHANGE, networkFilter: CHANGE, httpFilter: CHANGE, virtualHost: CHANGE } },
    },
    meshaccesslogs: rules({ backends: { type: TEXT, openTelemetry: telemetry } }),
  }
}

/** Its own view of what is wrong: kinds of `targetRef` that a version doesn't have. */
function invalid(version: string, spec: Json): Json | undefined {
  const { kind } = (spec['targetRef'] ?? {}) as Json
  const kinds = version === '3.0' ? ['Mesh', 'Dataplane'] : ['Mesh', 'Dataplane', 'MeshSubset', 'MeshService']
  if (kind === undefined || kinds.includes(kind as string)) return undefined
  return { field: 'spec.targetRef.kind', reason: 'value is not supported', rule: `in(${kinds.join(',')})`, source: 'body' }
}

function withoutUnknown(value: unknown, fields: Known): unknown {
  if (fields === true) return value
  if (Array.isArray(value)) return value.map((one) => withoutUnknown(one, fields))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, one]) => (Object.hasOwn(fields, key) ? [[key, withoutUnknown(one, fields[key]!)]] : [])),
  )
}

export interface StandInDataplane {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly inbounds: readonly { readonly port: number; readonly name?: string; readonly protocol?: string }[]
  /** Whether the mesh has TLS; `permissive` lets plaintext in as well. */
  readonly tls?: 'strict' | 'permissive'
  /** How many configurations its Envoy has rejected; default: none, which isn't told. */
  readonly rejected?: number
}

export interface StandInKumaOptions {
  /** What `GET /` tells, as in `2.14.3`. */
  readonly version: string
  readonly mode?: 'universal' | 'kubernetes'
  readonly dataplanes?: readonly StandInDataplane[]
  readonly token?: string
  /** A label that it doesn’t keep, unlike any Kuma that is known; default: it keeps all. */
  readonly loses?: string
}

export interface StandInKuma {
  readonly origin: string
  /** What is stored, by `plural/name`. Tests change it as somebody without a name would. */
  readonly stored: Map<string, Json>
  /** Method, path, and whether there was a token, of each request. */
  readonly asked: { readonly method: string; readonly path: string; readonly anonymous: boolean }[]
  close(): Promise<void>
}

export async function startStandInKuma({
  version,
  mode = 'universal',
  dataplanes = [],
  token = 'user-token',
  loses,
}: StandInKumaOptions): Promise<StandInKuma> {
  const short = version.replace(/^(\d+\.\d+).*$/, '$1')
  const stored = new Map<string, Json>()
  const asked: { method: string; path: string; anonymous: boolean }[] = []
  const kinds = known(short)
  const problem = (status: number, title: string, parameters?: readonly Json[]): Answer => ({
    status,
    body: {
      status,
      title,
      type: '/std-errors',
      detail: title,
      instance: 'x',
      ...(parameters === undefined ? {} : { invalid_parameters: parameters }),
    },
  })
  const put = (plural: string, name: string, body: Json | undefined): Answer => {
    if (mode === 'kubernetes') return problem(405, 'Method not allowed')
    if (body === undefined) return problem(400, 'Could not process a resource')
    if (body['name'] !== name)
      return problem(400, 'Could not process a resource', [{ field: 'name', reason: 'name from the URL has to be the same as in body' }])
    const spec = withoutUnknown(body['spec'] ?? {}, kinds[plural]!) as Json
    const wrong = invalid(short, spec)
    if (wrong !== undefined) return problem(400, 'Could not process a resource', [wrong])
    const key = `${plural}/${name}`
    const status = stored.has(key) ? 200 : 201
    const times = { creationTime: '2026-01-01T00:00:00Z', modificationTime: '2026-01-01T00:00:00Z' }
    const { [loses ?? '']: _, ...own } = (body['labels'] ?? {}) as Json
    const labels = { 'kuma.io/mesh': body['mesh'], ...own }
    stored.set(key, { type: body['type'], mesh: body['mesh'], name, ...times, labels, spec })
    return { status, body: { warnings: short === '3.0' || spec['from'] === undefined ? [] : ['`from` field is deprecated, use `rules`'] } }
  }
  const page = (items: readonly Json[], query: URLSearchParams): Answer => {
    const [size, offset] = [Number(query.get('size') ?? 100), Number(query.get('offset') ?? 0)]
    return { status: 200, body: { total: items.length, items: items.slice(offset, offset + size), next: null } }
  }
  const answer = (method: string, { pathname, searchParams }: URL, isUser: boolean, body: Json | undefined): Answer => {
    if (pathname === '/') return { status: 200, body: { hostname: 'standin', tagline: 'Kuma', product: 'Kuma', version } }
    const [, meshes, , plural = '', name, sub] = pathname.split('/').map(decodeURIComponent)
    if (meshes !== 'meshes') return problem(404, 'Not Found')
    if (plural === 'dataplanes') {
      if (name === undefined)
        return page(
          dataplanes.map((one) => describe(one, short)),
          searchParams,
        )
      const found = dataplanes.find((one) => one.name === name)
      if (found === undefined) return problem(404, 'Could not retrieve a resource')
      if (sub === undefined) return { status: 200, body: describe(found, short) }
      if (sub === '_overview') return { status: 200, body: overviewOf(found) }
      // Of all that is asked here, this alone wants to know who asks.
      return isUser ? { status: 200, body: inspected(found, [...stored.values()], searchParams) } : problem(403, 'Access Denied')
    }
    if (!Object.hasOwn(kinds, plural)) return problem(404, 'Not Found')
    const own = [...stored].filter(([key]) => key.startsWith(`${plural}/`)).map(([, one]) => one)
    if (name === undefined) return page(own, searchParams)
    if (method === 'PUT') return put(plural, name, body)
    const found = stored.get(`${plural}/${name}`)
    if (found === undefined) return problem(404, 'Could not retrieve a resource')
    if (method !== 'DELETE') return { status: 200, body: found }
    if (mode === 'kubernetes') return problem(405, 'Method not allowed')
    stored.delete(`${plural}/${name}`)
    return { status: 200, body: {} }
  }
  const server = createServer((request, response) => {
    const answered = bodyOf(request).then((body) => {
      const url = new URL(request.url!, 'http://x')
      const { authorization } = request.headers
      asked.push({ method: request.method!, path: url.pathname, anonymous: authorization === undefined })
      const { status, body: said } = answer(request.method!, url, authorization === `Bearer ${token}`, body)
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(said))
    })
    // What it can't translate would break a proxy's configuration.
    answered.catch((error: unknown) =>
      response.writeHead(500, { 'content-type': 'application/json' }).end(JSON.stringify({ title: String(error) })),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stored,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

interface Answer {
  readonly status: number
  readonly body: Json
}

async function bodyOf(request: IncomingMessage): Promise<Json | undefined> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  try {
    return JSON.parse(Buffer.concat(chunks).toString()) as Json
  } catch {
    return undefined
  }
}

function describe({ name, labels, inbounds }: StandInDataplane, version: string): Json {
  const inbound = inbounds.map(({ port, name: called, protocol }) => ({
    port,
    ...(called === undefined ? {} : { name: called }),
    ...(protocol === undefined
      ? {}
      : version === '3.0'
        ? { protocol }
        : { tags: { 'kuma.io/service': name, 'kuma.io/protocol': protocol } }),
  }))
  return { type: 'Dataplane', mesh: 'default', name, labels, networking: { address: '127.0.0.1', inbound } }
}

function overviewOf({ name, rejected }: StandInDataplane): Json {
  const lds = { responsesSent: '3', responsesAcknowledged: '3', ...(rejected === undefined ? {} : { responsesRejected: String(rejected) }) }
  return { type: 'DataplaneOverview', mesh: 'default', name, dataplaneInsight: { subscriptions: [{ id: 'x', status: { lds } }] } }
}

/** With `shadow=true`, policies with `kuma.io/effect: shadow` count as well; with `include=diff`, a JSON patch from what is in force is there. */
function inspected(dataplane: StandInDataplane, documents: readonly Json[], query: URLSearchParams): Json {
  const told = configOf(dataplane, documents, query.get('shadow') === 'true')
  const isCompared = query
    .getAll('include')
    .flatMap((one) => one.split(','))
    .includes('diff')
  return isCompared ? { xds: told, diff: patchOf(configOf(dataplane, documents, false), told) } : { xds: told }
}

/** RFC 6902, from one to the other. */
function patchOf(from: unknown, to: unknown, path = ''): readonly Json[] {
  if (Array.isArray(from) && Array.isArray(to)) {
    const shared = Math.min(from.length, to.length)
    return [
      ...from.slice(0, shared).flatMap((one, index) => patchOf(one, to[index], `${path}/${index}`)),
      ...to.slice(shared).map((value: unknown, index) => ({ op: 'add', path: `${path}/${shared + index}`, value })),
      ...from
        .slice(shared)
        .map((_, index) => ({ op: 'remove', path: `${path}/${shared + index}` }))
        .toReversed(),
    ]
  }
  const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)
  if (!isObject(from) || !isObject(to)) return from === to ? [] : [{ op: 'replace', path, value: to }]
  return [...new Set([...Object.keys(from), ...Object.keys(to)])].flatMap((key): readonly Json[] => {
    const at = `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
    if (!Object.hasOwn(from, key)) return [{ op: 'add', path: at, value: to[key] }]
    return Object.hasOwn(to, key) ? patchOf(from[key], to[key], at) : [{ op: 'remove', path: at }]
  })
}

/** Listeners as they are generated, told the way a control plane writes messages: without what has its default. */
function configOf({ labels, inbounds, tls }: StandInDataplane, documents: readonly Json[], withShadows: boolean): Json {
  const transports = tls === undefined ? [undefined] : tls === 'strict' ? [MESH_TLS] : [MESH_TLS, undefined]
  const plain = inbounds.map(({ port, name, protocol }) => ({
    port,
    ...(name === undefined ? {} : { name }),
    listener: plainInbound({ port, service: `localhost:${port}`, protocol: protocol === undefined ? 'tcp' : 'http', transports }),
  }))
  const { listeners } = translateKuma(documents, { mesh: 'default', labels }, plain, withShadows)
  const told = Object.fromEntries(listeners.map((one) => [one['name'] as string, inItsWords(one)]))
  return { 'type.googleapis.com/envoy.config.listener.v3.Listener': told }
}

function inItsWords(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inItsWords)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [
      key,
      key === 'httpFilters'
        ? (one as JsonValue[]).map((filter) => readable(HttpFilterSchema, fromReadable(HttpFilterSchema, filter)))
        : inItsWords(one),
    ]),
  )
}
