import { createPublicKey, verify, type KeyObject } from 'node:crypto'
import type { Algorithm } from './algorithms.ts'

/**
 * Whether a signature in the form of RFC 7518 §3 is good. Never throws. node:crypto takes up to twice as long where it is told padding,
 * length of the salt or form of a signature beside the key. So the key says itself what RSASSA-PSS it is for (RFC 4055 §3.1), and a
 * signature of ECDSA is written as ASN.1 has it, which is what node:crypto expects.
 * @param signature Of the length that the algorithm demands, or its key.
 */
export function isSigned({ keyType, hash, saltLength }: Algorithm, key: KeyObject, signed: Uint8Array, signature: Uint8Array): boolean {
  try {
    if (saltLength !== undefined) return verify(hash, signed, pssKeyOf(key, hash!, saltLength), signature)
    return verify(hash, signed, key, keyType === 'ec' ? ecdsaSignature(signature) : signature)
  } catch {
    return false
  }
}

/** `r` and `s` side by side, each as long as the curve's order → `SEQUENCE { INTEGER, INTEGER }` (RFC 3279 §2.2.3). */
export function ecdsaSignature(signature: Uint8Array): Buffer {
  const half = signature.length / 2
  const [r, s] = [skipZeros(signature, 0, half), skipZeros(signature, half, signature.length)]
  // A first bit that is set would make the number negative.
  const [rSign, sSign] = [signature[r]! >> 7, signature[s]! >> 7]
  const [rLength, sLength] = [half - r + rSign, signature.length - s + sSign]
  const length = rLength + sLength + 4
  const der = Buffer.allocUnsafe((length > 0x7f ? 3 : 2) + length)
  let at = 0
  der[at++] = 0x30
  if (length > 0x7f) der[at++] = 0x81
  der[at++] = length
  der[at++] = 0x02
  der[at++] = rLength
  if (rSign === 1) der[at++] = 0
  for (let from = r; from < half; from++) der[at++] = signature[from]!
  der[at++] = 0x02
  der[at++] = sLength
  if (sSign === 1) der[at++] = 0
  for (let from = s; from < signature.length; from++) der[at++] = signature[from]!
  return der
}

/** Where the number in these octets begins; zero has its last octet. */
function skipZeros(octets: Uint8Array, from: number, end: number): number {
  let at = from
  while (at < end - 1 && octets[at] === 0) at++
  return at
}

/** Made of a key when it first verifies, and gone with it. */
const pssKeys = new WeakMap<KeyObject, Map<string, KeyObject>>()

function pssKeyOf(key: KeyObject, hash: string, saltLength: number): KeyObject {
  const known = pssKeys.get(key)?.get(hash)
  if (known !== undefined) return known
  const made = pssKey(key, hash, saltLength)
  const all = pssKeys.get(key) ?? new Map<string, KeyObject>()
  pssKeys.set(key, all.set(hash, made))
  return made
}

const ID_RSASSA_PSS = '06092a864886f70d01010a'
const ID_MGF1 = '06092a864886f70d010108'
/** Octets of rsaEncryption's AlgorithmIdentifier (RFC 3279 §2.3.1). */
const RSA_ENCRYPTION = 15
const HASHES: Readonly<Record<string, string>> = {
  sha256: '300d06096086480165030402010500',
  sha384: '300d06096086480165030402020500',
  sha512: '300d06096086480165030402030500',
}

/**
 * The same RSA key as one that verifies nothing but RSASSA-PSS with this hash, MGF1 with the same and a salt of exactly so many octets
 * (RFC 4055 §1.2, §3.1). At least 2,048 bits long: all lengths of what is around it take two octets then.
 */
export function pssKey(key: KeyObject, hash: string, saltLength: number): KeyObject {
  const id = HASHES[hash]!
  const salt = saltLength.toString(16).padStart(2, '0')
  const parameters = Buffer.from(`3041${ID_RSASSA_PSS}3034a00f${id}a11c301a${ID_MGF1}${id}a2030201${salt}`, 'hex')
  const plain = key.export({ type: 'spki', format: 'der' })
  const bits = plain.subarray(4 + RSA_ENCRYPTION) // behind the head and the name of the algorithm
  const head = Buffer.from([0x30, 0x82, 0, 0])
  head.writeUInt16BE(parameters.length + bits.length, 2)
  return createPublicKey({ key: Buffer.concat([head, parameters, bits]), format: 'der', type: 'spki' })
}
