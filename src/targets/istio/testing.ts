/** What tests of this target share: a small world in a mesh, and what a proxy of it answers. */
import * as fc from 'fast-check'
import type { Wiring } from '../../config/schema.ts'
import type { NativeIssuer } from '../../core/token.ts'
import { CHECKED } from '../../envoy/metadata.ts'
import { declaredClaims } from '../../identity/claims.ts'
import { oidcClaims } from '../../identity/oidc/claims.ts'
import { nativeOidc } from '../../identity/oidc/native.ts'
import type { CompiledPolicy, LoadPolicy } from '../../policy/index.ts'
import type { PolicyData } from '../../policy/testdata/random.ts'
import { NOW, OBSERVING } from '../../policy/testdata/world.ts'
import { regexes } from '../../testing/regexes.ts'
import type { NativeIssuers, TargetDocument, TargetInput, TargetResult } from '../target.ts'
import { assumptionNames, type Assumption } from './assume.ts'
import { compileIstio } from './emit.ts'
import { istioSchema, type IstioTarget } from './schema.ts'
import { evaluateIstio, type IstioRequest, type IstioVerdict } from './translate/evaluate.ts'
import { DEFAULT_MESH, type Mesh } from './translate/mesh.ts'
import { istioOf } from './translate/read.ts'
import { translateIstio, type Translated } from './translate/translate.ts'

export const CLAIMS = {
  level: 'number',
  rank: 'number',
  vip: 'boolean',
  department: 'string',
  repository: 'string',
  groups: 'list',
  roles: 'list',
} as const

export function issuerOf(name: string, more: Partial<Parameters<typeof nativeOidc>[0]> = {}): NativeIssuer {
  return nativeOidc({
    name,
    iss: `https://${name}.example`,
    audiences: ['api'],
    algorithms: ['ES256', 'RS256'],
    clients: [],
    agents: [],
    declared: declaredClaims(oidcClaims, CLAIMS),
    maxLifetime: 3_600_000,
    type: { pattern: 'at\\+jwt', absent: false },
    client: { claim: 'client_id', when: 'always' },
    appOnly: 'by-subject',
    ...more,
  })
}

export const issuers: NativeIssuers = new Map(['entra', 'ci'].map((name) => [name, [issuerOf(name)]]))

const resource = {
  protocol: 'http',
  upstream: { hostField: 'request' },
  websocket: true,
  forwardAuthorization: false,
  record: 'spool',
  routes: [],
}
export function wiringOf(more: Readonly<Record<string, unknown>> = {}): Wiring {
  return {
    resources: { orders: { ...resource, hosts: ['orders.example'], ...more }, wiki: { ...resource, hosts: ['wiki.example'], ...more } },
  } as unknown as Wiring
}

const workload = { namespace: 'shop', selector: { app: 'web' }, ports: [8080] }

export function targetOf(more: Readonly<Record<string, unknown>> = {}): IstioTarget {
  return istioSchema.parse({
    kind: 'istio',
    version: '1.28',
    pathNormalization: 'DECODE_AND_MERGE_SLASHES',
    assume: assumptionNames,
    workloads: { orders: workload },
    ...more,
  })
}

export const BOTH = { workloads: { orders: workload, wiki: workload } }

export function without(...gone: readonly Assumption[]): Readonly<Record<string, unknown>> {
  return { assume: assumptionNames.filter((one) => !gone.includes(one)) }
}

export function compiled(
  policy: CompiledPolicy,
  config: IstioTarget = targetOf(),
  more: Partial<TargetInput<IstioTarget>> = {},
): TargetResult {
  const keys = new Map(
    [...issuers.values()].flatMap((one) => ('refused' in one ? [] : one.map(({ form }) => [form, '{"keys":[{}]}'] as const))),
  )
  return compileIstio({ name: 'mesh', config, wiring: wiringOf(), policy, issuers, keys, revision: 'a'.repeat(64), ...more })
}

