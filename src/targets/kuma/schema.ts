import { z } from 'zod'
import { duration, name, secretReference, secureUrl } from '../../config/fields.ts'
import { targetBase } from '../../config/schema.ts'

const TRUST_DOMAIN = 'spiffe://[a-z0-9._-]+'
const SEGMENT = '[A-Za-z0-9._-]+'

const peer = z.union(
  [
    z.strictObject({
      exact: z
        .string()
        .max(2048)
        .regex(
          new RegExp(`^${TRUST_DOMAIN}(/${SEGMENT})+$`),
          'write a SPIFFE id such as `spiffe://default.zone1.mesh.local/ns/shop/sa/web`',
        )
        .describe('This SPIFFE id'),
    }),
    z.strictObject({
      // Kuma compares text: without the slash, `…/ns/shop` is also the beginning of `…/ns/shop-other`.
      prefix: z
        .string()
        .max(2048)
        .regex(new RegExp(`^${TRUST_DOMAIN}/(${SEGMENT}/)*$`), 'write the beginning of SPIFFE ids up to a `/`, and that slash')
        .describe('Every SPIFFE id that begins with this; it ends with `/`'),
    }),
    z.strictObject({
      service: z
        .string()
        .max(253)
        .regex(/^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$/, 'write the value of a `kuma.io/service` tag')
        .describe('A `kuma.io/service` tag, where the mesh has no workload identity: 2.13 and 2.14 alone'),
    }),
  ],
  { error: 'write `{ exact: spiffe://… }`, `{ prefix: spiffe://…/ }`, or up to 2.14 `{ service: … }`' },
)

const label = z.string().max(253)

const workload = z
  .strictObject({
    labels: z
      .record(label.min(1), label.regex(/^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$/, 'write the value of a label'))
      .refine((all) => Object.keys(all).length > 0, 'write at least one label')
      .describe('Labels of the dataplanes that serve it'),
    inbound: z
      .strictObject({
        port: z.int().min(1).max(65_535).describe('Port on which the dataplane takes requests for it'),
        name: z
          .string()
          .max(63)
          .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, 'write the name of an inbound')
          .optional()
          .describe('Its `name`, where it has one: policies then name it by that'),
        protocol: z
          .enum(['http', 'http2', 'grpc'])
          .describe('What the mesh takes it to speak. Anything else has no filters: the mesh has to be told the same'),
      })
      .describe('The inbound of these dataplanes'),
    peers: z.array(peer).min(1).max(1000).optional().describe('Workloads that may call it at all; default: whoever the mesh lets in'),
    strictTls: z.boolean().default(false).describe('Lets nobody in without the mesh’s own TLS (MeshTLS)'),
  })
  .describe('Where a resource is in the mesh')

const pair = z.strictObject({
  cert: z.string().min(1).describe('PEM file of the dataplane’s machine: the certificate of an Envoy of `doors.envoy.nodes`'),
  key: z.string().min(1).describe('PEM file there, with its key'),
  ca: z.string().min(1).describe('PEM file there, with the authorities of the gateway’s certificate'),
  serverName: z.string().min(1).describe('DNS name in the gateway’s certificate'),
})

const gateway = z.strictObject({
  host: z.string().min(1).describe('Where dataplanes reach `doors.envoy.checks`'),
  port: z.int().min(1).max(65_535).describe('Its port'),
  tls: pair.optional().describe('How they prove who they are; only on loopback can it be left out'),
})

const logs = z.union(
  [
    z.strictObject({ gateway: z.literal(true).describe('To `gateway`, as the record takes them') }),
    z.strictObject({ endpoint: z.string().min(1).max(253).describe('OpenTelemetry collector, `host:port`: up to 2.14') }),
    z.strictObject({ backend: name().describe('Name of a MeshOpenTelemetryBackend') }),
  ],
  { error: 'write `{ gateway: true }`, `{ backend: … }`, or up to 2.14 `{ endpoint: host:port }`' },
)

const controlPlane = z
  .strictObject({
    url: secureUrl().describe('Of its HTTP API, as in `https://kuma.example:5682`'),
    token: secretReference()
      .optional()
      .describe('A user token. Policies can be read and written without one, which is why it has to be firewalled'),
    ca: z.string().min(1).optional().describe('PEM file of the authorities of its certificate; default: the usual ones'),
  })
  .describe('The control plane, for `ostiary apply kuma`')

