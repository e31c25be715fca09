/** What of a resource's wiring a mesh of Istio would leave out, by which it would do something else than Ostiary's own door. */
import type { Wiring } from '../../config/schema.ts'

/** A resource with `protocol: http`, as far as it matters here. */
export interface WiredResource {
  readonly hosts: readonly string[]
  readonly upstream: { readonly hostField: 'request' | 'upstream' }
  readonly websocket: unknown
  readonly forwardAuthorization: boolean
  readonly record: string
  readonly routes: readonly { readonly record?: string | undefined; readonly body?: unknown; readonly forwardAuthorization?: unknown }[]
  readonly body?: unknown
  readonly cors?: unknown
  readonly maxTokenLifetime?: number | undefined
}

const OWN = 'ostiary'

/** Undefined for what is no resource that speaks http. */
export function wiredResource({ resources }: Wiring, name: string): WiredResource | undefined {
  const found = Object.hasOwn(resources, name) ? resources[name] : undefined
  return found?.protocol === 'http' && name !== OWN ? (found as unknown as WiredResource) : undefined
}

export function wiringProblems({ hosts, upstream, routes, body, cors }: WiredResource): readonly string[] {
  return [
    ...hosts.filter((host) => host.startsWith('*.')).map((host) => `\`${host}\` stands for one label here, and for any number to Istio`),
    ...(upstream.hostField === 'request' ? [] : ['`upstream.hostField: upstream` is not carried out']),
    ...(body !== undefined || routes.some((route) => route.body !== undefined) ? ['`body` limits are not kept'] : []),
    ...(routes.some((route) => route.forwardAuthorization !== undefined) ? ['`forwardAuthorization` of a route is not carried out'] : []),
    ...(cors === undefined ? [] : ['`cors` preflights are not answered']),
  ]
}

/** Whoever decides by itself records nothing before the effect. */
export function wantsRecordFirst({ record, routes }: WiredResource): boolean {
  return record === 'strict' || routes.some((route) => route.record === 'strict')
}

/** Hosts as requests may name them: Istio compares the port as well. */
export function hostsOf({ hosts }: WiredResource, ports: readonly number[]): readonly string[] {
  const all = [...new Set([80, 443, ...ports])].toSorted((a, b) => a - b)
  return [...new Set(hosts.flatMap((host) => (/:\d+$/.test(host) ? [host] : [host, ...all.map((port) => `${host}:${port}`)])))].toSorted()
}
