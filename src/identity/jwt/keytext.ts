import { createHash, createPublicKey } from 'node:crypto'
import { isObject, readJsonText, type JsonObject, type JsonValue } from '../jose/json.ts'
import { readKeySet, type VerificationKey } from '../jose/jwk.ts'

/** Verification keys by their ids, or why none are taken from it. */
export type KeysRead = ReadonlyMap<string, VerificationKey> | { readonly refused: string }

const PEM_BLOCK = /-----BEGIN ([A-Z0-9 ]{1,40})-----[^-]*-----END \1-----/g
const PUBLIC = new Set(['PUBLIC KEY', 'RSA PUBLIC KEY'])

/**
 * Reads public keys as an operator writes them down: PEM (RFC 7468 §13, or PKCS #1), a JWK, or a JWK Set (RFC 7517). A key without an id
 * gets its thumbprint (RFC 7638); of PEM, `kid` may say another.
 */
export function readKeys(text: string, kid?: string): KeysRead {
  if (text.trimStart().startsWith('{')) {
    if (kid !== undefined) return { refused: 'keys in JSON have their own ids: leave out `kid`' }
    return readKeySet(asSet(readJsonText(text)))
  }
  return readPem(text, kid)
}

function asSet(value: JsonValue | undefined): JsonValue | undefined {
  if (!isObject(value)) return undefined
  const keys = 'kty' in value ? [value] : value['keys']
  return Array.isArray(keys) ? { keys: (keys as readonly JsonValue[]).map(named) } : value
}

/** The JWK with an id. One that can't be a key is left for the key set to refuse. */
function named(jwk: JsonValue): JsonValue {
  return isObject(jwk) && !('kid' in jwk) ? { ...jwk, kid: thumbprint(jwk) } : jwk
}

function readPem(text: string, kid: string | undefined): KeysRead {
  const blocks = [...text.matchAll(PEM_BLOCK)]
  if (blocks.length === 0) return { refused: 'it is neither PEM nor a JWK Set' }
  if (kid !== undefined && blocks.length > 1) return { refused: '`kid` names one key, and there are several' }
  const keys: JsonObject[] = []
  for (const [block, label = ''] of blocks) {
    if (label.includes('PRIVATE')) return { refused: 'it holds a private key' }
    if (!PUBLIC.has(label)) return { refused: `it holds a \`${label}\` instead of a public key` }
    try {
      const jwk = createPublicKey(block).export({ format: 'jwk' }) as JsonObject
      keys.push({ ...jwk, kid: kid ?? thumbprint(jwk) })
    } catch {
      return { refused: 'one of its keys can not be read' }
    }
  }
  return readKeySet({ keys })
}

/** RFC 7638 §3.2, and RFC 8037 §2 for Ed25519: the members that make the key, by name, and nothing else. */
function thumbprint(jwk: JsonObject): string {
  const members = ['crv', 'e', 'kty', 'n', 'x', 'y'].filter((name) => name in jwk).map((name) => [name, jwk[name]])
  return createHash('sha256')
    .update(JSON.stringify(Object.fromEntries(members)))
    .digest('base64url')
}
