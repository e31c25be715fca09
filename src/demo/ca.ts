import { createPrivateKey, generateKeyPairSync, X509Certificate, type KeyObject, type webcrypto } from 'node:crypto'
import { join } from 'node:path'
import type { Clock, Entropy } from '../core/clock.ts'
import { privateFolder, readIfThere, writePrivate } from './files.ts'

export interface DevCa {
  /** PEM of the authority alone: `curl --cacert`. */
  readonly caFile: string
  /** PEM of the server's certificate and its authority. */
  readonly certFile: string
  /** PEM of the server's key. */
  readonly keyFile: string
}

export interface DevCaOptions {
  readonly dataDir: string
  readonly clock: Clock
  readonly entropy: Entropy
  /** Names of the server besides `localhost`, all below `localhost`. Clients don't take `*.localhost`, so each is listed. */
  readonly names?: readonly string[]
}

const DAY = 86_400_000
/** Whoever trusts the authority in a browser shouldn't have to again too soon. */
const CA_LIFE = 730 * DAY
const CA_RENEW_BEFORE = 120 * DAY
const SERVER_LIFE = 90 * DAY
const SERVER_RENEW_BEFORE = 30 * DAY

const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const FILES = { ca: 'ca.pem', caKey: 'ca-key.pem', cert: 'server.pem', key: 'server-key.pem' } as const

/**
 * Makes what is missing or due of a development authority and a server certificate in `<dataDir>/dev-ca/`, keys readable
 * by their owner alone. The authority may vouch for `localhost`, names below it and loopback addresses, and for nothing
 * else, so trusting it risks little.
 * @throws OstiaryError `demo/data-dir`
 */
export async function ensureDevCa({ dataDir, clock, entropy, names = [] }: DevCaOptions): Promise<DevCa> {
  const folder = privateFolder(dataDir, 'dev-ca')
  const files = { caFile: join(folder, FILES.ca), certFile: join(folder, FILES.cert), keyFile: join(folder, FILES.key) }
  const wanted = [...new Set(['localhost', '*.localhost', ...names])]
  let authority = readPair(folder, FILES.ca, FILES.caKey)
  const server = readPair(folder, FILES.cert, FILES.key)
  const caGood = authority !== undefined && lasts(authority.certificate, clock, CA_RENEW_BEFORE)
  const serverGood =
    caGood &&
    server !== undefined &&
    lasts(server.certificate, clock, SERVER_RENEW_BEFORE) &&
    server.certificate.checkIssued(authority!.certificate) &&
    covers(server.certificate, wanted)
  if (serverGood) return files
  const make = await maker(clock, entropy)
  if (!caGood || authority === undefined) {
    authority = await make.authority()
    writePrivate(folder, FILES.caKey, pemOf(authority.key))
    writePrivate(folder, FILES.ca, authority.certificate.toString())
  }
  const fresh = await make.server(authority, wanted)
  writePrivate(folder, FILES.key, pemOf(fresh.key))
  writePrivate(folder, FILES.cert, fresh.certificate.toString() + authority.certificate.toString())
  return files
}

interface Pair {
  readonly certificate: X509Certificate
  readonly key: KeyObject
}

/** A certificate with the key that belongs to it; undefined where either is missing, broken or another's. */
function readPair(folder: string, certName: string, keyName: string): Pair | undefined {
  try {
    const certificate = new X509Certificate(readIfThere(folder, certName) ?? '')
    const key = createPrivateKey(readIfThere(folder, keyName) ?? '')
    return certificate.checkPrivateKey(key) ? { certificate, key } : undefined
  } catch {
    return undefined
  }
}

function lasts({ validFrom, validTo }: X509Certificate, clock: Clock, renewBefore: number): boolean {
  return Date.parse(validFrom) <= clock.now() && Date.parse(validTo) - clock.now() > renewBefore
}

function covers({ subjectAltName = '' }: X509Certificate, names: readonly string[]): boolean {
  const present = new Set(subjectAltName.split(', '))
  return names.every((name) => present.has(`DNS:${name}`))
}

function pemOf(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}

async function maker(
  clock: Clock,
  entropy: Entropy,
): Promise<{
  authority: () => Promise<Pair>
  server: (by: Pair, names: readonly string[]) => Promise<Pair>
}> {
  // The library finds its parts by reflection, and is loaded only where something has to be made.
  await import('reflect-metadata')
  const x509 = await import('@peculiar/x509')
  const newKeys = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const crypto = (key: KeyObject): webcrypto.CryptoKey => key.toCryptoKey(ECDSA, true, [key.type === 'private' ? 'sign' : 'verify'])
  const serial = (): string => `01${Buffer.from(entropy.bytes(15)).toString('hex')}`
  const validity = (life: number) => ({ notBefore: new Date(clock.now() - DAY), notAfter: new Date(clock.now() + life) })
  const finished = (certificate: { readonly rawData: ArrayBuffer }, key: KeyObject): Pair => ({
    certificate: new X509Certificate(Buffer.from(certificate.rawData)),
    key,
  })

  return {
    async authority() {
      const { publicKey, privateKey } = newKeys()
      const made = await x509.X509CertificateGenerator.createSelfSigned({
        name: 'CN=Ostiary development authority (this machine only)',
        serialNumber: serial(),
        ...validity(CA_LIFE),
        signingAlgorithm: ECDSA,
        keys: { publicKey: crypto(publicKey), privateKey: crypto(privateKey) },
        extensions: [
          new x509.BasicConstraintsExtension(true, 0, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
          new x509.Extension('2.5.29.30', true, loopbackOnly()),
          await x509.SubjectKeyIdentifierExtension.create(crypto(publicKey)),
        ],
      })
      return finished(made, privateKey)
    },
    async server(by, names) {
      const { publicKey, privateKey } = newKeys()
      const made = await x509.X509CertificateGenerator.create({
        subject: 'CN=localhost',
        issuer: new x509.X509Certificate(by.certificate.raw).subject,
        serialNumber: serial(),
        ...validity(SERVER_LIFE),
        signingAlgorithm: ECDSA,
        signingKey: crypto(by.key),
        publicKey: crypto(publicKey),
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
          new x509.SubjectAlternativeNameExtension([
            ...names.map((value) => ({ type: 'dns' as const, value })),
            { type: 'ip', value: '127.0.0.1' },
            { type: 'ip', value: '::1' },
          ]),
          await x509.SubjectKeyIdentifierExtension.create(crypto(publicKey)),
          await x509.AuthorityKeyIdentifierExtension.create(new x509.X509Certificate(by.certificate.raw)),
        ],
      })
      return finished(made, privateKey)
    },
  }
}

/** NameConstraints (RFC 5280 §4.2.1.10): permitted are `localhost` with what is below it, 127.0.0.0/8 and ::1. */
function loopbackOnly(): Uint8Array<ArrayBuffer> {
  const tlv = (tag: number, ...content: number[]): number[] => [tag, content.length, ...content]
  const subtree = (name: number[]): number[] => tlv(0x30, ...name)
  const ones = (count: number): number[] => Array.from({ length: count }, () => 0xff)
  const zeros = (count: number): number[] => Array.from({ length: count }, () => 0)
  const dns = tlv(0x82, ...Buffer.from('localhost'))
  const ipv4 = tlv(0x87, 127, 0, 0, 0, 255, 0, 0, 0)
  const ipv6 = tlv(0x87, ...zeros(15), 1, ...ones(16))
  return Uint8Array.from(tlv(0x30, ...tlv(0xa0, ...subtree(dns), ...subtree(ipv4), ...subtree(ipv6))))
}