/** What the control plane makes of documents for the one workload, when they have been there and back. */
export function proxyOf(
  documents: readonly TargetDocument[],
  { pathNormalization }: Pick<IstioTarget, 'pathNormalization'> = targetOf(),
  extensionProviders: Mesh['extensionProviders'] = [],
): Translated {
  return translateIstio({
    resources: istioOf(JSON.parse(JSON.stringify(documents)) as readonly unknown[]),
    mesh: { ...DEFAULT_MESH, pathNormalization, extensionProviders },
    workload: { kind: 'sidecar', namespace: 'shop', labels: { app: 'web' } },
    keys: new Map(),
  })
}

export interface Call extends Partial<IstioRequest> {
  readonly token?: Readonly<Record<string, unknown>> | undefined
  readonly iss?: string
}

export const SECONDS = NOW / 1000

export function payloadOf(token: Readonly<Record<string, unknown>>, iss = 'https://entra.example'): Readonly<Record<string, unknown>> {
  return { iss, aud: 'api', sub: 's', client_id: 'c', iat: SECONDS, exp: SECONDS + 300, ...token }
}

export function ask(proxy: Translated, { token, iss, ...more }: Call): IstioVerdict {
  return evaluateIstio(
    proxy,
    {
      method: 'GET',
      path: '/a',
      host: 'orders.example',
      port: 8080,
      source: '192.0.2.1',
      time: NOW,
      metadata: { [CHECKED.filter]: {} },
      tokens: token === undefined ? [] : [{ payload: payloadOf(token, iss) }],
      ...more,
    },
    regexes,
  )
}

/** The same with some of its guardrails, and perhaps both resources, observed for a second more. */
export function observing(data: PolicyData, which: Observing): { readonly data: PolicyData; readonly more: Partial<LoadPolicy> } {
  const until = new Date(NOW + 1000).toISOString()
  const guardrails = data.guardrails.map((one, index) => ({
    ...one,
    ...(index % 2 === 0 && which.guardrails ? { mode: 'observe', until } : {}),
  }))
  return {
    data: { ...data, guardrails },
    more: { now: which.ended ? NOW + 2000 : NOW, ...(which.resources ? { wiring: OBSERVING } : {}) },
  }
}

/** What is observed, and whether that has ended. */
export interface Observing {
  readonly guardrails: boolean
  readonly resources: boolean
  readonly ended: boolean
}

export const observings: fc.Arbitrary<Observing> = fc.record({ guardrails: fc.boolean(), resources: fc.boolean(), ended: fc.boolean() })

/** Without what no mesh is ever told: there would be little left to compare. */
export function toldOnly(data: PolicyData): PolicyData {
  const without = (all: Record<string, unknown>, ...gone: readonly string[]) =>
    Object.fromEntries(Object.entries(all).filter(([name]) => !gone.includes(name)))
  const CONDITIONS = [
    'claims.department == "a"',
    '"a" in claims.groups',
    'claims.department == "a" || true',
    'context.ip == "10.0.0.1"',
    'true',
    'false',
  ]
  const statement = (one: Record<string, unknown>) => {
    const { mask, limit, record, require, when } = one
    const rest = without(one, 'peer', 'mode', 'until', 'mask', 'limit', 'record', 'require', 'when')
    const { actions, deny } = rest as { readonly actions?: unknown; readonly deny?: unknown }
    const isOdd = mask !== undefined || limit !== undefined || record !== undefined
    const isPlain =
      require === undefined ||
      ['mfa', 'authContext', 'network', 'device'].some((one) => one in (require as object) && !('approval' in (require as object)))
    const does =
      deny === undefined && (isOdd || !isPlain) && !('role' in rest)
        ? { deny: actions, actions: undefined }
        : require === undefined
          ? {}
          : { require }
    return JSON.parse(
      JSON.stringify({
        ...rest,
        ...does,
        ...(typeof when === 'string' && CONDITIONS.includes(when)
          ? { when: when.replace('context.ip == "10.0.0.1"', 'inCidr(context.ip, "10.0.0.0/8")') }
          : {}),
      }),
    ) as PolicyData['rules'][number]
  }
  return {
    roles: Object.fromEntries(
      Object.entries(data.roles).map(([name, role]) => [
        name,
        { ...role, bind: (role.bind as Record<string, unknown>[]).map((one) => without(one, 'breakGlass')), eligible: [] },
      ]),
    ),
    rules: data.rules.map(statement),
    guardrails: data.guardrails.map(statement),
  }
}
