import { z } from 'zod'
import { bytes, duration, isLoopbackHost, listenAddress, name } from '../../config/fields.ts'
import { OPENAPI_FILE } from '../../config/openapi.ts'
import { resourceBase } from '../../config/schema.ts'
import { parsePattern } from '../../policy/actions/http/template.ts'
import { parseCidr } from './forwarded.ts'
import { parseAuthority } from './target.ts'

const count = (value: number) => z.int().min(1).max(1_000_000).default(value)

/** Every limit of the door has a name, a default and a counter `http_limit` (design, invariant 9). */
const limits = z.strictObject({
  url: bytes()
    .default(8 * 1024)
    .describe('Length of the request target; longer is 414'),
  fields: bytes()
    .default(32 * 1024)
    .describe('All fields of a request together; larger is 431'),
  fieldCount: count(100).describe('Fields of a request; more is 431'),
  body: bytes()
    .default(1024 ** 3)
    .describe('Body of a request; larger is 413, `0B` is without limit'),
  maskedBody: bytes()
    .default(4 * 1024 ** 2)
    .describe('Body of a response that a guardrail masks; a larger one is kept back'),
  connections: count(10_000).describe('Open connections per listener; further ones are closed'),
  connectionsPerAddress: count(4096).describe('Open connections from one address, trusted proxies excepted; further ones are closed'),
  requestsPerConnection: count(100_000).describe('Requests after which a connection is closed'),
  pipelined: count(100).describe('Requests that wait on one HTTP/1.1 connection; more closes it'),
  streams: count(100).describe('Concurrent streams of one HTTP/2 connection'),
  resets: count(200).describe('Streams that the client may reset within ten seconds on one HTTP/2 connection; more closes it'),
  headTimeout: duration().default(15_000).describe('Time for a request head to arrive; longer is 408'),
  requestTimeout: duration().default(3_600_000).describe('Time for a whole request to arrive; longer is 408'),
  keepAlive: duration().default(75_000).describe('How long a connection without request stays open'),
  idle: duration().default(300_000).describe('How long a connection may stand still within an exchange'),
  maxDuration: duration()
    .default(12 * 3_600_000)
    .describe('How long one exchange may last: streams and WebSockets too'),
})

const listener = z.strictObject({
  address: listenAddress().describe('Address and port; port 0 takes any free one'),
  tls: z
    .strictObject({
      cert: z.string().min(1).describe('PEM file with the certificate and its chain'),
      key: z.string().min(1).describe('PEM file with the key'),
      names: z
        .record(
          z.string(),
          z.strictObject({
            cert: z.string().min(1).describe('PEM file with the certificate and its chain'),
            key: z.string().min(1).describe('PEM file with the key'),
          }),
        )
        .default({})
        .describe('Other certificates by the name that the client asks for (SNI)'),
      clientCertificates: z
        .strictObject({
          ca: z.string().min(1).describe('PEM file of the authorities that may vouch for clients'),
          crl: z.string().min(1).optional().describe('PEM file of their revocation lists; with it, each authority has to have one'),
          required: z.boolean().default(false).describe('Turns away whoever brings none that is good, before any request'),
        })
        .optional()
        .describe('Asks clients for a certificate: who they are (issuers `mtls` and `spiffe`), or what a token is bound to (RFC 8705)'),
    })
    .optional()
    .describe('TLS 1.2 and 1.3, HTTP/1.1 and HTTP/2. Files are read again when they change'),
})

function isCidr(text: string): boolean {
  return parseCidr(text) !== undefined
}

const trustedProxies = z
  .array(
    z
      .string()
      .refine(isCidr, 'write an address or a CIDR block such as `10.0.0.0/8`')
      .refine((text) => !isCidr(text) || parseCidr(text)!.prefix > 0, 'this would believe everybody; name the proxies'),
  )
  .max(1000)
  .default([])
  .describe('Peers whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed; default: none')

/** `doors.http`. */
export const doorSchema = z
  .strictObject({
    listen: z.array(listener).min(1).describe('Where it listens'),
    trustedProxies,
    limits: limits.prefault({}).describe('Bounds of everything that callers send, and of time'),
  })
  .describe('HTTP/1.1 and HTTP/2')

function isHostPattern(text: string): boolean {
  const authority = parseAuthority(text.replace(/^\*\./, 'x.'), false)
  return authority !== undefined && text === text.toLowerCase() && !/\.(?:$|:)/.test(text)
}

const host = z
  .string()
  .refine(isHostPattern, 'write a host in lower case such as `orders.example.com` or `*.example.com`, with `:port` to bind it to one')

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
export type HttpLimits = DoorConfig['limits']
export type HttpResource = z.output<typeof resourceSchema>
export type CorsConfig = z.output<typeof cors>
