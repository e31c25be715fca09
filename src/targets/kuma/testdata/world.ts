/** Mesh documents of a policy, for tests: two resources of the small world of policies, in the same dataplanes. */
import { issuers } from '../../../policy/testdata/native.ts'
import type { CompiledPolicy } from '../../../policy/index.ts'
import type { Wiring } from '../../../config/schema.ts'
import type { KeySets, NativeIssuers, TargetInput, TargetResult } from '../../target.ts'
import { compileKuma } from '../emit.ts'
import { kumaSchema, type KumaTarget } from '../schema.ts'

const wired = {
  protocol: 'http',
  upstream: { url: 'http://127.0.0.1:9', http2: false, hostField: 'request', connectTimeout: 1000 },
  websocket: {},
  forwardAuthorization: false,
  record: 'spool',
  routes: [],
}

export function wiringOf(resources: Readonly<Record<string, object>> = {}): Wiring {
  const all = { orders: { hosts: ['orders.example'] }, wiki: { hosts: ['wiki.example', 'pages.example'] }, ...resources }
  return {
    name: 'gate',
    resources: Object.fromEntries(Object.entries(all).map(([name, one]) => [name, { ...wired, ...one }])),
  } as unknown as Wiring
}

export const LABELS = { app: 'shop' }
const inbound = (port: number): object => ({ labels: LABELS, inbound: { port, name: 'http', protocol: 'http' } })

/** `targets.mesh` of these tests; what is given stands in place of what is there. */
export function kumaConfig(more: object = {}): KumaTarget {
  return kumaSchema.parse({
    kind: 'kuma',
    version: '2.14',
    mode: 'universal',
    workloads: { orders: inbound(8000), wiki: inbound(8000) },
    ...more,
  })
}

export interface Compiled {
  readonly policy: CompiledPolicy
  readonly config?: KumaTarget
  readonly wiring?: Wiring
  readonly issuers?: NativeIssuers
  readonly keys?: KeySets | undefined
}

/** A public key of nobody: what is compiled with it has keys. */
const KEY = '{"keys":[{"kty":"EC","crv":"P-256","x":"x","y":"y","kid":"k","alg":"ES256","use":"sig"}]}'
export const KEYS: KeySets = new Map([
  ['entra', KEY],
  ['ci', KEY],
])

export function inputOf({ policy, config = kumaConfig(), wiring = wiringOf(), ...more }: Compiled): TargetInput<KumaTarget> {
  const keys = 'keys' in more ? more.keys : KEYS
  return { name: 'mesh', config, wiring, policy, issuers: more.issuers ?? issuers, keys, revision: 'a1'.repeat(32) }
}

export function compiled(given: Compiled): TargetResult {
  return compileKuma(inputOf(given))
}
