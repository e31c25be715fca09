import { hash } from 'node:crypto'
import { FileList } from '../filelist.ts'
import type { IssuerDeps } from '../issuer.ts'
import { Refusal } from '../jose/refusal.ts'
import { readBlobLine } from './authorities.ts'
import { readCertificate, type SshCertificate } from './certificate.ts'
import { fingerprintOf, type SshKey } from './keys.ts'
import { byFingerprint, byId, bySerials, isKrl, readKrl, type Revoked } from './krl.ts'

/**
 * What authorities took back, read anew when it changes: a list that `ssh-keygen -k` wrote, or the text that it makes one of
 * (KEY REVOCATION LISTS in ssh-keygen(1)).
 */
export class RevokedCertificates {
  readonly #list: FileList<Revoked>
  #keys: ReadonlySet<string> = new Set()
  #certificates: readonly Exclude<Revoked, { by: 'key' }>[] = []

  /** @param added Called when something was added: what is known may rest on it. */
  constructor(issuer: string, file: string, added: () => void, deps: Pick<IssuerDeps, 'clock' | 'log' | 'folder'>) {
    const changed = (before: readonly Revoked[], after: readonly Revoked[]): void => {
      this.#keys = new Set(after.filter((one) => one.by === 'key').map(({ value }) => value))
      this.#certificates = after.filter((one) => one.by === 'id' || one.by === 'serial')
      const known = new Set(before.map(({ name }) => name))
      if (after.some(({ name }) => !known.has(name))) added()
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
    if ([key, authority].some((one) => this.#keys.has(one.fingerprint) || this.#keys.has(hash('sha1', one.blob)))) return true
    const number = BigInt(serial)
    return this.#certificates.some(
      (one) =>
        (one.authority === undefined || one.authority === authority.fingerprint) &&
        (one.by === 'id' ? one.value === keyId : one.includes(number)),
    )
  }

  close(): void {
    this.#list.close()
  }
}

function readRevoked(text: string): readonly Revoked[] {
  if (isKrl(text)) return readKrl(text)
  const all: Revoked[] = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const content = line.trim()
    if (content !== '' && !content.startsWith('#')) all.push(readEntry(content, index + 1))
  }
  return all
}

function readEntry(line: string, number: number): Revoked {
  const [, directive, value = ''] = /^(serial|id|key|sha1|sha256|hash):\s*(.+)$/.exec(line) ?? []
  switch (directive) {
    case 'serial':
      return readSerials(value, number)
    case 'id':
      return byId(Buffer.from(value, 'latin1'))
    case 'hash':
      if (!/^SHA256:[A-Za-z0-9+/]{43}$/.test(value)) throw new TypeError(`the fingerprint in line ${number} is none of SHA-256`)
      return byFingerprint(value)
    case 'key':
    case 'sha1':
    case 'sha256':
      return byFingerprint(fingerprintAt(value, number))
    default:
      // A key alone, as in the `RevokedKeys` of sshd. Anything else isn't passed over: it would let in what was taken back.
      return byFingerprint(fingerprintAt(line, number))
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
  return bySerials(BigInt(first), BigInt(last!))
}

/** @throws Refusal `revoked` */
export function checkRevoked(revoked: RevokedCertificates | undefined, certificate: SshCertificate, authority: SshKey): void {
  if (revoked?.includes(certificate, authority) === true) throw new Refusal('revoked')
}
