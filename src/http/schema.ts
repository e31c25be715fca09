/** What every door over HTTP is configured by: where it listens, whom it believes, what it takes at most. */
import { z } from 'zod'
import { bytes, duration, listenAddress } from '../config/fields.ts'
import { parseCidr } from './forwarded.ts'
import { parseAuthority } from './target.ts'

const count = (value: number) => z.int().min(1).max(1_000_000).default(value)

/** What a door does otherwise than others do unless it is told. */
export interface LimitDefaults {
  /** Octets. */
  readonly body?: number
  readonly streams?: number
  /** Milliseconds. */
  readonly idle?: number
}

/** Every limit of the door has a name, a default and a counter `http_limit` (design, invariant 9). */
function limitsWith({ body = 1024 ** 3, streams = 100, idle = 300_000 }: LimitDefaults) {
  return z.strictObject({
    url: bytes()
      .default(8 * 1024)
      .describe('Length of the request target; longer is 414'),
    fields: bytes()
      .default(32 * 1024)
      .describe('All fields of a request together; larger is 431'),
    fieldCount: count(100).describe('Fields of a request; more is 431'),
    body: bytes().default(body).describe('Body of a request; larger is 413, `0B` is without limit'),
    maskedBody: bytes()
      .default(4 * 1024 ** 2)
      .describe('Body of a response that a guardrail masks; a larger one is kept back'),
    connections: count(10_000).describe('Open connections per listener; further ones are closed'),
    connectionsPerAddress: count(4096).describe('Open connections from one address, trusted proxies excepted; further ones are closed'),
    requestsPerConnection: count(100_000).describe('Requests after which a connection is closed'),
    pipelined: count(100).describe('Requests that wait on one HTTP/1.1 connection; more closes it'),
    streams: count(streams).describe('Concurrent streams of one HTTP/2 connection'),
    resets: count(200).describe('Streams that the client may reset within ten seconds on one HTTP/2 connection; more closes it'),
    headTimeout: duration().default(15_000).describe('Time for a request head to arrive; longer is 408'),
    requestTimeout: duration().default(3_600_000).describe('Time for a whole request to arrive; longer is 408'),
    keepAlive: duration().default(75_000).describe('How long a connection without request stays open'),
    idle: duration().default(idle).describe('How long a connection may stand still within an exchange'),
    maxDuration: duration()
      .default(12 * 3_600_000)
      .describe('How long one exchange may last: streams and WebSockets too'),
  })
}

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

/** The keys of a door over HTTP. */
export function listeningWith(defaults: LimitDefaults) {
  return {
    listen: z.array(listener).min(1).describe('Where it listens'),
    trustedProxies,
    limits: limitsWith(defaults).prefault({}).describe('Bounds of everything that callers send, and of time'),
  }
}

/** As doors have them that say nothing else. */
export const listening = listeningWith({})

function isHostPattern(text: string): boolean {
  const authority = parseAuthority(text.replace(/^\*\./, 'x.'), false)
  return authority !== undefined && text === text.toLowerCase() && !/\.(?:$|:)/.test(text)
}

/** A host that a resource is reached under. */
export const host = z
  .string()
  .refine(isHostPattern, 'write a host in lower case such as `orders.example.com` or `*.example.com`, with `:port` to bind it to one')

const listeningConfig = z.strictObject(listening)
/** How a door listens. */
export type ListeningConfig = z.output<typeof listeningConfig>
export type HttpLimits = ListeningConfig['limits']
