import { createPublicKey, hash, type KeyObject } from 'node:crypto'
import { algorithms, type AlgorithmName } from './algorithms.ts'
import { isObject, type JsonObject, type JsonValue } from './json.ts'
import { hasRocaFingerprint } from './roca.ts'

/** A public key that a token may name, made once and used for every token that it signed. */
export interface VerificationKey {
  readonly kid: string
  readonly key: KeyObject
  /** Algorithms that this key may be used with: bound to its type and curve, and to the JWK's `alg` where it has one. */
  readonly algorithms: ReadonlySet<string>
  /** Bytes of a signature by it, where they are fixed. */
  readonly signatureLength: number | undefined
  /** Identifies the key's material (RFC 7638 in spirit): the same `kid` with another key is another key. */
  readonly material: string
  /** Entra's own members of a JWK: the issuer that the key may sign for, perhaps with `{tenantid}` in it, and its cloud. */
  readonly issuer: string | undefined
  readonly cloudInstance: string | undefined
}

/** Smallest RSA modulus accepted, in bits (RFC 7518 §3.3), and the largest: a longer one only burns time. */
export const MIN_RSA_BITS = 2048
export const MAX_RSA_BITS = 8192
/** Longest `kid` accepted, in bytes. */
export const MAX_KID = 256
/** Keys read from one set at most. */
export const MAX_KEYS = 100

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'] as const

/**
 * The verification keys of a JWK Set (RFC 7517 §5), or why the set is refused whole: a set that is ambiguous or carries
 * private or symmetric keys is not one to believe. Keys of unknown kinds, for other uses, or too weak are left out.
 */
export function readKeySet(set: JsonValue | undefined): ReadonlyMap<string, VerificationKey> | { readonly refused: string } {
  const list = isObject(set) ? set['keys'] : undefined
  if (!Array.isArray(list)) return { refused: 'it has no list of keys' }
  if (list.length > MAX_KEYS) return { refused: `it has more than ${MAX_KEYS} keys` }
  const keys = new Map<string, VerificationKey>()
  for (const jwk of list as readonly JsonValue[]) {
    if (!isObject(jwk)) return { refused: 'one of its keys is not an object' }
    if (jwk['kty'] === 'oct') return { refused: 'it holds a symmetric key' }
    if (PRIVATE_MEMBERS.some((member) => member in jwk)) return { refused: 'it holds a private key' }
    const key = readKey(jwk)
    if (key === undefined) continue
    if (keys.has(key.kid)) return { refused: 'two of its keys have the same kid' }
    keys.set(key.kid, key)
  }
  return keys.size === 0 ? { refused: 'it holds no key that can be used' } : keys
}

/** One public key; undefined if it can't or mustn't be used to verify signatures. */
export function readKey(jwk: JsonObject): VerificationKey | undefined {
  const { kid, use, key_ops: operations, alg, issuer, cloud_instance_name: cloudInstance } = jwk as Record<string, JsonValue | undefined>
  if (typeof kid !== 'string' || kid === '' || Buffer.byteLength(kid) > MAX_KID) return undefined
  if (use !== undefined && use !== 'sig') return undefined
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return undefined
  // Members that narrow what a key is for must be understood, or the key is not used.
  if (!isOptionalString(alg) || !isOptionalString(issuer) || !isOptionalString(cloudInstance)) return undefined
  const members = publicMembers(jwk)
  if (members === undefined) return undefined
  const key = toKeyObject(members)
  if (key === undefined) return undefined
  const usable = algorithmsOf(key).filter((name) => alg === undefined || alg === name)
  if (usable.length === 0) return undefined
  return {
    kid,
    key,
    algorithms: new Set<string>(usable),
    signatureLength: signatureLength(key),
    material: JSON.stringify([members, usable, issuer, cloudInstance]),
    issuer,
    cloudInstance,
  }
}

/** A public key that stands where it is used (RFC 7515 §4.1.3); undefined if it isn't public or can't be used. */
export function readPublicKey(jwk: JsonObject): VerificationKey | undefined {
  if (jwk['kty'] === 'oct' || PRIVATE_MEMBERS.some((member) => member in jwk)) return undefined
  return readKey({ ...jwk, kid: 'own' })
}

/** The thumbprint of a key (RFC 7638), SHA-256 in base64url. */
export function thumbprintOf({ key }: VerificationKey): string {
  const { crv, e, kty, n, x, y } = key.export({ format: 'jwk' })
  // Members in the order of their names, without those that the kind of key hasn't.
  return hash('sha256', JSON.stringify({ crv, e, kty, n, x, y }), 'base64url')
}

function isOptionalString(value: JsonValue | undefined): value is string | undefined {
  return value === undefined || typeof value === 'string'
}

/** Only what makes the key: nothing else of the JWK reaches node:crypto. */
function publicMembers(jwk: JsonObject): Record<string, string> | undefined {
  const { kty, crv, n, e, x, y } = jwk as Record<string, JsonValue | undefined>
  if (kty === 'RSA' && isOctets(n) && isOctets(e)) return { kty, n, e }
  if (kty === 'EC' && typeof crv === 'string' && isOctets(x) && isOctets(y)) return { kty, crv, x, y }
  if (kty === 'OKP' && crv === 'Ed25519' && isOctets(x)) return { kty, crv, x }
  return undefined
}

function isOctets(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && value !== '' && Buffer.from(value, 'base64url').toString('base64url') === value
}

function toKeyObject(members: Record<string, string>): KeyObject | undefined {
  let key: KeyObject
  try {
    key = createPublicKey({ key: members, format: 'jwk' })
  } catch {
    return undefined // a point that is not on its curve, an unknown curve
  }
  if (key.asymmetricKeyType !== 'rsa') return key
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {}
  if (modulusLength < MIN_RSA_BITS || modulusLength > MAX_RSA_BITS) return undefined
  // An exponent of 1 makes every message its own signature; one beyond 32 bits only burns time.
  if (publicExponent < 3n || publicExponent % 2n === 0n || publicExponent > 0xffff_ffffn) return undefined
  return hasRocaFingerprint(Buffer.from(members['n']!, 'base64url')) ? undefined : key
}

function algorithmsOf(key: KeyObject): AlgorithmName[] {
  const curve = key.asymmetricKeyDetails?.namedCurve
  return [...algorithms]
    .filter(([, wanted]) => wanted.keyType === key.asymmetricKeyType && (wanted.curve === undefined || wanted.curve === curve))
    .map(([name]) => name as AlgorithmName)
}

function signatureLength(key: KeyObject): number | undefined {
  const bits = key.asymmetricKeyDetails?.modulusLength
  return bits === undefined ? undefined : Math.ceil(bits / 8)
}
