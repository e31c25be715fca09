/** Revocation lists as `ssh-keygen -k` writes them (OpenSSH's PROTOCOL.krl). What isn't known in one is refused, not passed over. */
import { Refusal } from '../jose/refusal.ts'
import { fingerprintOf } from './keys.ts'
import { WireReader } from './wire.ts'

/** One thing that was taken back. `name` tells it from others. Those of an authority's certificates are of that one only, or of every. */
export type Revoked =
  /** `SHA256:…`, or SHA-1 in hex. */
  | { readonly by: 'key'; readonly value: string; readonly name: string }
  | { readonly by: 'id'; readonly value: string; readonly authority: string | undefined; readonly name: string }
  | {
      readonly by: 'serial'
      readonly includes: (serial: bigint) => boolean
      readonly authority: string | undefined
      readonly name: string
    }

const MAGIC = 'SSHKRL\n\0'
const VERSION = 1
const SECTION = { certificates: 1, keys: 2, sha1: 3, sha256: 5 } as const
const CERTIFICATES = { serials: 0x20, range: 0x21, bitmap: 0x22, ids: 0x23 } as const

export function isKrl(text: string): boolean {
  return text.startsWith(MAGIC)
}

/** Reads a binary list. Throws a TypeError where it isn't one in whole. */
export function readKrl(text: string): readonly Revoked[] {
  const reader = new WireReader(Buffer.from(text.slice(MAGIC.length), 'latin1'))
  const all: Revoked[] = []
  try {
    if (reader.uint32() !== VERSION) throw new TypeError('it is a binary list of another version')
    reader.take(24) // number, date and flags of the list: none of them says what is in it
    reader.string()
    reader.string() // a comment
    while (!reader.atEnd) all.push(...readSection(reader.byte(), new WireReader(reader.string())))
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    throw new TypeError('it is a binary list that ends too early or has more than it says', { cause: error })
  }
  return all
}

function readSection(type: number, reader: WireReader): readonly Revoked[] {
  switch (type) {
    case SECTION.certificates:
      return readCertificates(reader)
    case SECTION.keys:
      return strings(reader).map((blob) => byFingerprint(fingerprintOf(blob)))
    case SECTION.sha256:
      return strings(reader).map((hash) => byFingerprint(`SHA256:${hash.toString('base64').replaceAll('=', '')}`))
    case SECTION.sha1:
      return strings(reader).map((hash) => ({ by: 'key', value: hash.toString('hex'), name: `sha1 ${hash.toString('hex')}` }))
    default:
      // Signatures over the list, which sshd doesn't judge any more, and extensions.
      throw new TypeError('it is a binary list with a part that is not known')
  }
}

function readCertificates(reader: WireReader): readonly Revoked[] {
  const key = reader.string()
  const authority = key.length === 0 ? undefined : fingerprintOf(key)
  reader.string()
  const all: Revoked[] = []
  while (!reader.atEnd) {
    const type = reader.byte()
    const part = new WireReader(reader.string())
    switch (type) {
      case CERTIFICATES.serials:
        while (!part.atEnd) {
          const serial = part.uint64()
          all.push(bySerials(serial, serial, authority))
        }
        break
      case CERTIFICATES.range: {
        const [from, to] = [part.uint64(), part.uint64()]
        if (from > to) throw new TypeError('it is a binary list with numbers in reverse')
        all.push(bySerials(from, to, authority))
        break
      }
      case CERTIFICATES.bitmap:
        all.push(byBitmap(part.uint64(), part.positive(), authority))
        break
      case CERTIFICATES.ids:
        all.push(...strings(part).map((id) => byId(id, authority)))
        break
      default:
        throw new TypeError('it is a binary list with a part that is not known')
    }
    part.end()
  }
  return all
}

export function byFingerprint(value: string): Revoked {
  return { by: 'key', value, name: value }
}

export function bySerials(from: bigint, to: bigint, authority?: string): Revoked {
  return { by: 'serial', includes: (serial) => from <= serial && serial <= to, authority, name: `serial ${from}-${to} ${authority}` }
}

/** A key id of a list is UTF-8, as in a certificate. Throws a TypeError for what isn't. */
export function byId(bytes: Uint8Array, authority?: string): Revoked {
  let value: string
  try {
    value = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (error) {
    throw new TypeError('one of its key ids is no UTF-8', { cause: error })
  }
  return { by: 'id', value, authority, name: `id ${authority} ${value}` }
}

/** The lowest bit, which stands last, is `offset`. */
function byBitmap(offset: bigint, bits: Buffer, authority: string | undefined): Revoked {
  const includes = (serial: bigint): boolean => {
    const at = serial - offset
    if (at < 0n || at >= BigInt(bits.length) * 8n) return false
    const bit = Number(at)
    return ((bits[bits.length - 1 - (bit >> 3)]! >> (bit & 7)) & 1) === 1
  }
  return { by: 'serial', includes, authority, name: `bitmap ${offset} ${bits.toString('base64')} ${authority}` }
}

function strings(reader: WireReader): readonly Buffer[] {
  const all: Buffer[] = []
  while (!reader.atEnd) all.push(reader.string())
  return all
}
