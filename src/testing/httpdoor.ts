/** An HTTP door between a raw client and a recording upstream, all on loopback, with a policy and a recorder that tests can read. */
import { generateKeyPairSync, sign } from 'node:crypto'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import type { HttpAction } from '../core/action.ts'
import { systemClock, type Clock } from '../core/clock.ts'
import type { AuthResult, Credential, Verified } from '../core/credential.ts'
import type { Decision, Reason } from '../core/decision.ts'
import type { Limiter } from '../core/limiter.ts'
import type { Meter } from '../core/meter.ts'
import { Pipeline } from '../core/pipeline.ts'
import type { Policy, PolicySource } from '../core/policy.ts'
import type { Identity, Principal } from '../core/principal.ts'
import type { DecisionEvent, Outcome, RecordMode } from '../core/record.ts'
import { createHttpDoor, type HttpDoor } from '../doors/http/door.ts'
import { doorSchema, resourceSchema, type HttpResource } from '../doors/http/schema.ts'
import type { SecurityEvents } from '../doors/http/events.ts'
import type { ProviderLogout } from '../doors/http/logout.ts'
import type { BrowserSignIn } from '../doors/http/signin.ts'
import { seededEntropy } from './clock.ts'

export const TOKEN = 'reader-token'

/** Identity of the holder of `reader-token`. */
export function identityOf(subject: string, more: Partial<Identity> = {}): Identity {
  return {
    issuer: 'entra',
    subject,
    kind: 'human',
    claims: {},
    unknownClaims: new Set(),
    scopes: undefined,
    appOnly: false,
    listedClient: false,
    actor: undefined,
    display: undefined,
    evidence: {
      credential: 'bearer',
      issuerUrl: 'https://login.example.com',
      audience: 'orders',
      client: undefined,
      tokenId: undefined,
      keyId: undefined,
      algorithm: undefined,
      issuedAt: undefined,
      expiresAt: 0,
      sessionId: undefined,
    },
    ...more,
  }
}

/** What a test lets the policy say: true allows, false denies for want of a role, a reason denies with it. */
export type Rule = (principal: Principal, method: string, path: string) => boolean | Reason

export function policyOf(rule: Rule, version = 'sha256:1'): Policy {
  const principalOf = (identity: Identity | undefined, roles: readonly string[]): Principal => ({
    issuer: identity?.issuer ?? '',
    subject: identity?.subject ?? '',
    kind: identity?.kind ?? 'anonymous',
    claims: {},
    roles,
    unknownRoles: [],
    provenance: [],
    actor: identity?.actor === undefined ? undefined : principalOf(identity.actor, roles),
    identity,
    policyVersion: version,
  })
  return {
    version,
    anonymous: principalOf(undefined, ['everyone']),
    bind: (identity) => principalOf(identity, ['everyone', 'authenticated', 'reader']),
    decide(principal, action): Decision {
      const { method, path } = action as HttpAction
      const said = rule(principal, method, path)
      const allowed = said === true
      return {
        effect: allowed ? 'allow' : 'deny',
        rule: allowed ? 'read' : undefined,
        rules: allowed ? ['read'] : [],
        reasons: [
          allowed ? { code: 'granted', id: 'read' } : said === false ? { code: 'role-not-held', id: 'read', role: 'reader' } : said,
        ],
        obligations: [],
        policyVersion: version,
      }
    },
  }
}

