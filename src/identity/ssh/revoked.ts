import type { IssuerDeps } from '../issuer.ts'
import { FileList } from '../filelist.ts'
import { Refusal } from '../jose/refusal.ts'
import { readBlobLine } from './authorities.ts'
import { readCertificate, type SshCertificate } from './certificate.ts'
import { fingerprintOf, type SshKey } from './keys.ts'

/** One line: a key (of a caller or an authority), a key id, or serial numbers. */
type Revoked =
  | { readonly by: 'fingerprint' | 'id'; readonly value: string }
  | { readonly by: 'serial'; readonly from: bigint; readonly to: bigint; readonly value: string }

/** `SSHKRL\n\0`: what `ssh-keygen -k` makes of such a text. */
const BINARY = 'SSHKRL\n\0'

/** What authorities took back, in the text that `ssh-keygen -k` reads (KEY REVOCATION LISTS in ssh-keygen(1)), read anew when it changes. */
export class RevokedCertificates {
  readonly #list: FileList<Revoked>
  #keys: ReadonlySet<string> = new Set()
  #ids: ReadonlySet<string> = new Set()
  #serials: readonly Extract<Revoked, { by: 'serial' }>[] = []

  /** @param added Called when something was added: what is known may rest on it. */
  constructor(issuer: string, file: string, added: () => void, deps: Pick<IssuerDeps, 'clock' | 'log' | 'folder'>) {
    const changed = (before: readonly Revoked[], after: readonly Revoked[]): void => {
      const named = (by: 'fingerprint' | 'id'): ReadonlySet<string> =>
        new Set(after.filter((one) => one.by === by).map(({ value }) => value))
      this.#keys = named('fingerprint')
      this.#ids = named('id')
      this.#serials = after.filter((one) => one.by === 'serial')
      const known = new Set(before.map(lineOf))
      if (after.some((one) => !known.has(lineOf(one)))) added()
    }
    this.#list = new FileList({ issuer, file, read: readRevoked, changed }, deps)
  }

  /** False as long as it could never be read: then nothing is known to be good. */
  get ready(): boolean {
    return this.#list.all !== undefined
  }

  get failure(): string | undefined {
    return this.#list.failure
  }

  /** Also a certificate whose authority's own key is listed. */
  includes({ key, keyId, serial }: SshCertificate, authority: SshKey): boolean {
    if (this.#keys.has(key.fingerprint) || this.#keys.has(authority.fingerprint) || this.#ids.has(keyId)) return true
    const number = BigInt(serial)
    return this.#serials.some(({ from, to }) => from <= number && number <= to)
  }

  close(): void {
    this.#list.close()
  }
}

function lineOf({ by, value }: Revoked): string {
  return `${by} ${value}`
}

function readRevoked(text: string): readonly Revoked[] {
  if (text.startsWith(BINARY)) throw new TypeError('it is a binary list; write the text that it was made from')
  const all: Revoked[] = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const content = line.trim()
    if (content !== '' && !content.startsWith('#')) all.push(readEntry(content, index + 1))
  }
  return all
}

function readEntry(line: string, number: number): Revoked {
  const [, directive, value = ''] = /^(serial|id|key|sha256|hash):\s*(.+)$/.exec(line) ?? []
  switch (directive) {
    case 'serial':
      return readSerials(value, number)
    case 'id':
      return { by: 'id', value: readUtf8(value, number) }
    case 'hash':
      if (!/^SHA256:[A-Za-z0-9+/]{43}$/.test(value)) throw new TypeError(`the fingerprint in line ${number} is none of SHA-256`)
      return { by: 'fingerprint', value }
    case 'key':
    case 'sha256':
      return { by: 'fingerprint', value: fingerprintAt(value, number) }
    default:
      // A key alone, as in the `RevokedKeys` of sshd. Anything else isn't passed over: it would let in what was taken back.
      return { by: 'fingerprint', value: fingerprintAt(line, number) }
  }
}

/** Of any key, also of one that could not be used: what follows in the list has to be read. Of a certificate, that of its key. */
function fingerprintAt(text: string, number: number): string {
  const blob = readBlobLine(text, number)
  if (!/^\S+-cert-v0[01]@/.test(text)) return fingerprintOf(blob)
  try {
    return readCertificate(blob).key.fingerprint
  } catch (error) {
    throw new TypeError(`the certificate in line ${number} can not be read; write its key`, { cause: error })
  }
}

function readSerials(value: string, number: number): Revoked {
  const [, first, last = first] =
    /^(0x[0-9a-f]{1,16}|[1-9][0-9]{0,19}|0)(?:\s*-\s*(0x[0-9a-f]{1,16}|[1-9][0-9]{0,19}|0))?$/i.exec(value) ?? []
  if (first === undefined || BigInt(first) > BigInt(last!))
    throw new TypeError(`line ${number} has no serial number, or numbers in reverse`)
  return { by: 'serial', from: BigInt(first), to: BigInt(last!), value }
}

/** Files are read byte by byte; a key id is UTF-8. */
function readUtf8(value: string, number: number): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(value, 'latin1'))
  } catch {
    throw new TypeError(`the key id in line ${number} is no UTF-8`)
  }
}

/** @throws Refusal `revoked` */
export function checkRevoked(revoked: RevokedCertificates | undefined, certificate: SshCertificate, authority: SshKey): void {
  if (revoked?.includes(certificate, authority) === true) throw new Refusal('revoked')
}