/** `targets.<name>` of kind `kuma`. */
export const kumaSchema = targetBase
  .extend({
    kind: z.literal('kuma').describe('A mesh of Kuma'),
    version: z.enum(['2.13', '2.14', '3.0']).describe('Of the control plane: what it does not know, it drops without a word'),
    mesh: name().default('default').describe('Name of the mesh'),
    mode: z.enum(['universal', 'kubernetes']).describe('In which form documents are written'),
    namespace: name().default('kuma-system').describe('On Kubernetes: where the documents are, which is where the control plane runs'),
    workloads: z.record(name(), workload).describe('What is enforced, by resource'),
    delegate: z
      .array(name())
      .min(1)
      .optional()
      .describe('Of these, what dataplanes ask the gateway about, request by request; needs `gateway`'),
    gateway: gateway.optional().describe('How dataplanes reach this gateway'),
    logs: logs.optional().describe('Where dataplanes tell of requests'),
    maxDuration: duration().default(3_600_000).describe('Longest life of a request or an upgraded connection'),
    controlPlane: controlPlane.optional(),
  })
  .superRefine((target, context) => {
    for (const { path, message } of kumaProblems(target)) context.addIssue({ code: 'custom', path: [...path], message })
  })

export type KumaTarget = z.output<typeof kumaSchema>
export type KumaWorkload = z.output<typeof workload>
export type KumaPeer = z.output<typeof peer>
export type KumaVersion = KumaTarget['version']
type Checked = Pick<KumaTarget, 'version' | 'workloads' | 'delegate' | 'gateway' | 'logs'>

function kumaProblems({ version, workloads, delegate = [], gateway: reached, logs: told }: Checked) {
  const found: { readonly path: readonly (string | number)[]; readonly message: string }[] = []
  const entries = Object.entries(workloads)
  if (entries.length === 0) found.push({ path: ['workloads'], message: 'name at least one resource' })
  const peers = entries.flatMap(([, one]) => one.peers ?? [])
  const isLegacy = peers.some((one) => 'service' in one)
  if (isLegacy && version === '3.0') found.push({ path: ['workloads'], message: 'peers by `service` are gone in 3.0: name SPIFFE ids' })
  // Kuma drops `from` without a word where an inbound has `rules` as well, or where there is workload identity.
  if (isLegacy && peers.some((one) => !('service' in one)))
    found.push({ path: ['workloads'], message: 'peers are either all by `service` or all by SPIFFE id: of both, Kuma drops the former' })
  for (const [index, [resource, one]] of entries.entries())
    for (const [other, second] of entries.slice(0, index)) {
      const clash = clashOf(one, second)
      if (clash !== undefined) found.push({ path: ['workloads', resource], message: `and \`${other}\` ${clash}` })
    }
  for (const one of delegate)
    if (!Object.hasOwn(workloads, one))
      found.push({ path: ['delegate'], message: `names \`${one}\`, which is not among its \`workloads\`` })
  if (delegate.length > 0 && reached === undefined) found.push({ path: ['delegate'], message: 'needs `gateway`, where to ask' })
  if (told !== undefined && 'gateway' in told && reached === undefined)
    found.push({ path: ['logs'], message: 'needs `gateway`, where to tell' })
  if (told !== undefined && 'endpoint' in told && version === '3.0')
    found.push({ path: ['logs'], message: '`endpoint` is gone in 3.0: name a MeshOpenTelemetryBackend as `backend`' })
  if (reached !== undefined && reached.tls === undefined && !/^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/.test(reached.host))
    found.push({ path: ['gateway', 'tls'], message: 'is needed on an address that is not loopback: who asks finds out who may do what' })
  return found
}

/** Filters are for the whole dataplane: two workloads have the same dataplanes, or none in common. */
function clashOf(one: KumaWorkload, other: KumaWorkload): string | undefined {
  if (workloadKey(one) === workloadKey(other)) {
    if (one.inbound.port !== other.inbound.port) return undefined
    const isSame = one.inbound.name === other.inbound.name && one.inbound.protocol === other.inbound.protocol
    if (!isSame) return 'describe the same inbound in two ways'
    return (one.peers === undefined) === (other.peers === undefined) ? undefined : 'share an inbound, and only one of them names `peers`'
  }
  const isApart = Object.entries(one.labels).some(([key, value]) => Object.hasOwn(other.labels, key) && other.labels[key] !== value)
  return isApart ? undefined : 'may select the same dataplanes by different labels: write the same ones, or another value for one of them'
}

/** The same for the same dataplanes. */
export function workloadKey({ labels }: KumaWorkload): string {
  return JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
