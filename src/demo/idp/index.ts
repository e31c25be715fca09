/**
 * The embedded identity provider: Microsoft Entra ID's paths, flows and token shapes, on oidc-provider. For demo and
 * tests only: whoever reaches it signs in as anybody, so it listens on loopback and nowhere else.
 */
import type Provider from 'oidc-provider'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { systemClock, systemEntropy, type Clock, type Entropy } from '../../core/clock.ts'
import { ACCOUNTS, findAccount, HOME_TENANT, TENANTS, type Account } from './accounts.ts'
import { memoryStore } from './adapter.ts'
import { control } from './control.ts'
import { Credentials } from './credentials.ts'
import { inspector, type Inspector } from './inspect.ts'
import { KeyRing, makeSigningKey, publicJwkV1, publicJwkV2, type SigningKey } from './keys.ts'
import { listenOnLoopback, readText, type ListenOptions } from '../listener.ts'
import { metadata, PATHS } from './metadata.ts'
import { mint, type Minted, type MintOptions } from './mint.ts'
import { CONTENT_SECURITY_POLICY, homePage } from './pages.ts'
import { tenantProvider } from './provider.ts'
import { sendError, sendHtml, sendJson } from './reply.ts'
import { signIn } from './signin.ts'
import { understood } from './tokenrequest.ts'

export interface IdpOptions extends ListenOptions {
  readonly clock?: Clock
  readonly entropy?: Entropy
  /** Signing keys of an earlier run, newest first; made anew where there are none. */
  readonly keys?: readonly SigningKey[]
  /** Told of every change of the keys, to keep them. */
  readonly keep?: (keys: readonly SigningKey[]) => void
  /** For the keys of issuers that federated credentials name; default: the process's own. */
  readonly fetch?: typeof fetch
}

/** The running provider. */
export interface Idp {
  /** `http://127.0.0.1:8082`, without trailing slash. */
  readonly authority: string
  readonly tenant: string
  /** Certificates and federated credentials of the registrations. */
  readonly credentials: Credentials
  /** A token for an account, without HTTP. @throws RangeError for a name that is no account's */
  mint(account: string | Account, options?: MintOptions): Minted
  /** Signs with a new key from now on; tokens signed before stay good. Answers the new key id. */
  rotate(): Promise<string>
  close(): Promise<void>
}

interface Tenant {
  provider: Provider
  handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>
  readonly inspector: Inspector
}

const TEMPLATES = new Set(['common', 'organizations'])

