/** Authorities and certificates for tests, made by @peculiar/x509: nothing here knows the gateway's own code. */
import { createHash, generateKeyPairSync, type KeyObject, type webcrypto } from 'node:crypto'

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

export interface Pair {
  /** PEM. */
  readonly cert: string
  readonly key: string
  readonly der: Buffer
  /** SHA-256 of the DER form, base64url. */
  readonly thumbprint: string
  readonly privateKey: KeyObject
}

export interface Leaf {
  readonly subject?: string
  readonly names?: readonly { readonly type: 'dns' | 'url' | 'email' | 'ip'; readonly value: string }[]
  readonly authority?: boolean
  /** Milliseconds since the epoch. */
  readonly from?: number
  readonly until?: number
  /** OIDs of extended key usage; default: TLS client. */
  readonly usages?: readonly string[]
}

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'

let serial = 0

async function make(by: Pair | undefined, leaf: Leaf): Promise<Pair> {
  await import('reflect-metadata')
  const x509 = await import('@peculiar/x509')
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const crypto = (key: KeyObject): webcrypto.CryptoKey => key.toCryptoKey(ECDSA, true, [key.type === 'private' ? 'sign' : 'verify'])
  const { keyCertSign, cRLSign, digitalSignature } = x509.KeyUsageFlags
  const isAuthority = leaf.authority === true
  const subject = leaf.subject ?? ''
  const made = await x509.X509CertificateGenerator.create({
    subject,
    issuer: by === undefined ? subject : new x509.X509Certificate(by.der).subject,
    serialNumber: (0x1000 + serial++).toString(16),
    notBefore: new Date(leaf.from ?? Date.UTC(2020, 0, 1)),
    notAfter: new Date(leaf.until ?? Date.UTC(2049, 0, 1)),
    signingAlgorithm: ECDSA,
    signingKey: crypto(by?.privateKey ?? privateKey),
    publicKey: crypto(publicKey),
    extensions: [
      new x509.BasicConstraintsExtension(isAuthority, undefined, true),
      isAuthority ? new x509.KeyUsagesExtension(keyCertSign | cRLSign, true) : new x509.KeyUsagesExtension(digitalSignature, true),
      ...(isAuthority ? [] : [new x509.ExtendedKeyUsageExtension([...(leaf.usages ?? [CLIENT_AUTH])])]),
      ...(leaf.names === undefined ? [] : [new x509.SubjectAlternativeNameExtension([...leaf.names])]),
      await x509.SubjectKeyIdentifierExtension.create(crypto(publicKey)),
    ],
  })
  const der = Buffer.from(made.rawData)
  return {
    cert: `${made.toString('pem')}\n`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    der,
    thumbprint: createHash('sha256').update(der).digest('base64url'),
    privateKey,
  }
}

/** An authority of its own. */
export function testAuthority(name: string, more: Leaf = {}): Promise<Pair> {
  return make(undefined, { subject: `CN=${name}`, authority: true, ...more })
}

/** A certificate that `by` vouches for; with `authority`, one that may vouch for others in turn. */
export function certifiedBy(by: Pair, leaf: Leaf): Promise<Pair> {
  return make(by, leaf)
}
