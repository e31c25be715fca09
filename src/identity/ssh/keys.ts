/** Public keys as SSH writes them (RFC 4253 §6.6, RFC 5656 §3.1, RFC 8709 §4, OpenSSH's PROTOCOL.u2f). */
import { hash } from 'node:crypto'
import { readKey, type VerificationKey } from '../jose/jwk.ts'
import type { AlgorithmName } from '../jose/algorithms.ts'
import type { JsonObject } from '../jose/json.ts'
import { Refusal } from '../jose/refusal.ts'
import { WireReader, wireString } from './wire.ts'

/** A public key that can be verified with. */
export interface SshKey {
  /** As `ssh-ed25519`; of a certificate's key, that of the key alone. */
  readonly type: string
  /** The key alone, as it is written. */
  readonly blob: Buffer
  /** `SHA256:…`, as `ssh-keygen -l` shows it. */
  readonly fingerprint: string
  readonly key: VerificationKey
  /** Algorithms of its signatures, and what they are. */
  readonly algorithms: ReadonlyMap<string, AlgorithmName>
  /** Of a key in a FIDO authenticator, what it was made for. */
  readonly application: string | undefined
}

interface KeyType {
  readonly algorithms: ReadonlyMap<string, AlgorithmName>
  readonly jwk: (reader: WireReader) => JsonObject
  /** Whether it is in a FIDO authenticator. */
  readonly fido: boolean
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')

const ED25519 = (reader: WireReader): JsonObject => ({ kty: 'OKP', crv: 'Ed25519', x: text(reader.string()) })

const ec =
  (name: string, crv: string, length: number) =>
  (reader: WireReader): JsonObject => {
    if (reader.name() !== name) throw new Refusal('malformed')
    const point = reader.string()
    // Uncompressed only, as RFC 5656 §3.1 lets an implementation do; that it is on the curve is seen when the key is made.
    if (point.length !== 1 + 2 * length || point[0] !== 4) throw new Refusal('malformed')
    return { kty: 'EC', crv, x: text(point.subarray(1, 1 + length)), y: text(point.subarray(1 + length)) }
  }

const P256 = ec('nistp256', 'P-256', 32)

function rsa(reader: WireReader): JsonObject {
  const e = text(reader.positive())
  return { kty: 'RSA', e, n: text(reader.positive()) }
}

function keyType(jwk: KeyType['jwk'], algorithms: Readonly<Record<string, AlgorithmName>>, fido = false): KeyType {
  return { jwk, algorithms: new Map(Object.entries(algorithms)), fido }
}

/** By the name of the key alone. DSA isn't among them, and neither is `ssh-rsa` as a signature: it is over SHA-1 (RFC 8332 §2). */
const TYPES: ReadonlyMap<string, KeyType> = new Map([
  ['ssh-ed25519', keyType(ED25519, { 'ssh-ed25519': 'EdDSA' })],
  ['ecdsa-sha2-nistp256', keyType(P256, { 'ecdsa-sha2-nistp256': 'ES256' })],
  ['ecdsa-sha2-nistp384', keyType(ec('nistp384', 'P-384', 48), { 'ecdsa-sha2-nistp384': 'ES384' })],
  ['ecdsa-sha2-nistp521', keyType(ec('nistp521', 'P-521', 66), { 'ecdsa-sha2-nistp521': 'ES512' })],
  ['ssh-rsa', keyType(rsa, { 'rsa-sha2-256': 'RS256', 'rsa-sha2-512': 'RS512' })],
  ['sk-ssh-ed25519@openssh.com', keyType(ED25519, { 'sk-ssh-ed25519@openssh.com': 'EdDSA' }, true)],
  ['sk-ecdsa-sha2-nistp256@openssh.com', keyType(P256, { 'sk-ecdsa-sha2-nistp256@openssh.com': 'ES256' }, true)],
])

/** The type of the key in a certificate of this type (PROTOCOL.certkeys); undefined where it is none. */
export function certifiedType(type: string): string | undefined {
  const [, name = '', domain = ''] = /^(.+)-cert-v01(@openssh\.com)$/.exec(type) ?? []
  if (TYPES.has(name)) return name
  return TYPES.has(name + domain) ? name + domain : undefined
}

/**
 * Reads what makes a key of `type`, and nothing after it. Strength is judged as everywhere: RSA of 2048 bits and more, no weak exponent.
 * @throws Refusal `malformed`; `algorithm` for a kind or a strength that isn't accepted
 */
export function readKeyFields(type: string, bytes: Buffer, reader: WireReader): SshKey {
  const kind = TYPES.get(type)
  if (kind === undefined) throw new Refusal('algorithm')
  const from = reader.offset
  const jwk = kind.jwk(reader)
  const application = kind.fido ? reader.string() : undefined
  const key = readKey({ ...jwk, kid: 'ssh' })
  if (key === undefined) throw new Refusal('algorithm')
  const blob = Buffer.concat([wireString(type), bytes.subarray(from, reader.offset)])
  return {
    type,
    blob,
    fingerprint: fingerprintOf(blob),
    key,
    algorithms: kind.algorithms,
    application: application?.toString('latin1'),
  }
}

/** A public key alone. @throws Refusal `malformed`, `algorithm` */
export function readPublicBlob(bytes: Buffer): SshKey {
  const reader = new WireReader(bytes)
  const key = readKeyFields(reader.name(), bytes, reader)
  reader.end()
  return key
}

export function fingerprintOf(blob: Uint8Array): string {
  return `SHA256:${hash('sha256', blob, 'base64').replaceAll('=', '')}`
}