/** @throws OstiaryError `demo/not-loopback`, `demo/port-taken`, `demo/listen` */
export async function startIdp(options: IdpOptions): Promise<Idp> {
  const { clock = systemClock, entropy = systemEntropy } = options
  const credentials = new Credentials()
  let serve: (request: IncomingMessage, response: ServerResponse) => Promise<void> = async (_, response) =>
    sendError(response, 503, 'temporarily_unavailable', 'starting')
  const listening = await listenOnLoopback('the demo’s identity provider', options, (request, response) => {
    serve(request, response).catch(() => {
      if (!response.headersSent) sendError(response, 500, 'server_error', 'the demo failed at this request')
      else response.destroy()
    })
  })
  try {
    const named = options.tls === undefined ? listening.host : 'localhost'
    const host = `${named.includes(':') ? `[${named}]` : named}:${listening.port}`
    const authority = `${options.tls === undefined ? 'http' : 'https'}://${host}`
    const [first, ...older] = options.keys ?? []
    const keys = new KeyRing([first ?? (await makeSigningKey(clock)), ...older], options.keep)
    if (first === undefined) options.keep?.(keys.all)
    const parts = { authority, keys, clock, entropy }
    const cookieKey = Buffer.from(entropy.bytes(24)).toString('base64url')
    const stores = new Map(TENANTS.map((tenant) => [tenant, memoryStore()]))
    const make = (tenant: string): Promise<Provider> => tenantProvider(parts, tenant, stores.get(tenant)!, cookieKey)

    const tenants = new Map<string, Tenant>()
    for (const id of TENANTS) {
      const provider = await make(id)
      const tenant: Tenant = { provider, handle: provider.callback(), inspector: inspector(keys, clock, id, () => tenant.provider) }
      tenants.set(id, tenant)
    }
    const rotate = async (): Promise<string> => {
      keys.rotate(await makeSigningKey(clock))
      for (const [id, tenant] of tenants) {
        tenant.provider = await make(id)
        tenant.handle = tenant.provider.callback()
      }
      return keys.signing.kid
    }
    const mintFor = (who: string | Account, more?: MintOptions): Minted => {
      const account = typeof who === 'string' ? findAccount(who) : who
      if (account === undefined) throw new RangeError('no such account')
      return mint(parts, account, more)
    }

    serve = async (request, response) => {
      response.setHeader('content-security-policy', CONTENT_SECURITY_POLICY)
      response.setHeader('x-content-type-options', 'nosniff')
      response.setHeader('referrer-policy', 'same-origin')
      const pathname = (request.url ?? '').split('?', 1)[0]!
      // Only under its own name: a page that had its name pointed at loopback must not speak to it.
      if (request.headers.host !== host) return sendError(response, 421, 'invalid_request', `use ${authority}`)
      if (foreign(request, authority)) return sendError(response, 403, 'invalid_request', 'a request of another site was refused')
      if (pathname === '/') return sendHtml(response, 200, homePage(authority, HOME_TENANT, ACCOUNTS))
      if (pathname.startsWith('/demo/')) return control(parts, rotate, credentials, request, response, pathname)
      const [, id = '', rest = ''] = /^\/([^/]+)(\/.*)$/.exec(pathname) ?? []
      const tenant = tenants.get(id)
      if (tenant === undefined && !TEMPLATES.has(id))
        return sendError(response, 404, 'invalid_tenant', 'AADSTS90002: there is no such tenant')
      switch (rest) {
        case '/v2.0/.well-known/openid-configuration':
          return sendJson(response, 200, metadata(authority, id, '2.0'), OPEN)
        case '/.well-known/openid-configuration':
          return sendJson(response, 200, metadata(authority, id, '1.0'), OPEN)
        case PATHS.keysV2:
          return sendJson(response, 200, { keys: keys.all.map((key) => publicJwkV2(key, authority)) }, OPEN)
        case PATHS.keysV1:
          return sendJson(response, 200, { keys: keys.all.map(publicJwkV1) }, OPEN)
      }
      if (tenant === undefined)
        return sendError(
          response,
          400,
          'invalid_request',
          `AADSTS50194: the application is not multi-tenant; use ${authority}/${HOME_TENANT}`,
        )
      if (rest === PATHS.introspect || rest === PATHS.revoke) return inspect(tenant.inspector, rest, request, response)
      if (rest.startsWith('/signin/')) return signIn(tenant.provider, id, request, response)
      const known =
        rest === PATHS.token
          ? await understood(request, response, id, { authority, clock, entropy, credentials, fetch: options.fetch ?? fetch })
          : request
      if (known === undefined) return
      mount(known, id)
      return tenant.handle(known, response)
    }
    return { authority, tenant: HOME_TENANT, credentials, mint: mintFor, rotate, close: () => listening.close() }
  } catch (error) {
    await listening.close()
    throw error
  }
}

/** Metadata and keys are for scripts of any origin, as Entra's are. */
const OPEN = { 'access-control-allow-origin': '*' }

/** A browser says where a request comes from. Reading is harmless; the flows' own redirects are navigations by GET. */
function foreign({ method, headers }: IncomingMessage, authority: string): boolean {
  if (method === 'GET' || method === 'HEAD') return false
  return (headers.origin !== undefined && headers.origin !== authority) || headers['sec-fetch-site'] === 'cross-site'
}

async function inspect(inspector: Inspector, path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== 'POST') return sendError(response, 405, 'invalid_request', 'use POST')
  const text = await readText(request, 64 * 1024)
  if (text === undefined) return sendError(response, 413, 'invalid_request', 'the body is too large')
  const form = new URLSearchParams(text)
  const { authorization } = request.headers
  const { status, body } = await (path === PATHS.introspect
    ? inspector.introspect(form, authorization)
    : inspector.revoke(form, authorization))
  sendJson(response, status, body)
}

/** Makes the library see the path below `/{tid}`, and build its own addresses with it. */
function mount(request: IncomingMessage, tenant: string): void {
  const mounted = request as IncomingMessage & { originalUrl?: string; baseUrl?: string }
  mounted.originalUrl = request.url ?? '/'
  mounted.baseUrl = `/${tenant}`
  const below = mounted.originalUrl.slice(tenant.length + 1)
  // `offline_access` goes under another name inside: see REFRESH_SCOPE.
  request.url = below.replace(/([?&]scope=[^&]*?)offline_access\b/, '$1offline')
}
