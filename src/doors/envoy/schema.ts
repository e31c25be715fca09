import { z } from 'zod'
import { duration, isLoopbackHost, listenAddress, name } from '../../config/fields.ts'

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
    delegate: z
      .array(name())
      .min(1)
      .optional()
      .describe('Of these, what it asks this gateway about, request by request (`checks`), instead of deciding by itself'),
    maxDuration: duration()
      .default(3_600_000)
      .describe('Longest life of a request or an upgraded connection: who is denied from now on doesn’t go on for longer'),
  })
  .describe('One Envoy, by the `node.id` of its bootstrap')

const proxy = z.strictObject({
  identity: z.string().min(1).max(512).optional().describe('URI or DNS name in its certificate; needed with `checks.tls`'),
  resources: z.array(name()).min(1).describe('What it may ask about'),
})

const mutual = z.strictObject({ ...pair, clientCa: z.string().min(1).describe('PEM file of the authorities that vouch for Envoys') })

/** `doors.envoy`. */
export const envoySchema = z
  .strictObject({
    listen: listenAddress().describe('Where Envoys get their configuration (xDS over gRPC)'),
    tls: mutual.optional().describe('Mutual TLS between this gateway and its Envoys; only on loopback can it be left out'),
    checks: z
      .strictObject({
        listen: listenAddress().describe('Where Envoys ask about requests (`ext_authz` over gRPC), on a port of its own'),
        tls: mutual.optional().describe('Mutual TLS there, with the same identities; only on loopback can it be left out'),
        http: z
          .strictObject({
            listen: listenAddress().describe('Where they ask over HTTP, on a port of its own'),
            forwardedFor: z
              .boolean()
              .default(false)
              .describe(
                'Whether each of them appends its caller’s address to `X-Forwarded-For` and passes that and `X-Forwarded-Proto` on. Without it the address is not known, and what policy asks of it grants nothing',
              ),
          })
          .optional()
          .describe('The same over plain HTTP (Envoy’s `http_service`), for proxies that somebody else configures; with the same `tls`'),
        proxies: z
          .record(name(), proxy)
          .default({})
          .describe('Proxies that somebody else configures and that may ask, by name; each is known by its certificate'),
      })
      .optional()
      .describe('Answers Envoys about requests to resources that a node has under `delegate`'),
    nodes: z.record(name(), node).describe('The Envoys that are fed, by name'),
  })
  .superRefine(({ listen, tls, checks, nodes }, context) => {
    if (tls === undefined && !isLoopbackHost(listen.host))
      context.addIssue({
        code: 'custom',
        path: ['tls'],
        message: 'is needed on an address that others reach: who asks gets policies and keys',
      })
    if (checks?.http !== undefined && checks.tls === undefined && !isLoopbackHost(checks.http.listen.host))
      context.addIssue({
        code: 'custom',
        path: ['checks', 'tls'],
        message: 'is needed on an address that others reach: who asks finds out who may do what',
      })
    if (checks !== undefined && checks.tls === undefined && !isLoopbackHost(checks.listen.host))
      context.addIssue({
        code: 'custom',
        path: ['checks', 'tls'],
        message: 'is needed on an address that others reach: who asks finds out who may do what',
      })
    for (const [id, { tls: shown }] of Object.entries(nodes))
      if (shown !== undefined && tls === undefined)
        context.addIssue({
          code: 'custom',
          path: ['nodes', id, 'tls'],
          message: 'needs `doors.envoy.tls`: without it, whoever is on this machine could fetch the key',
        })
    for (const [id, { resources, delegate = [] }] of Object.entries(nodes)) {
      if (delegate.length > 0 && checks === undefined)
        context.addIssue({ code: 'custom', path: ['nodes', id, 'delegate'], message: 'needs `doors.envoy.checks`, where to ask' })
      const missing = delegate.find((one) => resources !== undefined && !resources.includes(one))
      if (missing !== undefined)
        context.addIssue({
          code: 'custom',
          path: ['nodes', id, 'delegate'],
          message: `names \`${missing}\`, which is not among its \`resources\``,
        })
    }
    for (const [id, { identity }] of Object.entries(checks?.proxies ?? {})) {
      const path = ['checks', 'proxies', id]
      if (checks?.tls !== undefined && identity === undefined)
        context.addIssue({
          code: 'custom',
          path: [...path, 'identity'],
          message: 'is needed with `tls`: write the name in its certificate',
        })
      if (Object.hasOwn(nodes, id)) context.addIssue({ code: 'custom', path, message: 'has the name of one of the `nodes`' })
    }
    for (const [id, { identity }] of Object.entries(nodes))
      if ((tls !== undefined || checks?.tls !== undefined) && identity === undefined)
        context.addIssue({
          code: 'custom',
          path: ['nodes', id, 'identity'],
          message: 'is needed with `tls`: write the name in its certificate',
        })
    const identities = [...Object.values(nodes), ...Object.values(checks?.proxies ?? {})].flatMap(({ identity }) => identity ?? [])
    if (new Set(identities).size < identities.length)
      context.addIssue({ code: 'custom', path: ['nodes'], message: 'two of them, or of `checks.proxies`, have the same identity' })
  })
  .describe('Envoys that enforce the policy by themselves, fed from here')

export type EnvoyDoor = z.output<typeof envoySchema>
export type EnvoyNode = EnvoyDoor['nodes'][string]
