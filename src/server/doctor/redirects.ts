import { isLoopbackHost } from '../../config/fields.ts'
import type { IssuerBase, Wiring } from '../../config/schema.ts'
import type { DoorConfig, HttpResource } from '../../doors/http/schema.ts'
import { cloudOf, isB2c, isExternalId } from '../../identity/entra/clouds.ts'
import { callbackPath } from '../../identity/index.ts'
import type { Finding } from './finding.ts'

/** A redirect URI that sign-in sends, and what about it will not do. */
export interface Redirect {
  readonly resource: string
  readonly uri: string
  /** Undefined where nothing is wrong with it as far as can be told from here. */
  readonly problem: { readonly found: string; readonly help: string } | undefined
}

interface Signing extends IssuerBase {
  readonly authority?: string
  readonly signIn?: unknown
}

const PUBLIC = 'give the listener `tls`, or write `publicUrl` where something in front of the gateway speaks https'

/** Redirect URIs that sign-in sends, for each resource that sends browsers to this issuer. */
export function redirectsOf(name: string, { issuers, resources, doors }: Wiring): readonly Redirect[] {
  const issuer: Signing | undefined = issuers[name]
  if (issuer?.signIn === undefined) return []
  const door = doors['http'] as DoorConfig | undefined
  return Object.entries(resources).flatMap(([resource, config]) => {
    const { signIn, publicUrl, hosts = [] } = config as Partial<HttpResource>
    if (signIn !== name) return []
    const origins = publicUrl === undefined ? hosts.flatMap((host) => originsOf(host, door)) : [new URL(publicUrl).origin]
    return [...new Set(origins)].map((origin) => {
      const uri = origin + callbackPath(name)
      return { resource, uri, problem: problemOf(uri, issuer) }
    })
  })
}

/** Where browsers see a host: by each listener that it can be reached at, or by what stands in front. */
function originsOf(host: string, door: DoorConfig | undefined): readonly string[] {
  const [, name = host, port] = /^(.*?)(?::(\d+))?$/.exec(host) ?? []
  const listeners = (door?.listen ?? []).filter(({ address }) => port === undefined || address.port === Number(port))
  const direct = listeners.map(({ address, tls }) => originOf(tls === undefined ? 'http' : 'https', name, Number(port ?? address.port)))
  // Plain http is refused but on this machine, so it is only listed where nothing else would be.
  const good = direct.filter((origin) => origin.startsWith('https:') || isLoopbackHost(name))
  const forwarded = door === undefined || door.trustedProxies.length > 0 ? [`https://${host}`] : []
  const all = [...good, ...forwarded]
  return all.length > 0 ? all : direct.length > 0 ? direct : [`https://${host}`]
}

function originOf(scheme: 'http' | 'https', host: string, port: number): string {
  return port === (scheme === 'http' ? 80 : 443) || port === 0 ? `${scheme}://${host}` : `${scheme}://${host}:${port}`
}

/** What a provider takes no redirect URI for (Entra ID: *Redirect URI (reply URL) restrictions*), or the gateway none. */
function problemOf(uri: string, { kind, authority }: Signing): Redirect['problem'] {
  const { protocol, hostname } = new URL(uri.replace('*', 'any'))
  if (protocol === 'http:' && !isLoopbackHost(hostname))
    return { found: `signing in at \`${uri}\` is refused: it needs https`, help: PUBLIC }
  if (kind !== 'entra' || authority === undefined || !isMicrosofts(authority)) return undefined
  if (protocol === 'http:' && hostname === '127.0.0.1')
    return {
      found: `\`${uri}\` can not be entered on the page of Entra ID`,
      help: 'use `localhost` as the host of the resource; only the manifest of the registration takes 127.0.0.1',
    }
  if (protocol === 'http:' && hostname !== 'localhost')
    return {
      found: `Entra ID takes no http for \`${hostname}\`, only for \`localhost\``,
      help: 'use `localhost` as the host of the resource, or https',
    }
  if (hostname === '[::1]') return { found: 'Entra ID takes no `[::1]`', help: 'use `localhost` as the host of the resource' }
  return uri.length > 256 ? { found: `it has ${uri.length} characters, and Entra ID takes 256`, help: 'use a shorter host' } : undefined
}

/** Whether the rules of Entra ID's own clouds hold at this authority. */
function isMicrosofts(authority: string): boolean {
  return cloudOf(authority) !== undefined || isExternalId(authority) || isB2c(authority)
}

/** The same as findings: what has to be registered, and what is wrong with it. */
export function* redirectFindings(name: string, wiring: Wiring): Generator<Finding> {
  for (const { resource, uri, problem } of redirectsOf(name, wiring)) {
    if (problem !== undefined) yield { check: 'redirect', outcome: 'wrong', ...problem }
    else if (uri.includes('*'))
      yield {
        check: 'redirect',
        outcome: 'todo',
        found: `people are sent back to \`${uri}\`, of each host for \`*\``,
        help: 'register each of them: providers take no such pattern',
      }
    else
      yield {
        check: 'redirect',
        outcome: 'todo',
        found: `people are sent back to \`${uri}\` (resource \`${resource}\`)`,
        help: 'register it at the provider exactly so, as a redirect URI of the kind "web"',
      }
  }
}
