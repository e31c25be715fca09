import { z } from 'zod'
import { bytes, duration, isLoopbackHost, name } from '../../config/fields.ts'
import { OPENAPI_FILE } from '../../config/openapi.ts'
import { resourceBase } from '../../config/schema.ts'
import { parsePattern } from '../../policy/actions/http/template.ts'
import { host, listening } from '../../http/schema.ts'

/** `doors.http`. */
export const doorSchema = z.strictObject(listening).describe('HTTP/1.1 and HTTP/2')

const origin = z
  .string()
  .refine(
    (text) => URL.canParse(text) && new URL(text).origin === text && /^https?:/.test(text),
    'write an origin such as `https://app.example.com`',
  )

/** http or https with at most a root path: paths are decided as they are forwarded, so an upstream can't add one. */
const upstreamUrl = z.string().refine((text) => {
  if (!URL.canParse(text)) return false
  const url = new URL(text)
  return (
    /^https?:$/.test(url.protocol) &&
    url.pathname === '/' &&
    url.search === '' &&
    url.hash === '' &&
    url.username === '' &&
    url.password === ''
  )
}, 'write an http or https URL without path, such as `http://127.0.0.1:3000`')

const publicUrl = z.string().refine((text) => {
  if (!URL.canParse(text)) return false
  const url = new URL(text)
  return url.origin === text.replace(/\/$/, '') && (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackHost(url.hostname)))
}, 'write an https URL without path (plain http only for 127.0.0.1, [::1] and localhost)')

const upstream = z.strictObject({
  url: upstreamUrl.describe('Where requests go, without a path').meta({ examples: ['https://orders.internal.example.com'] }),
  ca: z.string().min(1).optional().describe('PEM file of the authorities to believe for this upstream, instead of the system’s'),
  serverName: z.string().min(1).optional().describe('Name to ask for and to check in TLS; default: the host of `url`'),
  http2: z
    .boolean()
    .default(false)
    .describe('Speak HTTP/2: over https if the server agrees, over http with prior knowledge. gRPC needs it'),
  socketPath: z.string().startsWith('/').optional().describe('Unix socket to connect to, instead of host and port of `url`'),
  hostField: z
    .enum(['request', 'upstream'])
    .default('request')
    .describe('Which host the upstream is told: the one of the request, or the one of `url`'),
  connections: z.int().min(1).max(10_000).default(128).describe('Connections to it at most'),
  pending: z.int().min(0).max(100_000).default(1024).describe('Requests that may wait for a connection; further ones are 503'),
  connectTimeout: duration().default(5_000).describe('Time for a connection to be there'),
  headersTimeout: duration().default(60_000).describe('Time for the head of the response'),
  idleTimeout: duration().default(600_000).describe('Time that a response may stand still'),
})

const bindTo = z.enum(['request']).describe('`request`: the assertion also names method and exact path, and is made for each request')

const assertion = z
  .strictObject({
    audience: z.string().min(1).max(256).optional().describe('`aud` of the assertion; default: the name of the resource'),
    bindTo: bindTo.optional(),
    issue: z
      .boolean()
      .default(false)
      .describe('Also give assertions to callers, at `/.ostiary/token`, for whoever the policy lets `POST /.ostiary/token`'),
  })
  .refine(({ bindTo: bound, issue }) => bound === undefined || !issue, {
    path: ['issue'],
    message: 'can not be with `bindTo`: who is given an assertion uses it for any request',
  })

const template = z
  .string()
  .refine((text) => parsePattern(`* ${text}`).pattern !== undefined, 'write a path template such as `/orders/{id}` or `/admin/**`')

const route = z.strictObject({
  path: template.describe('Paths that it is for').meta({ examples: ['/orders/{id}', '/admin/**'] }),
  record: z.enum(['strict', 'spool', 'best-effort']).optional().describe('How much an effect here insists on its record'),
  body: bytes().optional().describe('Body limit here'),
  forwardAuthorization: z.boolean().optional().describe('Pass the caller’s own `Authorization` on, here'),
  assertion: z.strictObject({ bindTo: bindTo.optional() }).optional().describe('The signed assertion to the upstream, here'),
})

const cors = z.strictObject({
  origins: z
    .array(origin)
    .min(1)
    .describe('Origins whose scripts may read answers')
    .meta({ examples: [['https://app.example.com']] }),
  methods: z
    .array(z.string().regex(/^[A-Z]{1,32}$/, 'write a method in upper case'))
    .default(['GET', 'HEAD', 'POST'])
    .describe('Methods that they may use'),
  headers: z
    .array(z.string().regex(/^[A-Za-z0-9-]{1,64}$/, 'write a field name'))
    .default([])
    .describe('Request fields that they may set'),
  expose: z
    .array(z.string().regex(/^[A-Za-z0-9-]{1,64}$/, 'write a field name'))
    .default([])
    .describe('Response fields that they may read'),
  maxAge: duration().default(600_000).describe('How long a preflight stays answered'),
  credentials: z.boolean().default(false).describe('Whether cookies may come with it'),
})

const openApiFile = z.string().regex(OPENAPI_FILE, 'write a file of the configuration folder, such as `api/orders.yaml`')
const basePath = z
  .string()
  .regex(/^(?:\/[A-Za-z0-9._~-]+)*$/, 'write a path without a slash at its end, such as `/v1`, or an empty text')
  .describe('In place of what `servers` of the document say')

/** A resource with `protocol: http`. */
export const resourceSchema = resourceBase.extend({
  protocol: z.literal('http').describe('What it speaks'),
  hosts: z
    .array(host)
    .min(1)
    .max(1000)
    .describe('Hosts under which it is reached; `*.` stands for one label')
    .meta({ examples: [['orders.example.com']] }),
  publicUrl: publicUrl.optional().describe('Origin under which browsers reach it; default: scheme and host of the request'),
  upstream: upstream.describe('Where requests go that are let through'),
  openapi: z
    .union([
      openApiFile,
      z.strictObject({ file: openApiFile.describe('The document').meta({ examples: ['api/orders.yaml'] }), basePath: basePath.optional() }),
    ])
    .optional()
    .describe('Its OpenAPI document, so that the policy can say operation ids; relative to the configuration folder'),
  signIn: name().optional().describe('Issuer that browsers are sent to; without it they get 401 like everybody'),
  authorizationUri: z
    .string()
    .regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,512}$/, 'write a URL')
    .optional()
    .describe('`authorization_uri` of `WWW-Authenticate`, for clients that look for it'),
  assertion: z
    .union([assertion, z.literal(false)])
    .prefault({})
    .describe('The signed assertion to the upstream'),
  forwardAuthorization: z.boolean().default(false).describe('Pass the caller’s own `Authorization` on'),
  websocket: z
    .union([z.boolean(), z.strictObject({ origins: z.array(origin).default([]).describe('Further origins whose pages may open one') })])
    .default(false)
    .describe('Let WebSocket handshakes through, from the own origin and from `origins`'),
  cors: cors.optional().describe('Answer CORS preflights from here. Without it `OPTIONS` is an action like any other'),
  body: bytes().optional().describe('Body limit here'),
  routes: z.array(route).max(1000).default([]).describe('Exceptions; the first that matches the path counts'),
})

export type DoorConfig = z.output<typeof doorSchema>
export type HttpResource = z.output<typeof resourceSchema>
export type CorsConfig = z.output<typeof cors>
