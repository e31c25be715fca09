import { createHash, generateKeyPair, X509Certificate, type JsonWebKey } from 'node:crypto'
import { promisify } from 'node:util'
import type { Clock } from '../../core/clock.ts'

/** A signing key as it is kept: its private JWK and the certificate that publishes it. */
export interface SigningKey {
  /** As in Entra, the SHA-1 thumbprint of the certificate, which is `x5t` too. */
  readonly kid: string
  readonly privateJwk: JsonWebKey
  /** DER, base64. */
  readonly certificate: string
  /** Milliseconds since the epoch. */
  readonly createdAt: number
}

/** Keys kept beside the newest, so that tokens from before a rotation stay good. */
export const OLD_KEYS_KEPT = 3

/** Makes an RSA key of 2048 bits with a certificate, the only use of which is to be named by. */
export async function makeSigningKey(clock: Clock): Promise<SigningKey> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
  await import('reflect-metadata')
  const { X509CertificateGenerator } = await import('@peculiar/x509')
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=Ostiary demo identity provider (demo and tests only)',
    notBefore: new Date(clock.now() - 86_400_000),
    notAfter: new Date(clock.now() + 5 * 365 * 86_400_000),
    signingAlgorithm: algorithm,
    keys: { publicKey: publicKey.toCryptoKey(algorithm, true, ['verify']), privateKey: privateKey.toCryptoKey(algorithm, true, ['sign']) },
  })
  const der = Buffer.from(certificate.rawData)
  return {
    kid: createHash('sha1').update(der).digest('base64url'),
    privateJwk: privateKey.export({ format: 'jwk' }),
    certificate: der.toString('base64'),
    createdAt: clock.now(),
  }
}

/** True for what {@link makeSigningKey} made, as far as a file can be trusted to still hold it. */
export function isSigningKey(value: unknown): value is SigningKey {
  const key = value as Partial<SigningKey> | null
  if (typeof key?.kid !== 'string' || typeof key.certificate !== 'string' || typeof key.createdAt !== 'number') return false
  if (key.privateJwk?.kty !== 'RSA' || typeof key.privateJwk.d !== 'string') return false
  try {
    return new X509Certificate(Buffer.from(key.certificate, 'base64')).raw.length > 0
  } catch {
    return false
  }
}

/** The public half as Entra's v1 endpoint shows it: without `alg`, with the certificate. */
export function publicJwkV1({ kid, privateJwk, certificate }: SigningKey): JsonWebKey & Record<string, unknown> {
  return { kty: 'RSA', use: 'sig', kid, x5t: kid, n: privateJwk.n!, e: privateJwk.e!, x5c: [certificate] }
}

/** Name of the cloud that keys and metadata carry, so that those of another cloud are told apart. */
export const CLOUD_INSTANCE = 'demo.ostiary.localhost'

/** The same with its `issuer`, which is a template, and its cloud: the v2 endpoint says of each key whom it may speak for. */
export function publicJwkV2(key: SigningKey, authority: string): JsonWebKey & Record<string, unknown> {
  return { ...publicJwkV1(key), issuer: `${authority}/{tenantid}/v2.0`, cloud_instance_name: CLOUD_INSTANCE }
}

/** The keys of the provider: one that signs, and older ones that are still published. */
export class KeyRing {
  readonly #keep: (keys: readonly SigningKey[]) => void
  #keys: readonly SigningKey[]

  /** `keep` is told of every change, to store it. */
  constructor(keys: readonly [SigningKey, ...SigningKey[]], keep: (keys: readonly SigningKey[]) => void = () => {}) {
    this.#keys = keys
    this.#keep = keep
  }

  /** Newest first. */
  get all(): readonly SigningKey[] {
    return this.#keys
  }

  get signing(): SigningKey {
    return this.#keys[0]!
  }

  /** Puts `key` in front and drops the oldest beyond {@link OLD_KEYS_KEPT}. */
  rotate(key: SigningKey): void {
    this.#keys = [key, ...this.#keys].slice(0, OLD_KEYS_KEPT + 1)
    this.#keep(this.#keys)
  }
}
