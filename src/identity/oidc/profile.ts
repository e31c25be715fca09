import type { JsonObject } from '../jose/json.ts'
import { Refusal } from '../jose/refusal.ts'
import { checkAudience, readText } from '../signed.ts'
import { readClient } from './parties.ts'

/** How a provider writes its access tokens, where that differs from RFC 9068. Every function may throw a Refusal. */
export interface Profile {
  /** Whether access tokens have this `typ` in their header; it is in lower case, and without `application/`. */
  readonly hasType: (type: string | undefined) => boolean
  /** Refuses what is no access token, by its claims. */
  readonly checkAccess: (payload: JsonObject) => void
  /** The accepted audience that the token is for. */
  readonly audience: (payload: JsonObject, accepted: ReadonlySet<string>) => string
  readonly subject: (payload: JsonObject) => string
  /** The client that got the token. */
  readonly client: (payload: JsonObject) => string | undefined
  /** A token without a client is refused. */
  readonly clientRequired: boolean
  /** Whether the client got the token for itself. */
  readonly appOnly: (payload: JsonObject, subject: string, client: string | undefined) => boolean
  /** The payload with the claims that the provider keeps elsewhere. */
  readonly derive: (payload: JsonObject, audience: string) => JsonObject
}

/** RFC 9068, to the letter. */
export const rfc9068: Profile = {
  hasType: (type) => type === 'at+jwt',
  checkAccess: refuseIdTokens,
  audience: ({ aud }, accepted) => checkAudience(aud, accepted),
  subject: (payload) => readText(payload, 'sub'),
  client: readClient,
  clientRequired: true,
  // §2.2: the subject of a token that a client got for itself is the client.
  appOnly: (payload, subject, client) => client !== undefined && subject === client && payload['act'] === undefined,
  derive: (payload) => payload,
}

/** The same for providers that mark neither type nor client. */
export const plainJwt: Profile = { ...rfc9068, hasType: isPlain, clientRequired: false }

/** `typ` of an access token, where it may also be marked as any JWT is, or not at all. */
export function isPlain(type: string | undefined): boolean {
  return type === undefined || type === 'jwt' || type === 'at+jwt'
}

/** `typ` of an access token in its payload, as Keycloak and others write it. @throws Refusal `id-token`, `token-type` */
export function refuseIdTokens(payload: JsonObject): void {
  if (looksLikeIdToken(payload)) throw new Refusal('id-token')
  const { typ } = payload
  if (typ !== undefined && !(typeof typ === 'string' && /^(bearer|jwt|at\+jwt)$/i.test(typ))) throw new Refusal('token-type')
}

/** What no access token carries: hashes of what came with it, or a nonce without a client. Keycloak says `typ: ID` in the payload. */
function looksLikeIdToken(payload: JsonObject): boolean {
  if (payload['typ'] === 'ID' || 'at_hash' in payload || 'c_hash' in payload || 's_hash' in payload) return true
  if ('nonce' in payload && !('client_id' in payload)) return true
  const { aud, azp } = payload
  return (
    !('scope' in payload) &&
    !('scp' in payload) &&
    !('client_id' in payload) &&
    azp !== undefined &&
    (Array.isArray(aud) ? aud[0] : aud) === azp
  )
}