/** A policy source whose policy a test swaps. */
export function swappable(initial: Policy): PolicySource & { swap(policy: Policy): void } {
  let current = initial
  const listeners = new Set<(policy: Policy) => void>()
  return {
    get current() {
      return current
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    swap(policy) {
      current = policy
      for (const listener of listeners) listener(policy)
    },
  }
}

export interface Recorded {
  readonly event: DecisionEvent
  readonly mode: RecordMode
  readonly outcomes: Outcome[]
}

export interface DoorOptions {
  readonly rule?: Rule
  /** In place of one made of `rule`. */
  readonly policy?: Policy
  readonly limiter?: Limiter
  readonly upstream?: string
  readonly resource?: Readonly<Record<string, unknown>>
  readonly resources?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly door?: Readonly<Record<string, unknown>>
  readonly clock?: Clock
  readonly signIn?: BrowserSignIn
  readonly logout?: ProviderLogout
  readonly events?: SecurityEvents
  readonly authenticate?: (credential: Credential) => AuthResult | Promise<AuthResult>
  readonly decided?: () => void | Promise<void>
  readonly folder?: string
}

export interface TestDoor {
  readonly door: HttpDoor
  readonly port: number
  readonly ports: readonly number[]
  readonly records: Map<string, Recorded>
  readonly counts: Map<string, number>
  readonly policies: ReturnType<typeof swappable>
  readonly pipeline: Pipeline
  readonly verified: Verified
  /** Opens a raw connection to the first listener. */
  connect(): RawConnection
  close(): Promise<void>
}

/** A resource of the schema, with its defaults. */
export function resourceOf(config: Readonly<Record<string, unknown>>): HttpResource {
  return resourceSchema.parse({ protocol: 'http', hosts: ['orders.localhost'], ...config })
}

/** A door on a free port of 127.0.0.1 in front of `upstream` (an origin). The host is `orders.localhost`. */
export async function testDoor(options: DoorOptions): Promise<TestDoor> {
  const clock = options.clock ?? systemClock
  const policies = swappable(options.policy ?? policyOf(options.rule ?? (() => true)))
  const records = new Map<string, Recorded>()
  const counts = new Map<string, number>()
  const verified: Verified = { identity: identityOf('tenant/user'), expiresAt: clock.now() + 3_600_000, revoked: false }
  const authenticate =
    options.authenticate ??
    ((credential: Credential): AuthResult =>
      credential.kind === 'bearer' && credential.token.reveal() === TOKEN
        ? { outcome: 'verified', verified }
        : { outcome: 'rejected', reason: credential.kind === 'session' ? 'session-unknown' : 'signature' })
  let ids = 0
  const newId = (): string => `d${++ids}`
  const pipeline = new Pipeline({
    clock,
    newId,
    authenticator: { authenticate },
    policies,
    limiter: options.limiter,
    recorder: {
      decided: (event, mode) => {
        records.set(event.id, { event, mode, outcomes: [] })
        return options.decided?.()
      },
      completed: (id, outcome) => void records.get(id)?.outcomes.push(outcome),
      note: () => undefined,
      noteDurably: () => Promise.resolve(),
    },
  })
  const meter: Meter = {
    count: (name, labels = {}) => {
      const key = [name, ...Object.values(labels)].join(' ')
      counts.set(key, (counts.get(key) ?? 0) + 1)
    },
  }
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const resources = options.resources ?? { orders: { upstream: { url: options.upstream ?? 'http://127.0.0.1:9' }, ...options.resource } }
  const door = createHttpDoor({
    config: doorSchema.parse({ listen: [{ address: '127.0.0.1:0' }], ...options.door }),
    resources: Object.fromEntries(Object.entries(resources).map(([name, resource]) => [name, resourceOf(resource)])),
    pipeline,
    signIn: options.signIn,
    logout: options.logout,
    events: options.events,
    assertions: {
      issuer: 'ostiary',
      kid: 'key-1',
      sign: (input) => sign('sha256', input, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
      jwks: () => ({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'key-1', alg: 'ES256', use: 'sig' }] }),
    },
    clock,
    entropy: seededEntropy(),
    newId,
    meter,
    ...(options.folder === undefined ? {} : { folder: options.folder }),
  })
  const ports = (await door.listen()).map(({ port }) => port)
  const open = new Set<RawConnection>()
  return {
    door,
    port: ports[0]!,
    ports,
    records,
    counts,
    policies,
    pipeline,
    verified,
    connect() {
      const connection = new RawConnection(connect(ports[0]!, '127.0.0.1'))
      open.add(connection)
      return connection
    },
    async close() {
      for (const connection of open) connection.socket.destroy()
      await door.close()
      pipeline.open.close()
    },
  }
}

/** A client that writes bytes and reads bytes (latin1). */
export class RawConnection {
  readonly socket: Socket
  text = ''
  ended = false
  readonly #waiting = new Set<() => void>()

  constructor(socket: Socket) {
    this.socket = socket
    const wake = (): void => {
      for (const check of this.#waiting) check()
    }
    socket.on('data', (chunk: Buffer) => {
      this.text += chunk.toString('latin1')
      wake()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.ended = true
      wake()
    })
    socket.on('end', () => {
      this.ended = true
      wake()
    })
  }

  send(text: string | Buffer): this {
    this.socket.write(text, 'latin1' as never)
    return this
  }

  /** Resolves once `seen` holds for what was read so far, or the connection has ended. */
  until(seen: (text: string) => boolean): Promise<string> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!seen(this.text) && !this.ended) return
        this.#waiting.delete(check)
        resolve(this.text)
      }
      this.#waiting.add(check)
      check()
    })
  }

  /** Everything up to the end of the connection. */
  whole(): Promise<string> {
    return this.until(() => false)
  }
}

/** One request as an upstream saw it, byte by byte. */
export interface Seen {
  readonly line: string
  readonly fields: readonly (readonly [string, string])[]
  readonly raw: string
}

