/**
 * External authorization over plain HTTP (`envoy.extensions.filters.http.ext_authz.v3.HttpService`), for proxies that somebody else configures:
 * a request with the method, fields and path of the one that it is about, the path after `/check/<resource>`. 200 lets it through.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https'
import { isIP, type AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { contextOf, type TlsMaterial } from '../../envoy/xds/credentials.ts'
import { peerOf } from '../../envoy/xds/peer.ts'
import { StreamRefusal } from '../../envoy/xds/refusal.ts'
import { UNKNOWN_IP } from '../../core/decision.ts'
import { OstiaryError } from '../../core/errors.ts'
import type { CheckedHead } from './actions.ts'
import { removed, type Denial } from './deny.ts'
import { judging, type JudgingParts } from './door.ts'
import type { CheckLimits, ChecksTrust } from './wire.ts'

export interface HttpChecksParts extends JudgingParts {
  readonly host: string
  readonly port: number
  readonly trust: ChecksTrust
  readonly limits: Pick<CheckLimits, 'concurrent' | 'answerMs' | 'drainMs'>
  /** Whether whoever asks appends its caller's address to `X-Forwarded-For` and passes that on. Without it, no address is known. */
  readonly forwardedFor: boolean
  readonly where: string
}

export interface HttpChecks {
  /** @throws OstiaryError `server/listen` */
  listen(): Promise<number>
  renew(tls: TlsMaterial): void
  close(): Promise<void>
}

/** Octets of all fields; Envoy takes 60 KiB of them by default. */
const MAX_FIELDS = 64 * 1024
const OPTIONS = {
  maxHeaderSize: MAX_FIELDS,
  requireHostHeader: true,
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 60_000,
}
/** Before the request's own path. */
const PREFIX = /^\/check\/([a-z][a-z0-9-]{0,62})(\/.*)$/s
/** Of fields of one name Envoy makes one, with commas between. A credential has none: where there is a comma, there may have been two. */
const CREDENTIALS: ReadonlySet<string> = new Set(['authorization', 'dpop'])
/** What is of the question, and not of the request. */
const OWN: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'te',
  'trailer',
  'upgrade',
])
/** How Envoy is told what of its caller's goes no further. */
const REMOVE = 'x-envoy-auth-headers-to-remove'

/** @throws OstiaryError `xds/loopback` */
export function createHttpChecks(parts: HttpChecksParts): HttpChecks {
  const { host, port, trust, limits, clock, where, judge, forwardedFor } = parts
  if ('loopback' in trust && !/^(127\.\d+\.\d+\.\d+|::1)$/.test(host)) throw new OstiaryError('xds/loopback', { host })
  const verdictOf = judging(parts, limits)
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    // What it carries is nobody's business here.
    request.resume()
    let node: string | undefined
    try {
      node = whoAsks(request, trust, clock.now())
    } catch (error) {
      if (!(error instanceof StreamRefusal)) throw error
      return write(response, judge.problem('http/denied'))
    }
    const verdict = await verdictOf({ head: () => headOf(request, forwardedFor), node, isGone: () => response.destroyed })
    if (verdict.kind !== 'passed') return write(response, verdict)
    // The id of the decision is among what the upstream is told.
    const fields = [...verdict.identity, REMOVE, removed(verdict).join(',')]
    return write(response, { status: 200, fields, body: '' })
  }
  const served = (request: IncomingMessage, response: ServerResponse): void => {
    answer(request, response).catch(() => response.destroy())
  }
  const server: Server | SecureServer =
    'tls' in trust
      ? createSecureServer(
          { ...OPTIONS, ...contextOf(trust.tls), requestCert: true, rejectUnauthorized: true, ALPNProtocols: ['http/1.1'] },
          served,
        )
      : createServer(OPTIONS, served)
  return {
    listen: () =>
      new Promise((resolve, reject) => {
        server.once('error', (error) =>
          reject(
            new OstiaryError(
              'server/listen',
              { address: `${host}:${port}`, what: 'checks over HTTP', cause: error.message, where },
              { cause: error },
            ),
          ),
        )
        server.listen({ host, port }, () => resolve((server.address() as AddressInfo).port))
      }),
    renew(tls) {
      if (!('setSecureContext' in server)) return
      server.setSecureContext(contextOf(tls))
      // Who is connected shows its certificate to the authorities of today.
      server.closeIdleConnections()
    },
    async close() {
      const down = new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
      server.closeIdleConnections()
      const force = clock.after(limits.drainMs, () => server.closeAllConnections())
      await down
      force.cancel()
    },
  }
}

/** The request that is asked about; undefined for what is asked otherwise. Total. */
export function headOf(
  request: Pick<IncomingMessage, 'method' | 'url' | 'rawHeaders' | 'headers'>,
  forwardedFor: boolean,
): CheckedHead | undefined {
  const [, resource, target] = PREFIX.exec(request.url ?? '') ?? []
  const { host } = request.headers
  if (resource === undefined || target === undefined || request.method === undefined || host === undefined || host === '') return undefined
  const fields: string[] = []
  const { rawHeaders } = request
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const [name, value] = [rawHeaders[i]!, rawHeaders[i + 1]!]
    const lower = name.toLowerCase()
    if (CREDENTIALS.has(lower) && value.includes(',')) return undefined
    if (!OWN.has(lower)) fields.push(name, value)
  }
  return {
    resource,
    method: request.method,
    target,
    host,
    // Whoever appends the address says this, too.
    secure: forwardedFor && request.headers['x-forwarded-proto'] === 'https',
    fields,
    ip: forwardedFor ? lastAddress(request.headers['x-forwarded-for']) : UNKNOWN_IP,
  }
}

/** The one that was appended last, by whoever asks. */
function lastAddress(field: string | readonly string[] | undefined): string {
  const last = (typeof field === 'string' ? field : (field ?? []).join(',')).split(',').at(-1)!.trim()
  return isIP(last) === 0 ? UNKNOWN_IP : last
}

/** @throws StreamRefusal for whoever is no proxy of ours */
function whoAsks(request: IncomingMessage, trust: ChecksTrust, now: number): string | undefined {
  if ('loopback' in trust) return undefined
  const { raw } = (request.socket as TLSSocket).getPeerCertificate() as { readonly raw?: Buffer }
  const { identity } = peerOf(raw === undefined ? {} : { sslPeerCertificate: { raw } }, now)
  const node = trust.nodeOf(identity)
  if (node === undefined) throw new StreamRefusal('PERMISSION_DENIED', 'the client certificate is of nobody who may ask')
  return node
}

function write(response: ServerResponse, { status, fields, body }: Denial): void {
  response.writeHead(status, [...fields, 'content-length', String(Buffer.byteLength(body))])
  response.end(body)
}
