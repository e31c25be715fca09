import { createHash, createPrivateKey, sign, X509Certificate, type KeyObject } from 'node:crypto'
import { CLOCK_SKEW_MS } from '../../core/clock.ts'
import { OstiaryError } from '../../core/errors.ts'

/** A certificate with its key, as a client proves itself with it. */
export interface ClientCertificate {
  readonly key: KeyObject
  /** SHA-1 and SHA-256 of the certificate, base64url (RFC 7515 §4.1.7 and §4.1.8). */
  readonly x5t: string
  readonly x5tS256: string
  /** Milliseconds since the epoch. */
  readonly notBefore: number
  readonly notAfter: number
}

export type AssertionAlgorithm = 'PS256' | 'RS256'

/** Life of an assertion, in seconds, and how far it begins in the past: the provider's clock may be behind. */
const LIFE_S = 300
const BEFORE_S = CLOCK_SKEW_MS / 1000
const MIN_BITS = 2048

/**
 * Reads a certificate and its private key from PEM. Of a chain the first one counts; both texts may be the same file.
 * @throws OstiaryError `secrets/certificate`
 */
export function readCertificate(cert: string, key: string): ClientCertificate {
  const unusable = (cause: string): OstiaryError => new OstiaryError('secrets/certificate', { cause })
  const certBlock = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/.exec(cert)?.[0]
  if (certBlock === undefined) throw unusable('there is no certificate in PEM')
  const keyBlock = /-----BEGIN ((?:[A-Z]+ )?PRIVATE KEY)-----[\s\S]*?-----END \1-----/.exec(key)?.[0]
  if (keyBlock === undefined) throw unusable('there is no private key in PEM')
  let certificate: X509Certificate
  let privateKey: KeyObject
  try {
    certificate = new X509Certificate(certBlock)
  } catch {
    throw unusable('the certificate can not be read')
  }
  try {
    privateKey = createPrivateKey(keyBlock)
  } catch {
    throw unusable(/ENCRYPTED/.test(keyBlock) ? 'the private key is encrypted' : 'the private key can not be read')
  }
  if (privateKey.asymmetricKeyType !== 'rsa' || (privateKey.asymmetricKeyDetails?.modulusLength ?? 0) < MIN_BITS)
    throw unusable(`the key is not RSA of at least ${MIN_BITS} bits`)
  if (!certificate.checkPrivateKey(privateKey)) throw unusable('certificate and key do not belong together')
  const hash = (algorithm: string): string => createHash(algorithm).update(certificate.raw).digest('base64url')
  return {
    key: privateKey,
    x5t: hash('sha1'),
    x5tS256: hash('sha256'),
    notBefore: certificate.validFromDate.getTime(),
    notAfter: certificate.validToDate.getTime(),
  }
}

export interface AssertionClaims {
  readonly clientId: string
  /** The token endpoint. */
  readonly audience: string
  readonly algorithm: AssertionAlgorithm
  /** `kid`, where the provider knows the key by one. */
  readonly keyId: string | undefined
  /** Never the same twice. */
  readonly id: string
  /** Milliseconds since the epoch. */
  readonly now: number
}

/**
 * An assertion that proves the client (RFC 7523 §3, OpenID Connect Core §9), good for less than five minutes. The certificate is named by
 * `x5t#S256` with PS256, and by `x5t` with RS256, which older registrations of Entra know alone.
 */
export function signAssertion({ key, x5t, x5tS256 }: ClientCertificate, claims: AssertionClaims): string {
  const { clientId, audience, algorithm, keyId, id, now } = claims
  const from = Math.floor(now / 1000) - BEFORE_S
  const header = {
    alg: algorithm,
    typ: 'JWT',
    ...(keyId === undefined ? {} : { kid: keyId }),
    ...(algorithm === 'PS256' ? { 'x5t#S256': x5tS256 } : { x5t }),
  }
  const payload = { aud: audience, iss: clientId, sub: clientId, jti: id, iat: from, nbf: from, exp: from + LIFE_S }
  const input = `${encode(header)}.${encode(payload)}`
  const padding = algorithm === 'PS256' ? { padding: 6 /* RSA_PKCS1_PSS_PADDING */, saltLength: 32 } : {}
  return `${input}.${sign('sha256', Buffer.from(input), { key, ...padding }).toString('base64url')}`
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
