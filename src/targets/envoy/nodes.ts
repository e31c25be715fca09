/** What each Envoy of the wiring is to enforce, or why it can't. */
import { resolve } from 'node:path'
import type { Wiring } from '../../config/schema.ts'
import { diagnostic, OstiaryError, type Diagnostic } from '../../core/errors.ts'
import { all, payload, test, type NativeIssuer } from '../../core/token.ts'
import { MAX_POLICIES, takesTooMany } from '../../envoy/rbac.ts'
import { OWN_RESOURCE, type CompiledPolicy } from '../../policy/index.ts'
import { compileNative } from '../../policy/native/compile.ts'
import type { NativeResource, NotNative } from '../../policy/native/native.ts'
import { readCertificates } from '../../secrets/pem.ts'
import type { NativeIssuers } from '../target.ts'
import type { EnvoyResource, EnvoyUpstream } from './emit.ts'

/** A resource with `protocol: http`, as far as an Envoy carries it. */
export interface WiredResource {
  readonly hosts: readonly string[]
  readonly upstream: {
    readonly url: string
    readonly ca?: string | undefined
    readonly serverName?: string | undefined
    readonly http2: boolean
    readonly socketPath?: string | undefined
    readonly hostField: 'request' | 'upstream'
    readonly connectTimeout: number
  }
  readonly websocket: unknown
  readonly forwardAuthorization: boolean
  readonly record: string
  readonly routes: readonly {
    readonly path: string
    readonly record?: string | undefined
    readonly body?: unknown
    readonly forwardAuthorization?: unknown
  }[]
  readonly body?: unknown
  readonly cors?: unknown
  readonly maxTokenLifetime?: number | undefined
}

export interface NodeWiring {
  /** Undefined for every resource that speaks http. */
  readonly resources?: readonly string[] | undefined
  /** Those of them that the gateway is asked about. */
  readonly delegate?: readonly string[] | undefined
}

export interface NodePlan {
  readonly resources: readonly EnvoyResource[]
  /** Errors: as long as there is one, nothing of it may be enforced. */
  readonly diagnostics: readonly Diagnostic[]
}

export interface NodeInput {
  /** Its name in the wiring. */
  readonly name: string
  readonly node: NodeWiring
  readonly wiring: Wiring
  readonly policy: CompiledPolicy
  readonly issuers: NativeIssuers
  /** Where relative file names of the wiring start. */
  readonly folder: string
}

/** Plans one node. */
export function planNode({ name, node, wiring, policy, issuers, folder }: NodeInput): NodePlan {
  const diagnostics: Diagnostic[] = []
  const target = `Envoy \`${name}\``
  const speaksHttp = (resource: string): boolean => wiring.resources[resource]?.protocol === 'http' && resource !== OWN_RESOURCE
  const names = node.resources ?? Object.keys(wiring.resources).filter(speaksHttp)
  const resources: EnvoyResource[] = []
  for (const resource of names) {
    if (!speaksHttp(resource)) {
      diagnostics.push(diagnostic('target/no-resource', { target, resource }, undefined))
      continue
    }
    const wired = wiring.resources[resource] as unknown as WiredResource
    const isDelegated = node.delegate?.includes(resource) === true
    const { native, refused } = isDelegated ? delegated(resource) : compileNative({ model: policy.model, resource, issuers })
    const unkept = isDelegated ? [] : [...(wantsRecordFirst(wired) ? [RECORD_FIRST] : []), ...tooMuch(native)]
    const authorities = authoritiesOf(wired, folder)
    const leave = `leave it out of \`doors.envoy.nodes.${name}.resources\``
    const ask = `add it to \`doors.envoy.nodes.${name}.delegate\`, which needs \`doors.envoy.checks\``
    const found = [
      ...[...refused, ...unkept].map(({ id, why, span }) =>
        diagnostic('target/not-native', { what: id ?? resource, target, why, resource, leave, ask }, span),
      ),
      ...[...wiringProblems(wired), ...(authorities.problem === undefined ? [] : [authorities.problem])].map((why) =>
        diagnostic('target/not-carried', { target, why, resource, leave }, undefined),
      ),
    ]
    diagnostics.push(...found)
    if (found.length === 0) resources.push({ ...resourceOf(native, wired, authorities.ca), delegated: isDelegated })
  }
  for (const resource of node.delegate ?? [])
    if (!names.includes(resource)) diagnostics.push(diagnostic('target/no-resource', { target, resource }, undefined))
  return { resources, diagnostics }
}

