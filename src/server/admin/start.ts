import { chmodSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { getRequestListener } from '@hono/node-server'
import { isLoopbackHost } from '../../config/fields.ts'
import { OstiaryError } from '../../core/errors.ts'
import type { Identity } from '../../core/principal.ts'
import { createHttpDoor, type HttpDoor } from '../../doors/http/door.ts'
import type { Answer } from '../../http/engine.ts'
import { doorSchema, resourceSchema, type HttpResource } from '../../doors/http/schema.ts'
import { assertionSigner } from '../adapters.ts'
import { GATEWAY_ISSUER, GATEWAY_RESOURCE } from '../families.ts'
import type { Reloader } from '../reload.ts'
import type { Parts } from '../parts.ts'
import { adminApp } from './app.ts'
import { adminParts, type Surroundings } from './compose.ts'
import { OneTimeLinks } from './link.ts'

export interface Admin {
  /** `http://127.0.0.1:8081` */
  readonly url: string
  /** Signs in whoever opens it first; undefined where the policy gives its user nothing, or the listener isn't loopback. */
  readonly link: string | undefined
  /** Readiness fails from now on. */
  draining(): void
  drain(deadline: number): Promise<void>
  close(): Promise<void>
}

/** A console session that the one-time link began ends after this long. */
const LINK_SESSION_MS = 8 * 3_600_000

/**
 * The admin listener: the gateway's own HTTP door in front of the admin application, which listens on a socket in the
 * data directory that only the gateway's user can open.
 * @throws OstiaryError `http/listen`
 */
export type AdminSurroundings = Omit<Surroundings, 'url'>

export async function startAdmin(parts: Parts, reloader: Reloader, { doors, clusters, envoys }: AdminSurroundings): Promise<Admin> {
  const { wiring, clock, entropy, policies } = parts
  const { host, port } = wiring.admin.listen
  const links = new OneTimeLinks(clock, entropy)
  let ready = true
  let url = ''

  const socketPath = join(parts.dataDir, 'admin.sock')
  const listener = getRequestListener(adminApp(adminParts(parts, reloader, { doors, clusters, url: () => url, envoys })).fetch)
  const upstream = createServer((request, response) => void listener(request, response))
  rmSync(socketPath, { force: true })
  await new Promise<void>((resolve, reject) => {
    upstream.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new OstiaryError('server/listen', {
          address: socketPath,
          what: 'the admin application',
          cause: error.code ?? 'unknown',
          where: 'dataDir',
        }),
      ),
    )
    upstream.listen(socketPath, resolve)
  })
  chmodSync(socketPath, 0o600)

  const local = (path: string, query: string, secure: boolean): Answer | Promise<Answer> | undefined => {
    if (path === '/livez') return plain(200, 'alive\n')
    if (path === '/readyz') return readiness(parts, ready)
    if (path === '/.ostiary/client.json') return json(clientDocument(parts))
    if (path === '/.ostiary/enter') return enter(new URLSearchParams(query).get('code') ?? '', secure)
    return undefined
  }

  const enter = async (code: string, secure: boolean): Promise<Answer> => {
    if (!links.take(code)) return plain(403, 'This link has been used or has expired. Restart the gateway for a new one, or sign in.\n')
    const ends = clock.now() + LINK_SESSION_MS
    const session = await parts.identities.sessions.create(operator(wiring.name, ends), ends)
    parts.audit.note({ kind: 'one-time-link', time: clock.now(), details: { session: session.id } })
    return {
      kind: 'answer',
      status: 303,
      fields: ['Location', '/', 'Cache-Control', 'no-store', 'Referrer-Policy', 'no-referrer', 'Set-Cookie', session.setCookie(secure)],
      body: '',
    }
  }

  const door: HttpDoor = createHttpDoor({
    name: 'admin',
    config: doorSchema.parse({ listen: [{ address: `${host.includes(':') ? `[${host}]` : host}:${port}` }] }),
    resources: { [GATEWAY_RESOURCE]: gatewayResource(parts, socketPath) },
    pipeline: parts.pipeline,
    signIn: parts.identities.signIn,
    assertions: assertionSigner(parts.keyring, wiring),
    clock,
    entropy,
    newId: parts.newId,
    meter: parts.metrics,
    log: parts.log,
    folder: parts.folder,
    local,
  })
  const close = async (): Promise<void> => {
    await door.close()
    await new Promise<void>((resolve) => {
      upstream.close(() => resolve())
      upstream.closeAllConnections()
    })
    rmSync(socketPath, { force: true })
  }
  try {
    const [address] = await door.listen()
    url = wiring.admin.publicUrl ?? `http://${host.includes(':') ? `[${host}]` : host}:${address!.port}`
  } catch (error) {
    await close()
    throw error
  }
  // The link is for whoever can read this terminal: it makes sense only where the browser is on this machine, too.
  const mayLink =
    isLoopbackHost(host) &&
    policies.current.decide(
      policies.current.bind(operator(wiring.name, clock.now() + 1)),
      { protocol: 'http', method: 'GET', path: '/' },
      GATEWAY_RESOURCE,
      { time: clock.now(), ip: host },
    ).effect === 'allow'
  return {
    get url() {
      return url
    },
    link: mayLink ? `${url}/.ostiary/enter?code=${links.make()}` : undefined,
    draining: () => {
      ready = false
    },
    drain: (deadline) => door.drain(deadline),
    close,
  }
}

