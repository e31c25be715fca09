/** Policies of one resource in a mesh, and requests to the inbound that becomes of them. */
import assert from 'node:assert/strict'
import type { Evaluated } from '../../../envoy/evaluate.ts'
import type { Json } from '../../../envoy/rbac.ts'
import { declaredClaims } from '../../../identity/claims.ts'
import { oidcClaims } from '../../../identity/oidc/claims.ts'
import { nativeOidc } from '../../../identity/oidc/native.ts'
import { load, NOW } from '../../../policy/testdata/world.ts'
import { regexes } from '../../../testing/regexes.ts'
import type { TargetDocument } from '../../target.ts'
import { evaluateKuma, translateKuma } from '../evaluate.ts'
import { kumaSchema, type KumaTarget } from '../schema.ts'
import { plainInbound } from './inbound.ts'
import { compiled, kumaConfig, LABELS, type Compiled } from './world.ts'

const CLAIMS = {
  level: 'number',
  rank: 'number',
  vip: 'boolean',
  department: 'string',
  repository: 'string',
  groups: 'list',
  roles: 'list',
} as const
export function issuerOf(name: string) {
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
  })
}
export const issuers = new Map([
  ['entra', [issuerOf('entra')]],
  ['ci', [issuerOf('ci')]],
])

export const workload = (more: object = {}): object => ({ labels: LABELS, inbound: { port: 8000, protocol: 'http' }, ...more })
export const alone = (more: object = {}, target: object = {}): KumaTarget =>
  kumaConfig({ workloads: { orders: workload(more) }, ...target })

export function documentsOf(text: string, config = alone(), more: Partial<Compiled> = {}): readonly TargetDocument[] {
  const { policy, diagnostics: found } = load(text)
  assert.ok(policy !== undefined, JSON.stringify(found))
  const { documents, diagnostics } = compiled({ policy, config, issuers, ...more })
  assert.deepEqual(diagnostics, [])
  return documents
}

interface Place {
  readonly transports?: readonly (Json | undefined)[]
  readonly protocol?: 'http' | 'tcp'
  readonly port?: number
}

export function inboundOf(
  documents: readonly TargetDocument[],
  { transports = [undefined], protocol = 'http', port = 8000 }: Place = {},
): Json {
  const listener = plainInbound({ port, service: `localhost:${port}`, protocol, transports })
  return translateKuma(documents, { mesh: 'default', labels: LABELS }, [{ port, listener }]).listeners[0]!
}

export const emitted = (text: string, config = alone(), place: Place = {}): Json => inboundOf(documentsOf(text, config), place)

interface Call {
  readonly method?: string
  readonly path?: string
  readonly host?: string
  readonly port?: number
  readonly token?: Readonly<Record<string, unknown>>
  readonly iss?: string
  readonly header?: Readonly<Record<string, unknown>>
  readonly authorization?: string | undefined
  readonly peer?: readonly string[]
  readonly upgrade?: string
}

export function ask(listener: Json, call: Call): Evaluated {
  const {
    method = 'GET',
    path = '/a',
    host = 'orders.example',
    port = 8000,
    token,
    iss = 'https://entra.example',
    header = {},
    ...more
  } = call
  const seconds = NOW / 1000
  const verified = token && {
    header: { alg: 'ES256', kid: 'k', typ: 'at+jwt', ...header },
    payload: { iss, aud: 'api', sub: 's', client_id: 'c', iat: seconds, exp: seconds + 300, ...token },
  }
  const authorization = 'authorization' in more ? more.authorization : token && 'Bearer a.b.c'
  return evaluateKuma(listener, { method, path, host, port, token: verified, time: NOW, ...more, authorization }, regexes)
}

export const allows = (listener: Json, call: Call): boolean => ask(listener, call).allowed

export const ROLES = `roles:
  admin: { bind: [{ issuer: entra, claim: groups, any: [admins] }] }
  builder: { bind: [{ issuer: ci, claim: repository, any: [shop] }] }
  staff: { bind: [{ issuer: entra, claim: groups, none: [guests] }] }
  contractor: { bind: [{ issuer: entra, claim: groups, any: [contractors] }] }
  senior: { bind: [{ issuer: entra, claim: level, any: [5] }] }
  vip: { bind: [{ issuer: entra, claim: vip, any: [true] }] }
`
export const rule = (role: string, actions = "['* /**']", more = ''): string =>
  `rules: [{ id: r, role: ${role}, resource: orders, actions: ${actions}${more} }]\n`

/** Values of our modifications of one kind. */
export function values(documents: readonly TargetDocument[], kind: string): readonly Json[] {
  const patches = documents.filter((one) => one['type'] === 'MeshProxyPatch')
  const all = patches.flatMap((one) => ((one['spec'] as Json)['default'] as Json)['appendModifications'] as readonly Json[])
  return all.flatMap((one) => (one[kind] === undefined ? [] : [JSON.parse((one[kind] as Json)['value'] as string) as Json]))
}

export function problemsOf(config: object): string {
  const result = kumaSchema.safeParse({ kind: 'kuma', version: '2.14', mode: 'universal', workloads: { orders: workload() }, ...config })
  return result.success ? '' : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n')
}