/** Statements that would be more policies of Envoy than it should be given. */
function tooMuch({ rules, guardrails }: NativeResource): readonly NotNative[] {
  return [...rules, ...guardrails].flatMap(({ id, span, applies }) =>
    [...applies.values()].some(takesTooMany) ? [{ id, span, why: `it would take more than ${MAX_POLICIES} policies of Envoy` }] : [],
  )
}

function authoritiesOf({ upstream: { ca } }: WiredResource, folder: string): { readonly ca?: string; readonly problem?: string } {
  if (ca === undefined) return {}
  try {
    return { ca: readCertificates(resolve(folder, ca)) }
  } catch (error) {
    if (!(error instanceof OstiaryError)) throw error
    return { problem: `\`upstream.ca\`: ${error.message}` }
  }
}

/** Of what the gateway is asked about, an Envoy knows the name alone. */
function delegated(name: string): { readonly native: NativeResource; readonly refused: readonly NotNative[] } {
  return { native: { name, issuers: [], rules: [], guardrails: [], scopes: undefined }, refused: [] }
}

const RECORD_FIRST: NotNative = { id: undefined, why: '`record: strict` wants a record before the effect', span: undefined }

/** Whoever is asked records first, and answers then; an Envoy by itself does neither. */
function wantsRecordFirst({ record, routes }: WiredResource): boolean {
  return record === 'strict' || routes.some((route) => route.record === 'strict')
}

/** What of the wiring an Envoy would leave out: by which it would do something else than Ostiary's own door. */
function wiringProblems({ hosts, upstream, routes, body, cors }: WiredResource): readonly string[] {
  return [
    ...hosts.filter((host) => host.startsWith('*.')).map((host) => `\`${host}\` stands for one label here, and for any number to Envoy`),
    ...hosts.filter((host) => host.includes(':')).map((host) => `\`${host}\` binds a host to a port, which Envoy looks past`),
    ...(upstream.socketPath === undefined ? [] : ['`upstream.socketPath` is of this machine']),
    ...(upstream.hostField === 'request' ? [] : ['`upstream.hostField: upstream` is not carried out']),
    ...(body !== undefined || routes.some((route) => route.body !== undefined) ? ['`body` limits are not kept'] : []),
    ...(routes.some((route) => route.forwardAuthorization !== undefined) ? ['`forwardAuthorization` of a route is not carried out'] : []),
    ...(cors === undefined ? [] : ['`cors` preflights are not answered']),
  ]
}

function resourceOf(
  native: NativeResource,
  { hosts, upstream, websocket, forwardAuthorization, maxTokenLifetime }: WiredResource,
  ca: string | undefined,
): EnvoyResource {
  return {
    native:
      maxTokenLifetime === undefined
        ? native
        : { ...native, issuers: native.issuers.map((issuer) => shortLived(issuer, maxTokenLifetime)) },
    hosts,
    upstream: upstreamOf(upstream, ca),
    websocket: websocket !== false,
    forwardAuthorization,
  }
}

function shortLived(issuer: NativeIssuer, most: number): NativeIssuer {
  const span = test({ is: 'span', path: payload('exp'), since: payload('iat'), most: most / 1000 })
  return { ...issuer, credential: all(issuer.credential, span) }
}

function upstreamOf({ url: text, serverName, http2, connectTimeout }: WiredResource['upstream'], ca: string | undefined): EnvoyUpstream {
  const url = new URL(text)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const secure = url.protocol === 'https:'
  return {
    host,
    port: url.port === '' ? (secure ? 443 : 80) : Number(url.port),
    tls: secure ? { serverName: serverName ?? host, ca } : undefined,
    http2,
    connectTimeout,
  }
}
