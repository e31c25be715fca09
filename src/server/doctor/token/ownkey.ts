import { isObject, readJson, type JsonValue } from '../../../identity/jose/json.ts'
import type { Issuer } from '../../../identity/index.ts'
import { readBody } from '../../../secrets/body.ts'
import type { Decoded } from './decoded.ts'

const GUID = /^(?:api:\/\/)?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i
/** Longest document that is read, in bytes, and how long one may take, in milliseconds. */
const MAX_DOCUMENT = 1024 * 1024
const TIMEOUT = 5_000

/**
 * Whether Entra ID publishes this token's key for one application only (`?appid=`), as it does for those that have a signing key of
 * their own. Asks the issuer's own provider, at its own origin, and nobody else. False where it can't be told.
 */
export async function isKeyOfApplication(
  { header, payload }: Decoded,
  issuer: Issuer | undefined,
  through: typeof fetch,
): Promise<boolean> {
  const { kid } = header
  const { aud } = payload
  const application = typeof aud === 'string' ? GUID.exec(aud)?.[1] : undefined
  if (issuer?.kind !== 'entra' || application === undefined || typeof kid !== 'string') return false
  const read = async (url: string): Promise<JsonValue | undefined> => {
    const response = await through(url, { redirect: 'error', signal: AbortSignal.timeout(TIMEOUT) })
    const body = response.status === 200 ? await readBody(response, MAX_DOCUMENT) : undefined
    return body === undefined ? undefined : readJson(body)
  }
  try {
    const metadata = await read(`${issuer.discoveryUrl}?appid=${application}`)
    const uri = isObject(metadata) ? metadata['jwks_uri'] : undefined
    if (typeof uri !== 'string' || new URL(uri).origin !== new URL(issuer.discoveryUrl).origin) return false
    const set = await read(uri)
    const keys = isObject(set) ? set['keys'] : undefined
    return Array.isArray(keys) && (keys as readonly JsonValue[]).some((key) => isObject(key) && key['kid'] === kid)
  } catch {
    return false
  }
}
