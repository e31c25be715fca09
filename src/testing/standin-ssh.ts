/**
 * A stand-in for OpenSSH: keys, an authority that certifies them, and `ssh-keygen -Y sign`, after PROTOCOL.certkeys, PROTOCOL.sshsig and
 * PROTOCOL.u2f. It writes what it is told, also what OpenSSH never would. Nothing here knows the gateway's own code.
 */
import { constants, createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'

export type StandinKind = 'ed25519' | 'p256' | 'p384' | 'p521' | 'rsa' | 'sk-ed25519' | 'sk-p256'

export interface StandinKey {
  readonly type: string
  /** Type of a certificate of it. */
  readonly certificateType: string
  /** What stands after the type. */
  readonly fields: Buffer
  readonly blob: Buffer
  readonly privateKey: KeyObject
  /** A line of `authorized_keys`. */
  readonly line: string
  /** `SHA256:…` */
  readonly fingerprint: string
  readonly application: string | undefined
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(value)
  return bytes
}

export function str(value: Uint8Array | string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([u32(bytes.length), bytes])
}

export function mpint(value: Uint8Array): Buffer {
  let at = 0
  while (at < value.length && value[at] === 0) at++
  const bytes = Buffer.from(value.subarray(at))
  return str((bytes[0] ?? 0) > 0x7f ? Buffer.concat([Buffer.of(0), bytes]) : bytes)
}

const CURVES = { p256: ['prime256v1', 'nistp256'], p384: ['secp384r1', 'nistp384'], p521: ['secp521r1', 'nistp521'] } as const

function curveFields(privateKey: KeyObject, name: string): Buffer {
  const { x = '', y = '' } = privateKey.export({ format: 'jwk' })
  return Buffer.concat([str(name), str(Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]))])
}

/** @param bits Of an RSA key. */
export function standinKey(kind: StandinKind, { bits = 2048, application = 'ssh:' } = {}): StandinKey {
  const fido = kind.startsWith('sk-')
  const plain = kind.replace('sk-', '') as 'ed25519' | 'p256' | 'p384' | 'p521' | 'rsa'
  let name: string
  let privateKey: KeyObject
  let fields: Buffer
  if (plain === 'ed25519') {
    ;({ privateKey } = generateKeyPairSync('ed25519'))
    name = 'ssh-ed25519'
    fields = str(Buffer.from(privateKey.export({ format: 'jwk' }).x!, 'base64url'))
  } else if (plain === 'rsa') {
    ;({ privateKey } = generateKeyPairSync('rsa', { modulusLength: bits }))
    const { e = '', n = '' } = privateKey.export({ format: 'jwk' })
    name = 'ssh-rsa'
    fields = Buffer.concat([mpint(Buffer.from(e, 'base64url')), mpint(Buffer.from(n, 'base64url'))])
  } else {
    const [namedCurve, curve] = CURVES[plain]
    ;({ privateKey } = generateKeyPairSync('ec', { namedCurve }))
    name = `ecdsa-sha2-${curve}`
    fields = curveFields(privateKey, curve)
  }
  const type = fido ? `sk-${name}@openssh.com` : name
  if (fido) fields = Buffer.concat([fields, str(application)])
  const blob = Buffer.concat([str(type), fields])
  return {
    type,
    certificateType: `${fido ? `sk-${name}` : name}-cert-v01@openssh.com`,
    fields,
    blob,
    privateKey,
    line: `${type} ${blob.toString('base64')} stand-in\n`,
    fingerprint: `SHA256:${createHash('sha256').update(blob).digest('base64').replaceAll('=', '')}`,
    application: fido ? application : undefined,
  }
}

export interface StandinSigning {
  /** Of an RSA key; default `rsa-sha2-512`. */
  readonly algorithm?: string
  /** Of a FIDO key: default 1, touched. */
  readonly flags?: number
  /** After the signature, within it. */
  readonly trailing?: string
}

/** A signature as SSH writes it. */
export function standinSignature(key: StandinKey, data: Uint8Array, { algorithm, flags = 1, trailing = '' }: StandinSigning = {}): Buffer {
  const type = algorithm ?? (key.type === 'ssh-rsa' ? 'rsa-sha2-512' : key.type)
  const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()
  const tail = Buffer.concat([Buffer.of(flags), u32(7)])
  const signed = key.application === undefined ? data : Buffer.concat([sha256(Buffer.from(key.application)), tail, sha256(data)])
  const fido = key.application === undefined ? Buffer.alloc(0) : tail
  return Buffer.concat([str(type), str(rawSignature(key, type, signed)), fido, Buffer.from(trailing)])
}

