/** An Envoy with what is compiled from a policy, the same for whatever size it has. */
import { readKey } from '../../../src/identity/jose/jwk.ts'
import { jwksOf } from '../../../src/identity/nativekeys.ts'
import { compile } from '../../../src/server/configuration.ts'
import { nativeIssuers } from '../../../src/server/families.ts'
import { asStatic, emitEnvoy, type EnvoyConfiguration, type EnvoyResource } from '../../../src/targets/envoy/emit.ts'
import { planNode } from '../../../src/targets/envoy/nodes.ts'
import type { TreeLimits } from '../../../src/targets/envoy/tree.ts'
import { API, TENANT } from '../../../src/testing/tokens.ts'
import type { Candidate, Place } from '../candidates/candidate.ts'
import { HOST, ROLES, type Rule, type Workload } from '../workload.ts'
import { accessLog, commandOf } from './written.ts'

/** The one resource of a policy with these rules. */
export function resourceOf(rules: readonly Rule[], origin: string, upstreamPort: number): EnvoyResource {
  const wired = {
    apiVersion: 'ostiary.dev/v1',
    issuers: { entra: { kind: 'entra', authority: origin, tenants: [TENANT], audiences: [API] } },
    resources: { orders: { protocol: 'http', hosts: [HOST], upstream: { url: `http://127.0.0.1:${upstreamPort}` } } },
    doors: { http: { listen: [{ address: '127.0.0.1:2' }] } },
    admin: { listen: '127.0.0.1:1' },
  }
  const written = {
    apiVersion: 'ostiary.dev/v1',
    roles: Object.fromEntries(ROLES.map((role, i) => [`role-${i}`, { bind: [{ issuer: 'entra', claim: 'roles', any: [role] }] }])),
    rules: [
      ...rules.map(({ id, role, template }) => ({
        id,
        role: `role-${ROLES.indexOf(role)}`,
        resource: 'orders',
        actions: [`GET ${template}`],
      })),
      { id: 'operate', role: 'role-0', resource: 'ostiary', actions: ['* /**'] },
    ],
  }
  const sources = {
    wiring: { path: 'ostiary.yaml', text: JSON.stringify(wired) },
    environment: undefined,
    policy: [{ path: 'policy/load.yaml', text: JSON.stringify(written) }],
    tests: [],
  }
  const { wiring, policy, diagnostics } = compile('.', sources, Date.now())
  if (wiring === undefined || policy === undefined) throw new Error(diagnostics[0]?.message)
  const plan = planNode({
    name: 'edge',
    node: { resources: ['orders'] },
    wiring,
    policy,
    issuers: nativeIssuers(wiring),
    folder: '.',
  })
  if (plan.diagnostics.length > 0) throw new Error(plan.diagnostics[0]!.message)
  return plan.resources[0]!
}

export function emitted(resource: EnvoyResource, { key }: Pick<Workload, 'key'>, port: number, tree?: TreeLimits): EnvoyConfiguration {
  const keys = new Map(resource.native.issuers.map(({ form }) => [form, jwksOf([readKey(key.jwk)!], ['RS256'])]))
  const address = { host: '127.0.0.1', port }
  return emitEnvoy({ name: 'edge', address, resources: [resource], keys, tls: undefined, logs: undefined, tree })
}

export function compiledFrom(id: string, rules: readonly Rule[], tree?: TreeLimits): Candidate {
  return {
    id,
    name: 'Envoy, compiled',
    does: 'what is compiled from the policy',
    tool: undefined,
    enforces: 'tokens and policy',
    prepare(place) {
      const resource = resourceOf(rules, place.workload.origin, place.upstreamPort)
      return commandOf(place, logged(emitted(resource, place.workload, place.port, tree), place))
    },
  }
}

/** With a log like that of the other, which is written here and not told to a gateway. */
function logged(made: EnvoyConfiguration, { folder }: Place): unknown {
  const copy = JSON.parse(JSON.stringify(asStatic(made))) as Static
  for (const { filterChains } of copy.staticResources.listeners)
    for (const { filters } of filterChains) for (const { typedConfig } of filters) typedConfig['accessLog'] = [accessLog(folder)]
  return { ...copy, admin: { address: { socketAddress: { address: '127.0.0.1', portValue: 0 } } } }
}

interface Static {
  readonly staticResources: {
    readonly listeners: readonly {
      readonly filterChains: readonly { readonly filters: readonly { readonly typedConfig: Record<string, unknown> }[] }[]
    }[]
  }
}
