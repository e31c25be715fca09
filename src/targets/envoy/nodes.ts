/** What each Envoy of the wiring is to enforce, or why it can't. */
import { resolve } from 'node:path'
import type { Wiring } from '../../config/schema.ts'
import { diagnostic, OstiaryError, type Diagnostic } from '../../core/errors.ts'
import type { CompiledPolicy } from '../../policy/index.ts'
import { readCertificates } from '../../secrets/pem.ts'
import type { NativeIssuers } from '../target.ts'
import { carriedOf, speaksHttp, type Carried, type NativeCarried, type WiredResource } from '../wired.ts'
import type { EnvoyResource, EnvoyUpstream } from './emit.ts'

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
  /** What resources come to; default: compiled here. */
  readonly native?: ((resource: string) => NativeCarried) | undefined
}

/** Names of the resources that a node carries. */
export function carriedBy({ resources }: NodeWiring, wiring: Wiring): readonly string[] {
  return resources ?? Object.keys(wiring.resources).filter((resource) => speaksHttp(wiring, resource))
}

/** Plans one node. */
export function planNode({ name, node, wiring, policy, issuers, folder, native }: NodeInput): NodePlan {
  const diagnostics: Diagnostic[] = []
  const target = `Envoy \`${name}\``
  const leave = `leave it out of \`doors.envoy.nodes.${name}.resources\``
  const ask = `add it to \`doors.envoy.nodes.${name}.delegate\`, which needs \`doors.envoy.checks\``
  const carrier = { target, wiring, policy, issuers, leave, ask, ...(native === undefined ? {} : { native }) }
  const names = carriedBy(node, wiring)
  const resources: EnvoyResource[] = []
  for (const resource of names) {
    const { ca, problem } = authoritiesOf(wiring.resources[resource] as unknown as WiredResource | undefined, folder)
    const { carried, diagnostics: found } = carriedOf(
      resource,
      node.delegate?.includes(resource) === true,
      carrier,
      problem === undefined ? [] : [problem],
    )
    diagnostics.push(...found)
    if (carried !== undefined) resources.push(resourceOf(carried, ca))
  }
  for (const resource of node.delegate ?? [])
    if (!names.includes(resource)) diagnostics.push(diagnostic('target/no-resource', { target, resource }, undefined))
  return { resources, diagnostics }
}

function authoritiesOf(wired: WiredResource | undefined, folder: string): { readonly ca?: string; readonly problem?: string } {
  const ca = wired?.upstream?.ca
  if (ca === undefined) return {}
  try {
    return { ca: readCertificates(resolve(folder, ca)) }
  } catch (error) {
    if (!(error instanceof OstiaryError)) throw error
    return { problem: `\`upstream.ca\`: ${error.message}` }
  }
}

function resourceOf({ native, wired, delegated }: Carried, ca: string | undefined): EnvoyResource {
  const { hosts, upstream, websocket, forwardAuthorization } = wired
  return { native, delegated, hosts, upstream: upstreamOf(upstream, ca), websocket: websocket !== false, forwardAuthorization }
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