function rawSignature({ type, privateKey }: StandinKey, algorithm: string, data: Uint8Array): Buffer {
  if (type.includes('ed25519')) return sign(null, data, privateKey)
  if (type === 'ssh-rsa') {
    const hash = { 'rsa-sha2-256': 'sha256', 'ssh-rsa': 'sha1' }[algorithm] ?? 'sha512'
    return sign(hash, data, { key: privateKey, padding: constants.RSA_PKCS1_PADDING })
  }
  const hash = type.includes('nistp384') ? 'sha384' : type.includes('nistp521') ? 'sha512' : 'sha256'
  const both = sign(hash, data, { key: privateKey, dsaEncoding: 'ieee-p1363' })
  const half = both.length / 2
  return Buffer.concat([mpint(both.subarray(0, half)), mpint(both.subarray(half))])
}

export interface StandinCertificate {
  readonly by: StandinKey
  readonly key: StandinKey
  readonly keyId?: string | Uint8Array
  readonly principals?: readonly (string | Uint8Array)[]
  readonly serial?: bigint
  /** 1 for users, 2 for hosts. */
  readonly kind?: number
  /** Seconds since the epoch. */
  readonly validAfter?: bigint
  readonly validBefore?: bigint
  /** Names with what stands there; an empty text for a flag. In this order. */
  readonly criticalOptions?: readonly (readonly [string, string])[]
  readonly extensions?: readonly (readonly [string, string])[]
  readonly reserved?: string
  readonly certificateType?: string
  readonly signing?: StandinSigning
  /** Signs in place of `by`, whose key still stands there. */
  readonly signer?: StandinKey
  /** After the signature. */
  readonly trailing?: string
}

/** From long ago until long after any clock of a test. */
export const STANDIN_VALID = { after: 1_700_000_000n, before: 4_000_000_000n } as const

export function standinCertificate(certificate: StandinCertificate): Buffer {
  const { by, key, keyId = 'reader-key', principals = ['reader'], serial = 7n, kind = 1 } = certificate
  const { validAfter = STANDIN_VALID.after, validBefore = STANDIN_VALID.before, criticalOptions = [] } = certificate
  const { extensions = [['permit-pty', '']], reserved = '', certificateType = key.certificateType } = certificate
  const options = (all: readonly (readonly [string, string])[]): Buffer =>
    str(Buffer.concat(all.flatMap(([name, data]) => [str(name), str(data === '' ? '' : str(data))])))
  const signed = Buffer.concat([
    str(certificateType),
    str(Buffer.alloc(32, 1)),
    key.fields,
    u64(serial),
    u32(kind),
    str(keyId),
    str(Buffer.concat(principals.map(str))),
    u64(validAfter),
    u64(validBefore),
    options(criticalOptions),
    options(extensions),
    str(reserved),
    str(by.blob),
  ])
  const signature = standinSignature(certificate.signer ?? by, signed, certificate.signing)
  return Buffer.concat([signed, str(signature), Buffer.from(certificate.trailing ?? '')])
}

export interface StandinSshSig {
  readonly key: StandinKey
  readonly message: Uint8Array | string
  readonly namespace?: string
  readonly hash?: string
  readonly reserved?: string
  readonly version?: number
  /** What stands there as the public key. */
  readonly publicKey?: Buffer
  readonly signing?: StandinSigning
  readonly trailing?: string
}

/** What `ssh-keygen -Y sign` writes, without its armour. */
export function standinSshSig(sig: StandinSshSig): Buffer {
  const { key, message, namespace = 'ostiary@ostiary.dev', hash = 'sha512', reserved = '', version = 1, publicKey = key.blob } = sig
  const digest = createHash(hash).update(message).digest()
  const head = Buffer.concat([str(namespace), str(reserved), str(hash)])
  const signature = standinSignature(key, Buffer.concat([Buffer.from('SSHSIG'), head, str(digest)]), sig.signing)
  return Buffer.concat([Buffer.from('SSHSIG'), u32(version), str(publicKey), head, str(signature), Buffer.from(sig.trailing ?? '')])
}

/** The three parts of a token, put together. */
export function standinSshToken(certificate: Uint8Array, message: Uint8Array | string, sshsig: Uint8Array, trailing = ''): string {
  const parts = Buffer.concat([str(certificate), str(message), str(sshsig), Buffer.from(trailing)])
  return `ostiary-ssh.${parts.toString('base64url')}`
}

/** The message for a gateway. @param at Milliseconds since the epoch. */
export function standinSshMessage(audience: string, at: number, nonce = 'AAAAAAAAAAAAAAAAAAAAAA'): string {
  return `ostiary-ssh-v1\naudience ${audience}\nissued ${Math.floor(at / 1000)}\nnonce ${nonce}\n`
}