/** The gateway as a resource of its own door. `admin.hosts` and the listener's own names are its hosts. */
function gatewayResource({ wiring, identities }: Parts, socketPath: string): HttpResource {
  const { host, port } = wiring.admin.listen
  const named = host.includes(':') ? `[${host}]` : host
  const loopback = isLoopbackHost(host) ? ['localhost', '127.0.0.1', '[::1]'] : []
  const publicHost = wiring.admin.publicUrl === undefined ? [] : [new URL(wiring.admin.publicUrl).host]
  const hosts = new Set([...(host === '0.0.0.0' || host === '::' ? [] : [named]), ...loopback, ...publicHost, ...wiring.admin.hosts])
  const signIn = identities.issuers.find((issuer) => issuer.signIn !== undefined)?.name
  const resource = resourceSchema.parse({
    protocol: 'http',
    hosts: [...hosts],
    upstream: { url: `http://localhost:${port === 0 ? 80 : port}`, headersTimeout: '10m' },
    assertion: false,
    routes: [{ path: '/metrics', record: 'best-effort' }],
    ...(signIn === undefined ? {} : { signIn }),
    ...(wiring.admin.publicUrl === undefined ? {} : { publicUrl: wiring.admin.publicUrl }),
  })
  return { ...resource, upstream: { ...resource.upstream, socketPath } }
}

/** Whoever used the one-time link. What it may do is for the policy to say: bind a role to issuer `ostiary`, claim `via`. */
function operator(gateway: string, expiresAt: number): Identity {
  return {
    issuer: GATEWAY_ISSUER,
    subject: 'terminal',
    kind: 'human',
    claims: Object.assign(Object.create(null) as Record<string, string>, { via: 'one-time-link' }),
    unknownClaims: new Set(),
    scopes: undefined,
    appOnly: false,
    listedClient: false,
    actor: undefined,
    display: 'one-time link',
    evidence: {
      credential: 'one-time-link',
      issuerUrl: gateway,
      audience: gateway,
      client: undefined,
      tokenId: undefined,
      keyId: undefined,
      algorithm: undefined,
      issuedAt: undefined,
      expiresAt,
      sessionId: undefined,
    },
  }
}

/** What a client needs to know to sign in. Holds nothing that isn't in the provider's own public documents. */
function clientDocument({ wiring, identities }: Parts): object {
  const issuers = identities.issuers.flatMap(({ name, discoveryUrl, signIn }) =>
    signIn === undefined ? [] : [{ name, discovery: discoveryUrl, clientId: signIn.clientId, scopes: signIn.cliScopes }],
  )
  return { gateway: wiring.name, issuers }
}

/**
 * Ready while the record can be written and nothing is ending. A provider that is down is degraded, not unready: known keys still work. So is a
 * store of revocations that can't be read: those that are known hold on; and one of activations: no eligible role is active then.
 */
function readiness({ activations, audit, identities }: Parts, ready: boolean): Answer {
  const record = audit.status()
  const issuers = identities.issuers.map((issuer) => ({ name: issuer.name, ...issuer.status() }))
  const revocations = identities.revocations.status()
  const active = activations.status()
  const whole = revocations.healthy && active.healthy && issuers.every((issuer) => issuer.ready)
  const ok = ready && record.healthy
  return json(
    {
      status: ok ? (whole ? 'ready' : 'degraded') : ready ? 'record unavailable' : 'ending',
      issuers: issuers.map(({ name, ready: has }) => ({ name, ready: has })),
      revocations: { ready: revocations.healthy },
      activations: { ready: active.healthy },
    },
    ok ? 200 : 503,
  )
}

function plain(status: number, body: string): Answer {
  return { kind: 'answer', status, fields: ['Content-Type', 'text/plain; charset=utf-8', 'Cache-Control', 'no-store'], body }
}

function json(value: object, status = 200): Answer {
  return { kind: 'answer', status, fields: ['Content-Type', 'application/json', 'Cache-Control', 'no-store'], body: JSON.stringify(value) }
}