export interface RecordingUpstream {
  readonly url: string
  readonly port: number
  readonly seen: Seen[]
  /** What is written in answer to each request; may be replaced. Gets the socket for longer conversations. */
  answer: (seen: Seen, socket: Socket) => string | undefined
  readonly sockets: Set<Socket>
  connections: number
  close(): Promise<void>
}

export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

/** An upstream on raw sockets: it reads heads (and bodies of known length) and writes what it is told. */
export async function recordingUpstream(answer: RecordingUpstream['answer'] = () => OK): Promise<RecordingUpstream> {
  const server = createServer((socket) => {
    upstream.connections++
    upstream.sockets.add(socket)
    socket.on('close', () => upstream.sockets.delete(socket))
    socket.on('error', () => undefined)
    let pending = ''
    const read = (): void => {
      for (;;) {
        const end = pending.indexOf('\r\n\r\n')
        if (end < 0) return
        const seen = parse(pending.slice(0, end + 4))
        const length = Number(seen.fields.find(([name]) => name.toLowerCase() === 'content-length')?.[1] ?? 0)
        const chunked = seen.fields.some(([name]) => name.toLowerCase() === 'transfer-encoding')
        let whole = end + 4 + length
        if (chunked) {
          const last = /(?:^|\r\n)0\r\n(?:[^\r\n]+\r\n)*\r\n/.exec(pending.slice(end + 4))
          if (last === null) return
          whole = end + 4 + last.index + last[0].length
        }
        if (pending.length < whole) return
        const request = { ...seen, raw: pending.slice(0, whole) }
        pending = pending.slice(whole)
        upstream.seen.push(request)
        const text = upstream.answer(request, socket)
        if (text !== undefined) socket.write(text, 'latin1')
      }
    }
    socket.on('data', (chunk: Buffer) => {
      pending += chunk.toString('latin1')
      read()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const upstream: RecordingUpstream = {
    url: `http://127.0.0.1:${port}`,
    port,
    seen: [],
    answer,
    sockets: new Set(),
    connections: 0,
    close: () =>
      new Promise((resolve) => {
        for (const socket of upstream.sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }
  return upstream
}

function parse(head: string): Seen {
  const [line, ...lines] = head.slice(0, -4).split('\r\n')
  return {
    line: line!,
    raw: head,
    fields: lines.map((text) => {
      const cut = text.indexOf(':')
      return [text.slice(0, cut), text.slice(cut + 1).trim()] as const
    }),
  }
}

/** The value of a field of a request that an upstream saw. */
export function fieldOf(seen: Seen | undefined, name: string): string | undefined {
  return seen?.fields.find(([known]) => known.toLowerCase() === name.toLowerCase())?.[1]
}

/** A response, taken apart. Field names are in lower case. */
export interface ReadAnswer {
  readonly status: number
  readonly fields: ReadonlyMap<string, readonly string[]>
  readonly body: string
}

export function readAnswer(text: string): ReadAnswer {
  const [head, ...rest] = text.split('\r\n\r\n')
  const [line, ...lines] = head!.split('\r\n')
  const fields = new Map<string, string[]>()
  for (const one of lines) {
    const cut = one.indexOf(': ')
    const name = one.slice(0, cut).toLowerCase()
    fields.set(name, [...(fields.get(name) ?? []), one.slice(cut + 2)])
  }
  return { status: Number(line!.split(' ')[1]), fields, body: rest.join('\r\n\r\n') }
}

/** Sends one request on a connection of its own, for `orders.localhost` unless the fields say otherwise. */
export async function ask(door: TestDoor, line: string, fields: readonly string[], body = ''): Promise<ReadAnswer> {
  const text = [
    `${line} HTTP/1.1`,
    ...(fields.some((field) => /^host:/i.test(field)) ? [] : ['Host: orders.localhost']),
    'Connection: close',
    ...fields,
  ]
  return readAnswer(
    await door
      .connect()
      .send(`${text.join('\r\n')}\r\n\r\n${body}`)
      .whole(),
  )
}

/** The values of a field of a response, joined by `|`. */
export function valueOf({ fields }: ReadAnswer, name: string): string | undefined {
  return fields.get(name)?.join('|')
}

/** The members of a problem document. */
export function problemOf({ body }: ReadAnswer): Record<string, unknown> {
  return JSON.parse(body) as Record<string, unknown>
}

/** The catalogue's code that a problem document names. */
export function codeOf(answer: ReadAnswer): string {
  return String(problemOf(answer)['type']).replace('https://ostiary.dev/errors/', '')
}
