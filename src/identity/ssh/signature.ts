import { createHash } from 'node:crypto'
import { algorithms } from '../jose/algorithms.ts'
import { Refusal } from '../jose/refusal.ts'
import { isSigned } from '../jose/signature.ts'
import type { SshKey } from './keys.ts'
import { WireReader, wireString } from './wire.ts'

/** What a FIDO authenticator says of the moment in which it signed (PROTOCOL.u2f, WebAuthn §6.1). */
export interface FidoFlags {
  /** Somebody touched it. */
  readonly present: boolean
  /** It knew by PIN or finger who. */
  readonly verified: boolean
}

/** A signature that is good. */
export interface Signature {
  /** As it names it: `ssh-ed25519`, `rsa-sha2-512`. */
  readonly algorithm: string
  /** Undefined for a key that isn't in a FIDO authenticator. */
  readonly fido: FidoFlags | undefined
}

/**
 * Verifies a signature as SSH writes it (RFC 4253 §6.6, RFC 8332 §3, RFC 5656 §3.1.2, RFC 8709 §6, PROTOCOL.u2f).
 * @throws Refusal `malformed`, `algorithm`, `signature`
 */
export function verifySignature(key: SshKey, message: Uint8Array, blob: Uint8Array): Signature {
  const reader = new WireReader(blob)
  const name = reader.name()
  const known = key.algorithms.get(name)
  const algorithm = known === undefined ? undefined : algorithms.get(known)
  if (algorithm === undefined) throw new Refusal('algorithm')
  const value = reader.string()
  const fido = key.application === undefined ? undefined : { flags: reader.byte(), counter: reader.uint32() }
  reader.end()
  const signature = algorithm.keyType === 'ec' ? readEcdsa(value, algorithm.length! / 2) : value
  const signed = fido === undefined ? message : fidoData(key.application!, message, fido)
  if (!isSigned(algorithm, key.key.key, signed, signature)) throw new Refusal('signature')
  return { algorithm: name, fido: fido === undefined ? undefined : { present: (fido.flags & 1) !== 0, verified: (fido.flags & 4) !== 0 } }
}

/** `r` and `s` side by side, each as long as the curve's order (IEEE P1363). */
function readEcdsa(value: Uint8Array, length: number): Buffer {
  const reader = new WireReader(value)
  const [r, s] = [reader.positive(), reader.positive()]
  reader.end()
  if (r.length > length || s.length > length) throw new Refusal('signature')
  return Buffer.concat([Buffer.alloc(length - r.length), r, Buffer.alloc(length - s.length), s])
}

function fidoData(
  application: string,
  message: Uint8Array,
  { flags, counter }: { readonly flags: number; readonly counter: number },
): Buffer {
  const tail = Buffer.alloc(5)
  tail.writeUInt8(flags)
  tail.writeUInt32BE(counter, 1)
  const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()
  return Buffer.concat([sha256(Buffer.from(application, 'latin1')), tail, sha256(message)])
}

/** A signature over a message of some namespace (OpenSSH's PROTOCOL.sshsig). */
export interface SshSig {
  /** What it says it was made with; a certificate, where it was made with one. */
  readonly publicKey: Buffer
  readonly namespace: string
  readonly signature: Buffer
  /** What is signed, for this message. */
  readonly signedData: (message: Uint8Array) => Buffer
}

const MAGIC = 'SSHSIG'
const VERSION = 1

/** @throws Refusal `malformed`; `algorithm` for a hash other than SHA-256 and SHA-512 */
export function readSshSig(blob: Uint8Array): SshSig {
  const reader = new WireReader(blob)
  if (reader.take(MAGIC.length).toString('latin1') !== MAGIC || reader.uint32() !== VERSION) throw new Refusal('malformed')
  const publicKey = reader.string()
  const namespace = reader.string()
  // Reserved: nothing is known yet that could stand here.
  if (reader.string().length > 0) throw new Refusal('malformed')
  const hash = reader.name()
  const signature = reader.string()
  reader.end()
  if (hash !== 'sha512' && hash !== 'sha256') throw new Refusal('algorithm')
  return {
    publicKey,
    namespace: namespace.toString('latin1'),
    signature,
    signedData: (message) =>
      Buffer.concat([
        Buffer.from(MAGIC),
        wireString(namespace),
        wireString(''),
        wireString(hash),
        wireString(createHash(hash).update(message).digest()),
      ]),
  }
}
