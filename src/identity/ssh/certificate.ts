/** Certificates of OpenSSH (PROTOCOL.certkeys), taken apart strictly. Nothing here says whether they are to be believed. */
import { isName } from '../certificate/names.ts'
import { Refusal } from '../jose/refusal.ts'
import { certifiedType, readKeyFields, type SshKey } from './keys.ts'
import { WireReader } from './wire.ts'

/** Principals, critical options and extensions at most, of each; OpenSSH has 256 principals. */
const MAX_LISTED = 256

/** What a certificate says. */
export interface SshCertificate {
  readonly key: SshKey
  /** In decimal: it may be larger than a number can be. */
  readonly serial: string
  readonly kind: 'user' | 'host'
  readonly keyId: string
  readonly principals: readonly string[]
  /** Milliseconds since the epoch. */
  readonly validAfter: number
  /** The first instant at which it is no longer good; beyond any calendar where it has no end. */
  readonly validBefore: number
  /** Names and what stands with them, as it is written. */
  readonly criticalOptions: ReadonlyMap<string, Buffer>
  readonly extensions: ReadonlyMap<string, Buffer>
  /** Public key of the authority, as it is written. */
  readonly authority: Buffer
  /** What the authority signed, and its signature. */
  readonly signed: Buffer
  readonly signature: Buffer
}

/**
 * Reads a certificate.
 * @throws Refusal `malformed`; `token-type` for what is no certificate of OpenSSH; `algorithm` for a key that isn't accepted;
 * `certificate` with the field whose text can't be a name
 */
export function readCertificate(blob: Buffer): SshCertificate {
  const reader = new WireReader(blob)
  const type = certifiedType(reader.name())
  if (type === undefined) throw new Refusal('token-type')
  reader.string() // the nonce, which only makes it unpredictable
  const key = readKeyFields(type, blob, reader)
  const serial = reader.uint64().toString()
  const kind = readKind(reader.uint32())
  const keyId = readText(reader.string(), 'keyId', true)
  const principals = readPrincipals(reader.string())
  const [validAfter, validBefore] = [reader.uint64(), reader.uint64()]
  const criticalOptions = readOptions(reader.string())
  const extensions = readOptions(reader.string())
  // Reserved: nothing is known yet that could stand here.
  if (reader.string().length > 0) throw new Refusal('malformed')
  const authority = reader.string()
  const signed = blob.subarray(0, reader.offset)
  const signature = reader.string()
  reader.end()
  const validity = { validAfter: instant(validAfter), validBefore: instant(validBefore) }
  return { key, serial, kind, keyId, principals, ...validity, criticalOptions, extensions, authority, signed, signature }
}

function readKind(type: number): SshCertificate['kind'] {
  if (type === 1) return 'user'
  if (type === 2) return 'host'
  throw new Refusal('malformed')
}

function readPrincipals(bytes: Buffer): readonly string[] {
  const reader = new WireReader(bytes)
  const principals: string[] = []
  while (!reader.atEnd) {
    if (principals.length === MAX_LISTED) throw new Refusal('too-large')
    principals.push(readText(reader.string(), 'principals'))
  }
  return principals
}

/** Each name once, in the order of the names, as PROTOCOL.certkeys has it. */
function readOptions(bytes: Buffer): ReadonlyMap<string, Buffer> {
  const reader = new WireReader(bytes)
  const options = new Map<string, Buffer>()
  let last = ''
  while (!reader.atEnd) {
    if (options.size === MAX_LISTED) throw new Refusal('too-large')
    const name = reader.name()
    if (name <= last) throw new Refusal('malformed')
    options.set(name, reader.string())
    last = name
  }
  return options
}

function readText(bytes: Buffer, field: string, mayBeEmpty = false): string {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw new Refusal('certificate', field)
  }
  if (!isName(text) && !(mayBeEmpty && text === '')) throw new Refusal('certificate', field)
  return text
}

/** Seconds since the epoch → milliseconds; what is beyond any calendar is as late as can be told. */
function instant(seconds: bigint): number {
  return Math.min(Number(seconds) * 1000, Number.MAX_SAFE_INTEGER)
}
