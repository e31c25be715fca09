/** From what Envoy asks to the head of the request that it is about: what the gateway reads, and nothing that it would have to believe. */
import type { CheckRequest } from '../../envoy/messages/envoy/service/auth/v3/external_auth_pb.ts'

/** The request that is to be judged, as Envoy will forward it. Strings hold one byte per character (latin1). */
export interface CheckedHead {
  /** Of our own configuration of the route, not of the request. */
  readonly resource: string
  readonly method: string
  /** Path and query. */
  readonly target: string
  readonly host: string
  /** Whether it came over TLS. */
  readonly secure: boolean
  /** Names and values alternating, in order, duplicates included; without pseudo-fields and `host`. */
  readonly fields: readonly string[]
  /** Address of the caller's connection. */
  readonly ip: string
}

/** The key of `context_extensions` under which the configuration of a route says which resource it is. */
export const RESOURCE = 'resource'

/**
 * Reads a request; undefined for what isn't asked as our configuration has Envoy ask. Total.
 * @param resourceOf For an Envoy that a mesh configures, which says neither the resource nor the fields one by one: which resource a host is of
 */
export function headOf({ attributes }: CheckRequest, resourceOf?: (host: string) => string | undefined): CheckedHead | undefined {
  const http = attributes?.request?.http
  const address = attributes?.source?.address?.address
  if (http === undefined) return undefined
  const resource = resourceOf === undefined ? attributes?.contextExtensions[RESOURCE] : resourceOf(http.host)
  const all = resourceOf === undefined ? fieldsOf(http) : mergedFieldsOf(http)
  if (all === undefined) return undefined
  if (address?.case !== 'socketAddress' || address.value.address === '' || resource === undefined || resource === '') return undefined
  if (http.method === '' || http.path === '' || (http.scheme !== 'http' && http.scheme !== 'https')) return undefined
  const said: Readonly<Record<string, string>> = {
    ':method': http.method,
    ':path': http.path,
    ':authority': http.host,
    ':scheme': http.scheme,
  }
  const fields: string[] = []
  for (const [key, bytes] of all) {
    if (!key.startsWith(':')) fields.push(latin1(key), bytes)
    // What Envoy forwards has to be what is judged.
    else if (Object.hasOwn(said, key) && latin1(said[key]!) !== bytes) return undefined
  }
  return {
    resource,
    method: latin1(http.method),
    target: latin1(http.path),
    host: latin1(http.host),
    secure: http.scheme === 'https',
    fields,
    ip: address.value.address,
  }
}

type Http = NonNullable<NonNullable<NonNullable<CheckRequest['attributes']>['request']>['http']>
type NamedBytes = readonly (readonly [name: string, bytes: string])[]

/** Fields come one by one and as bytes: merged into a map, two credentials would look like one. */
function fieldsOf({ headerMap, headers }: Http): NamedBytes | undefined {
  if (headerMap === undefined || Object.keys(headers).length > 0) return undefined
  return headerMap.headers.map(({ key, value, rawValue }) => [key, Buffer.from(rawValue.length > 0 ? rawValue : value).toString('latin1')])
}

/** Fields of one name are one, with commas between. A credential has none: where there is a comma, there may have been two. */
function mergedFieldsOf({ headerMap, headers }: Http): NamedBytes | undefined {
  if (headerMap !== undefined) return undefined
  const all = Object.entries(headers).map(([key, value]) => [key, latin1(value)] as const)
  return all.some(([key, value]) => CREDENTIALS.has(key) && value.includes(',')) ? undefined : all
}

const CREDENTIALS: ReadonlySet<string> = new Set(['authorization', 'dpop'])

function latin1(text: string): string {
  return Buffer.from(text).toString('latin1')
}
