/** A resource of the wiring, for enforcement points that carry requests over http and speak Envoy's filters: what of it they can be told. */
import type { Wiring } from '../config/schema.ts'
import { diagnostic, type Diagnostic } from '../core/errors.ts'
import { all, payload, test, type NativeIssuer } from '../core/token.ts'
import { MAX_POLICIES, takesTooMany } from '../envoy/rbac.ts'
import { OWN_RESOURCE, type CompiledPolicy } from '../policy/index.ts'
import { compileNative } from '../policy/native/compile.ts'
import type { NativeResource, NotNative } from '../policy/native/native.ts'
import type { NativeIssuers } from './target.ts'

/** A resource with `protocol: http`, as far as somebody else's proxy carries it. */
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

/** Who is to carry what, and what to write for it not to. */
export interface CarrierInput {
  /** The enforcement point, for people: "Envoy `edge`". */
  readonly target: string
  readonly wiring: Wiring
  readonly policy: CompiledPolicy
  readonly issuers: NativeIssuers
  /** What to write to leave the resource to the gateway's own door, and to have the gateway asked. */
  readonly leave: string
  readonly ask: string
  /** What resources come to that the gateway isn't asked about; default: `nativeOf`. */
  readonly native?: (resource: string) => NativeCarried
}

/** What the policy comes to, with the longest life that the resource lets tokens have. */
export interface NativeCarried {
  readonly native: NativeResource
  readonly refused: readonly NotNative[]
}

export function nativeOf(
  resource: string,
  { wiring, policy, issuers }: Pick<CarrierInput, 'wiring' | 'policy' | 'issuers'>,
): NativeCarried {
  const { native, refused } = compileNative({ model: policy.model, resource, issuers })
  return { native: bounded(native, wiring.resources[resource] as unknown as WiredResource), refused: [...refused, ...tooMuch(native)] }
}

export interface Carried {
  readonly native: NativeResource
  readonly wired: WiredResource
  /** Whether the gateway is asked about each request, and nothing of its policy is told. */
  readonly delegated: boolean
}

export interface CarriedResult {
  /** Undefined as long as there is an error. */
  readonly carried: Carried | undefined
  readonly diagnostics: readonly Diagnostic[]
}

/** Whether a name is of a resource that can be carried at all. */
export function speaksHttp(wiring: Wiring, resource: string): boolean {
  return Object.hasOwn(wiring.resources, resource) && wiring.resources[resource]!.protocol === 'http' && resource !== OWN_RESOURCE
}

/**
 * What a resource comes to.
 * @param delegated Whether the gateway is asked about it
 * @param more What is wrong besides, as the enforcement point alone knows
 */
export function carriedOf(resource: string, delegated: boolean, carrier: CarrierInput, more: readonly string[] = []): CarriedResult {
  const { target, wiring, leave, ask, native: compile = (one) => nativeOf(one, carrier) } = carrier
  if (!speaksHttp(wiring, resource))
    return { carried: undefined, diagnostics: [diagnostic('target/no-resource', { target, resource }, undefined)] }
  const wired = wiring.resources[resource] as unknown as WiredResource
  const { native, refused } = delegated ? nothingOf(resource) : compile(resource)
  const unkept = !delegated && wantsRecordFirst(wired) ? [RECORD_FIRST] : []
  const diagnostics = [
    ...[...refused, ...unkept].map(({ id, why, span }) =>
      diagnostic('target/not-native', { what: id ?? resource, target, why, resource, leave, ask }, span),
    ),
    ...[...wiringProblems(wired), ...more].map((why) => diagnostic('target/not-carried', { target, why, resource, leave }, undefined)),
  ]
  return { carried: diagnostics.length > 0 ? undefined : { native, wired, delegated }, diagnostics }
}

/** Of what the gateway is asked about, nobody else knows more than the name. */
function nothingOf(name: string): NativeCarried {
  return { native: { name, issuers: [], rules: [], guardrails: [], scopes: undefined }, refused: [] }
}

/** Statements that would be more policies of Envoy than it should be given. */
function tooMuch({ rules, guardrails }: NativeResource): readonly NotNative[] {
  return [...rules, ...guardrails].flatMap(({ id, span, applies, ...more }) =>
    [...applies.values(), ...('observed' in more ? more.observed.values() : [])].some(takesTooMany)
      ? [{ id, span, why: `it would take more than ${MAX_POLICIES} policies of Envoy` }]
      : [],
  )
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

/** With the longest life that the resource lets tokens have. */
function bounded(native: NativeResource, { maxTokenLifetime }: WiredResource): NativeResource {
  if (maxTokenLifetime === undefined) return native
  return { ...native, issuers: native.issuers.map((issuer) => shortLived(issuer, maxTokenLifetime)) }
}

function shortLived(issuer: NativeIssuer, most: number): NativeIssuer {
  const span = test({ is: 'span', path: payload('exp'), since: payload('iat'), most: most / 1000 })
  return { ...issuer, credential: all(issuer.credential, span) }
}
