/**
 * A stand-in for a transmitter of security events (OpenID Shared Signals Framework 1.0, RFC 8936) on loopback. It signs with its own code,
 * imports nothing of the gateway, and misbehaves when it is told to.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { signToken, testKey, type Json, type JsonObject, type TestKey } from '../../../testing/tokens.ts'

export const AUDIENCE = 'https://gateway.example/events'
export const POLL_TOKEN = 'poll-token'

export const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/'
export const RISC = 'https://schemas.openid.net/secevent/risc/event-type/'
export const SSF = 'https://schemas.openid.net/secevent/ssf/event-type/'

/** A member that is undefined is left out. */
export type Members = Readonly<Record<string, Json | undefined>>

export interface TransmitterStandIn {
  readonly origin: string
  /** Questions of RFC 8936 so far. */
  readonly polls: JsonObject[]
  /** Events that wait to be fetched, by `jti`. */
  readonly waiting: Map<string, string>
  /** Answers what is polled in place of the good answer. */
  override: ((response: ServerResponse) => void) | undefined
  /** An event about `sub_id`, signed. */
  event(type: string, event?: Members, claims?: Members, header?: JsonObject, key?: TestKey): string
  close(): Promise<void>
}

export async function transmitterStandIn(now: () => number): Promise<TransmitterStandIn> {
  const own = testKey('transmitter', 'ES256')
  const sockets = new Set<Socket>()
  let made = 0
  const server = createServer((request, response) => void answer(request, response))
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const standIn: TransmitterStandIn = {
    origin,
    polls: [],
    waiting: new Map(),
    override: undefined,
    event(type, event = {}, claims = {}, header = {}, key = own) {
      const payload = {
        iss: origin,
        aud: AUDIENCE,
        iat: Math.floor(now() / 1000),
        jti: `event-${++made}`,
        events: { [type]: only(event) },
        ...claims,
      }
      return signToken(key, only(payload), { typ: 'secevent+jwt', ...header })
    },
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    switch (request.url) {
      case '/.well-known/ssf-configuration':
        return send(response, 200, { issuer: origin, jwks_uri: `${origin}/jwks`, delivery_methods_supported: ['urn:ietf:rfc:8935'] })
      case '/jwks':
        return send(response, 200, { keys: [own.jwk] })
      case '/poll': {
        let body = ''
        for await (const chunk of request) body += String(chunk)
        if (request.headers.authorization !== `Bearer ${POLL_TOKEN}`) return send(response, 401, {})
        const asked = JSON.parse(body) as JsonObject
        standIn.polls.push(asked)
        if (standIn.override !== undefined) return standIn.override(response)
        for (const id of (asked['ack'] ?? []) as readonly string[]) standIn.waiting.delete(id)
        for (const id of Object.keys((asked['setErrs'] ?? {}) as JsonObject)) standIn.waiting.delete(id)
        return send(response, 200, { sets: Object.fromEntries(standIn.waiting), moreAvailable: false })
      }
      default:
        return send(response, 404, {})
    }
  }
  return standIn
}

function only(members: Members): JsonObject {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as JsonObject
}

function send(response: ServerResponse, status: number, body: JsonObject): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
