/** An authority of its own and a certificate for the names given, for one run. */
import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { SubjectAlternativeNameExtension, BasicConstraintsExtension, X509CertificateGenerator } from '@peculiar/x509'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const DAY = 86_400_000

export interface Certificates {
  readonly ca: string
  readonly certificate: string
  readonly privateKey: string
}

/** PEM texts; good for a day around now. */
export async function makeCertificates(names: readonly string[]): Promise<Certificates> {
  const { subtle } = webcrypto
  const times = { notBefore: new Date(Date.now() - DAY), notAfter: new Date(Date.now() + DAY) }
  const authority = await subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const own = await subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const root = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=corpus authority',
    serialNumber: '01',
    ...times,
    keys: authority,
    signingAlgorithm: ALGORITHM,
    extensions: [new BasicConstraintsExtension(true, 0, true)],
  })
  const leaf = await X509CertificateGenerator.create({
    subject: 'CN=gateway',
    issuer: root.subject,
    serialNumber: '02',
    ...times,
    publicKey: own.publicKey,
    signingKey: authority.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [new SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value })))],
  })
  const pkcs8 = Buffer.from(await subtle.exportKey('pkcs8', own.privateKey)).toString('base64')
  return {
    ca: root.toString('pem'),
    certificate: leaf.toString('pem'),
    privateKey: `-----BEGIN PRIVATE KEY-----\n${pkcs8.replaceAll(/.{64}/g, '$&\n').trimEnd()}\n-----END PRIVATE KEY-----\n`,
  }
}
