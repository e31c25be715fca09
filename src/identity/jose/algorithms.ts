/** The signature algorithms of RFC 7518 §3.1 and RFC 8037 that can be verified with a public key. */
export const algorithmNames = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] as const
export type AlgorithmName = (typeof algorithmNames)[number]

/** What an algorithm demands of its key and of node:crypto. */
export interface Algorithm {
  /** Kinds of key, as `KeyObject.asymmetricKeyType` names them. */
  readonly keyType: 'rsa' | 'ec' | 'ed25519'
  /** OpenSSL's name of the curve, where it is bound to one. */
  readonly curve: string | undefined
  readonly hash: string | null
  /** Octets of the salt of RSASSA-PSS: as many as its hash has (RFC 7518 §3.5). */
  readonly saltLength: number | undefined
  /** Bytes of a signature; for RSA it is the modulus' length. */
  readonly length: number | undefined
}

const rsa = (hash: string, saltLength?: number): Algorithm => ({ keyType: 'rsa', curve: undefined, hash, saltLength, length: undefined })
const ecdsa = (hash: string, curve: string, length: number): Algorithm => ({ keyType: 'ec', curve, hash, saltLength: undefined, length })

export const algorithms: ReadonlyMap<string, Algorithm> = new Map<AlgorithmName, Algorithm>([
  ['RS256', rsa('sha256')],
  ['RS384', rsa('sha384')],
  ['RS512', rsa('sha512')],
  ['PS256', rsa('sha256', 32)],
  ['PS384', rsa('sha384', 48)],
  ['PS512', rsa('sha512', 64)],
  ['ES256', ecdsa('sha256', 'prime256v1', 64)],
  ['ES384', ecdsa('sha384', 'secp384r1', 96)],
  ['ES512', ecdsa('sha512', 'secp521r1', 132)],
  ['EdDSA', { keyType: 'ed25519', curve: undefined, hash: null, saltLength: undefined, length: 64 }],
])
