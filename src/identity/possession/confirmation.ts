import type { Confirmation } from '../../core/principal.ts'
import { isObject, type JsonObject } from '../jose/json.ts'
import { Refusal } from '../jose/refusal.ts'

/** A SHA-256 in base64url. */
const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/

/**
 * The key that a token is bound to (RFC 7800): by DPoP (`jkt`, RFC 9449 §6.1) or by a client certificate (`x5t#S256`, RFC 8705 §3.1);
 * undefined for a bearer token. Whoever presents a bound token has to prove the key. @throws Refusal `token-type` for any other binding
 */
export function readConfirmation(payload: JsonObject): Confirmation | undefined {
  if (!('cnf' in payload)) return undefined
  const { cnf } = payload
  const members = isObject(cnf) ? Object.entries(cnf) : []
  const [name, thumbprint] = members[0] ?? []
  // Two bindings at once, or one that isn't understood: nobody could say that it is proven.
  if (members.length !== 1 || typeof thumbprint !== 'string' || !THUMBPRINT.test(thumbprint)) throw new Refusal('token-type')
  if (name === 'jkt') return { method: 'dpop', thumbprint }
  if (name === 'x5t#S256') return { method: 'mtls', thumbprint }
  throw new Refusal('token-type')
}
