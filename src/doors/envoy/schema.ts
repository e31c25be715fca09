import { z } from 'zod'
import { isLoopbackHost, listenAddress, name } from '../../config/fields.ts'

const pair = {
  cert: z.string().min(1).describe('PEM file with the certificate and its chain'),
  key: z.string().min(1).describe('PEM file with the key'),
}

const node = z
  .strictObject({
    identity: z
      .string()
      .min(1)
      .max(512)
      .optional()
      .describe('URI or DNS name in the certificate by which this Envoy proves that it is this one')
      .meta({ examples: ['spiffe://example.com/envoy/edge'] }),
    listen: listenAddress().describe('Where this Envoy listens for callers'),
    tls: z
      .strictObject(pair)
      .optional()
      .describe('What it shows to callers; read by the gateway, handed to Envoy alone, and read again when it changes'),
    resources: z.array(name()).min(1).optional().describe('What it carries; default: every resource that speaks http'),
  })
  .describe('One Envoy, by the `node.id` of its bootstrap')

/** `doors.envoy`. */
export const envoySchema = z
  .strictObject({
    listen: listenAddress().describe('Where Envoys get their configuration (xDS over gRPC)'),
    tls: z
      .strictObject({ ...pair, clientCa: z.string().min(1).describe('PEM file of the authorities that vouch for Envoys') })
      .optional()
      .describe('Mutual TLS between this gateway and its Envoys; only on loopback can it be left out'),
    nodes: z.record(name(), node).describe('The Envoys that are fed, by name'),
  })
  .superRefine(({ listen, tls, nodes }, context) => {
    if (tls === undefined && !isLoopbackHost(listen.host))
      context.addIssue({
        code: 'custom',
        path: ['tls'],
        message: 'is needed on an address that others reach: who asks gets policies and keys',
      })
    for (const [id, { identity }] of Object.entries(nodes))
      if (tls !== undefined && identity === undefined)
        context.addIssue({
          code: 'custom',
          path: ['nodes', id, 'identity'],
          message: 'is needed with `tls`: write the name in its certificate',
        })
    const identities = Object.values(nodes).flatMap(({ identity }) => identity ?? [])
    if (new Set(identities).size < identities.length)
      context.addIssue({ code: 'custom', path: ['nodes'], message: 'two of them have the same identity' })
  })
  .describe('Envoys that enforce the policy by themselves, fed from here')

export type EnvoyDoor = z.output<typeof envoySchema>
export type EnvoyNode = EnvoyDoor['nodes'][string]
