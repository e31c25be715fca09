import { isLoopbackHost } from '../../config/fields.ts'
import type { Clock } from '../../core/clock.ts'
import { readBody } from '../body.ts'
import type { ProviderMetadata } from '../issuer.ts'
import { isObject, readJson, type JsonObject, type JsonValue } from '../jose/json.ts'
import { readKeySet, type VerificationKey } from '../jose/jwk.ts'
import type { KeyLimits } from './limits.ts'

/** What a provider said of itself, checked. */
export interface ProviderDocuments {
  readonly metadata: ProviderMetadata
  /** Entra's name of the cloud that the provider belongs to. */
  readonly cloudInstance: string | undefined
  readonly keys: ReadonlyMap<string, VerificationKey>
  /** As received, to be kept. */
  readonly raw: { readonly metadata: JsonObject; readonly keys: JsonValue }
}

/** Why a provider's documents were not taken. The text is for the operator's log. */
export class DocumentsRefused extends Error {}

export interface DocumentSource {
  readonly fetch: typeof fetch
  readonly clock: Clock
  readonly discoveryUrl: string
  /** In place of metadata that would be got from `discoveryUrl`: `issuer` and `jwks_uri`. */
  readonly metadata?: JsonObject | undefined
  /** Whether the `issuer` of the metadata is the one that was asked for (OpenID Connect Discovery §4.3). */
  readonly accepts: (issuer: string) => boolean
  readonly limits: KeyLimits
}

/** Gets metadata and keys. @throws DocumentsRefused */
export async function fetchDocuments(source: DocumentSource, signal: AbortSignal): Promise<ProviderDocuments> {
  const metadata = source.metadata ?? (await getJson(source, source.discoveryUrl, signal))
  checkIssuer(source, metadata) // before anything that it says is followed
  const keys = await getJson(source, jwksUri(metadata, source.discoveryUrl), signal)
  return readDocuments(source, metadata, keys)
}

function checkIssuer({ accepts }: Pick<DocumentSource, 'accepts'>, metadata: JsonValue): string {
  const issuer = isObject(metadata) ? metadata['issuer'] : undefined
  if (typeof issuer !== 'string' || !accepts(issuer)) throw new DocumentsRefused('the metadata is of another issuer')
  return issuer
}

/** Checks metadata and keys, fetched or kept. @throws DocumentsRefused */
export function readDocuments(
  source: Pick<DocumentSource, 'discoveryUrl' | 'accepts'>,
  metadata: JsonValue,
  set: JsonValue,
): ProviderDocuments {
  const { discoveryUrl } = source
  const issuer = checkIssuer(source, metadata)
  if (!isObject(metadata)) throw new DocumentsRefused('the metadata is not an object')
  const { cloud_instance_name: cloudInstance } = metadata
  if (cloudInstance !== undefined && typeof cloudInstance !== 'string') throw new DocumentsRefused('`cloud_instance_name` is not a string')
  jwksUri(metadata, discoveryUrl)
  const keys = readKeySet(set)
  if ('refused' in keys) throw new DocumentsRefused(`the key set is refused: ${keys.refused}`)
  const endpoint = (name: string): string | undefined => {
    const url = metadata[name]
    return typeof url === 'string' && isSecure(url, discoveryUrl) ? url : undefined
  }
  return {
    metadata: {
      issuer,
      authorizationEndpoint: endpoint('authorization_endpoint'),
      tokenEndpoint: endpoint('token_endpoint'),
      endSessionEndpoint: endpoint('end_session_endpoint'),
      secretIn: secretIn(metadata['token_endpoint_auth_methods_supported']),
      issInResponse: metadata['authorization_response_iss_parameter_supported'] === true,
    },
    cloudInstance,
    keys,
    raw: { metadata, keys: set },
  }
}

function secretIn(methods: JsonValue | undefined): ProviderMetadata['secretIn'] {
  const supported: readonly JsonValue[] = Array.isArray(methods) ? methods : []
  return supported.includes('client_secret_post') && !supported.includes('client_secret_basic') ? 'body' : 'header'
}

function jwksUri(metadata: JsonValue, discoveryUrl: string): string {
  const uri = isObject(metadata) ? metadata['jwks_uri'] : undefined
  if (typeof uri !== 'string' || !isSecure(uri, discoveryUrl)) throw new DocumentsRefused('`jwks_uri` is not an https URL')
  return uri
}

/** https always; plain http on loopback only where the metadata came from there too. */
function isSecure(text: string, discoveryUrl: string): boolean {
  if (!URL.canParse(text)) return false
  const url = new URL(text)
  if (url.username !== '' || url.password !== '') return false
  if (url.protocol === 'https:') return true
  return url.protocol === 'http:' && isLoopbackHost(url.hostname) && new URL(discoveryUrl).protocol === 'http:'
}

/** One document: no redirect, no more than the limit, no longer than the limit. */
async function getJson({ fetch, clock, limits }: DocumentSource, url: string, signal: AbortSignal): Promise<JsonValue> {
  const late = new AbortController()
  const timer = clock.after(limits.timeout, () => late.abort())
  const aborted = AbortSignal.any([signal, late.signal])
  try {
    const response = await fetch(url, { redirect: 'error', signal: aborted, headers: { accept: 'application/json' } })
    if (response.status !== 200) {
      await response.body?.cancel()
      throw new DocumentsRefused(`it answered ${response.status}`)
    }
    const body = await readBody(response, limits.maxBytes)
    if (body === undefined) throw new DocumentsRefused(`a document is larger than ${limits.maxBytes} bytes`)
    const value = readJson(body)
    if (value === undefined) throw new DocumentsRefused('a document is not JSON, or holds a name twice')
    return value
  } catch (error) {
    if (error instanceof DocumentsRefused) throw error
    if (late.signal.aborted) throw new DocumentsRefused(`no answer within ${limits.timeout} ms`)
    throw new DocumentsRefused(causeOf(error))
  } finally {
    timer.cancel()
  }
}

/** The code of a failed connection (`ECONNREFUSED`), never its text. */
function causeOf(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) {
    const { code } = at as { readonly code?: unknown }
    if (typeof code === 'string') return code
    if (/redirect/.test(at.message)) return 'it redirects'
  }
  return 'no connection'
}
