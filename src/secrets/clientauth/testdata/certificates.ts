/** Certificates for tests, signed by themselves, as a client registers them. */
import { createPrivateKey, webcrypto } from 'node:crypto'

export interface TestCertificate {
  readonly cert: string
  readonly key: string
  /** SHA-1 and SHA-256 of the certificate, base64url. */
  readonly x5t: string
  readonly x5tS256: string
}

/** @param from and until: milliseconds since the epoch. */
export async function testCertificate(from: number, until: number, kind: 'rsa' | 'ec' = 'rsa'): Promise<TestCertificate> {
  await import('reflect-metadata')
  const x509 = await import('@peculiar/x509')
  const algorithm =
    kind === 'rsa'
      ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', publicExponent: new Uint8Array([1, 0, 1]), modulusLength: 2048 }
      : { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
  const made = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01',
    name: 'CN=gateway',
    notBefore: new Date(from),
    notAfter: new Date(until),
    signingAlgorithm: algorithm,
    keys,
  })
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey))
  const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }).export({ type: 'pkcs8', format: 'pem' }) as string
  const hash = async (name: string): Promise<string> => Buffer.from(await webcrypto.subtle.digest(name, made.rawData)).toString('base64url')
  return { cert: made.toString('pem'), key, x5t: await hash('SHA-1'), x5tS256: await hash('SHA-256') }
}
