import { z } from 'zod'
import { duration, name, secureUrl } from '../../config/fields.ts'
import { targetBase } from '../../config/schema.ts'
import { ASSUMPTIONS, assumptionNames, type Assumption } from './assume.ts'

const kubernetesName = (most: number) =>
  z
    .string()
    .max(most)
    .regex(/^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/, 'write a name of Kubernetes: lower-case letters, digits and dashes')
const label = z.string().regex(/^(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/, 'write the value of a label')
const labelName = z.string().regex(/^(?:[a-z0-9.-]{1,253}\/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/, 'write the name of a label')

const workload = z
  .strictObject({
    mode: z
      .enum(['sidecar', 'gateway', 'waypoint', 'ztunnel'])
      .default('sidecar')
      .describe('What enforces it. A ztunnel sees neither tokens nor requests: it can deny everything, or let a waypoint through'),
    namespace: kubernetesName(63).describe('Namespace of the workload, which its policies are put into'),
    selector: z
      .record(labelName, label)
      .refine((labels) => Object.keys(labels).length > 0, 'name a label: without one it would be every workload of the namespace')
      .optional()
      .describe('Labels of its pods; for a waypoint, of the pods behind it')
      .meta({ examples: [{ app: 'orders' }] }),
    targetRef: z
      .strictObject({
        kind: z.enum(['Gateway', 'Service', 'ServiceEntry']).describe('What it is'),
        name: kubernetesName(253).describe('Its name, in the same namespace'),
      })
      .optional()
      .describe('What a waypoint’s or a gateway’s policies are attached to'),
    waypoint: z
      .strictObject({
        serviceAccount: kubernetesName(253).describe('Service account of the waypoint, the only one that its ztunnel lets through'),
        namespace: kubernetesName(63).optional().describe('Namespace of the waypoint; default: the same'),
      })
      .optional()
      .describe('The waypoint of these pods'),
    ports: z
      .array(z.int().min(1).max(65_535))
      .min(1)
      .max(16)
      .describe('Ports of it that speak http; as the pod has them, for a waypoint as the Service has them. All others are denied'),
  })
  .superRefine(({ mode, selector, targetRef, waypoint }, context) => {
    const say = (path: string, message: string): void => context.addIssue({ code: 'custom', path: [path], message })
    if (mode === 'sidecar' || mode === 'ztunnel') {
      if (selector === undefined) say('selector', `is needed for a ${mode}`)
      if (targetRef !== undefined) say('targetRef', `is passed over by a ${mode}: write \`selector\``)
    }
    if (mode === 'gateway' && (selector === undefined) === (targetRef === undefined))
      say('selector', 'write either this or `targetRef` for a gateway')
    if (mode === 'gateway' && targetRef !== undefined && targetRef.kind !== 'Gateway') say('targetRef', 'has to be a Gateway for a gateway')
    if (mode === 'waypoint') {
      if (targetRef === undefined) say('targetRef', 'is needed for a waypoint, which passes over `selector`')
      if (selector === undefined) say('selector', 'is needed for a waypoint: of the pods behind it, which are closed to everybody else')
      if (waypoint === undefined) say('waypoint', 'is needed: who may reach the pods')
    } else if (waypoint !== undefined) say('waypoint', 'is for `mode: waypoint`')
  })

/** `targets.<name>` of kind `istio`. */
export const istioSchema = targetBase
  .extend({
    kind: z.literal('istio').describe('A mesh of Istio'),
    version: z
      .string()
      .regex(/^1\.(?:2[4-9]|[3-9][0-9])$/, 'write a version from `1.24` on, without its patch')
      .describe('Version of Istio')
      .meta({ examples: ['1.27'] }),
    context: z
      .string()
      .min(1)
      .max(253)
      .optional()
      .describe('Context of kubectl by which its cluster is reached; default: none, and nothing is applied'),
    rootNamespace: kubernetesName(63)
      .default('istio-system')
      .describe('Root namespace of the mesh, whose policies are for every namespace'),
    trustDomain: z
      .string()
      .regex(/^[a-z0-9](?:[a-z0-9.-]{0,252}[a-z0-9])?$/, 'write a trust domain such as `cluster.local`')
      .default('cluster.local')
      .describe('Trust domain of the mesh'),
    mtls: z
      .literal('strict')
      .optional()
      .describe('That the mesh takes no plaintext (`PeerAuthentication` with `STRICT`); needed for rules with `peer`')
      .meta({ examples: ['strict'] }),
    pathNormalization: z
      .enum(['NONE', 'BASE', 'MERGE_SLASHES', 'DECODE_AND_MERGE_SLASHES'])
      .describe('`meshConfig.pathNormalization.normalization` of the mesh. Policy about paths needs `MERGE_SLASHES` at least'),
    keys: z
      .enum(['inline', 'uri'])
      .default('inline')
      .describe(
        'Whether the issuers’ keys are put into what is applied, as `compile --keys` gets them, or the mesh is told where they are',
      ),
    jwksUris: z
      .record(name(), secureUrl())
      .default({})
      .describe('For `keys: uri`, by issuer: where its keys are; default: where its discovery document says, which the mesh reads'),
    serviceEntries: z
      .boolean()
      .default(false)
      .describe('For `keys: uri`: makes the hosts of `jwksUris` known to the mesh, where proxies get keys by themselves'),
    addresses: z
      .enum(['source', 'remote'])
      .optional()
      .describe(
        'Which address policy means by `context.ip`: of the connection, or the one that trusted proxies in front have told (`numTrustedProxies`)',
      ),
    provider: z
      .strictObject({
        name: z
          .string()
          .regex(/^[a-z0-9-]{1,63}$/, 'write lower-case letters, digits and dashes')
          .describe('Name of the extension provider in `meshConfig.extensionProviders`'),
        service: z
          .string()
          .min(1)
          .max(253)
          .describe('Host of this gateway’s checks in the mesh')
          .meta({ examples: ['ostiary.ostiary.svc.cluster.local'] }),
        port: z.int().min(1).max(65_535).describe('Port of `doors.envoy.checks` there'),
        timeout: duration()
          .default(1000)
          .describe('How long a proxy waits for an answer; then the request is refused. Istio’s own default is ten minutes'),
        identities: z
          .array(z.string().min(1).max(512))
          .default([])
          .describe('SPIFFE IDs of the proxies that may ask; needed where `doors.envoy.checks` has `tls`')
          .meta({ examples: [['spiffe://cluster.local/ns/shop/sa/orders']] }),
      })
      .optional()
      .describe('Where proxies of the mesh ask this gateway about requests, and tell of them'),
    logs: z
      .boolean()
      .default(false)
      .describe(
        'Whether proxies tell this gateway of each request (OTLP, to `provider`), for the record: as well as can be, and with no claim of being complete',
      ),
    delegate: z.array(name()).default([]).describe('Of the resources, those that this gateway is asked about, request by request'),
    assume: z
      .array(z.enum(assumptionNames as [Assumption, ...Assumption[]]))
      .default([])
      .describe(
        `What Istio can’t tell and never comes: ${assumptionNames.map((one) => `\`${one}\` (${ASSUMPTIONS[one].ensure})`).join('; ')}`,
      ),
    workloads: z
      .record(name(), workload)
      .refine((all) => Object.keys(all).length > 0, 'name a resource')
      .describe('By resource: where it is in the mesh. Hosts are those of the resource'),
  })
  .superRefine(({ rootNamespace, workloads, delegate, provider, logs }, context) => {
    if (logs && provider === undefined) context.addIssue({ code: 'custom', path: ['logs'], message: 'needs `provider`, whom to tell' })
    if (delegate.length > 0 && provider === undefined)
      context.addIssue({ code: 'custom', path: ['delegate'], message: 'needs `provider`, where to ask' })
    for (const [index, resource] of delegate.entries())
      if (!Object.hasOwn(workloads, resource))
        context.addIssue({ code: 'custom', path: ['delegate', index], message: `names \`${resource}\`, which is not among \`workloads\`` })
      else if (workloads[resource]!.mode === 'ztunnel')
        context.addIssue({ code: 'custom', path: ['delegate', index], message: `names \`${resource}\`, whose ztunnel asks nobody` })
    for (const [resource, { namespace, selector }] of Object.entries(workloads))
      if (namespace === rootNamespace && selector !== undefined)
        context.addIssue({
          code: 'custom',
          path: ['workloads', resource, 'namespace'],
          message: 'is the root namespace, where `selector` is for the pods of every namespace',
        })
  })

export type IstioTarget = z.output<typeof istioSchema>
export type IstioWorkload = IstioTarget['workloads'][string]
