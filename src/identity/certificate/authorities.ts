import { X509Certificate } from 'node:crypto'
import { FileList } from '../filelist.ts'
import type { Issuer, IssuerDeps } from '../issuer.ts'

/** How authorities stand in a file. */
export interface AuthorityForm<T> {
  /** Throws a TypeError whose message says what is wrong with the text. */
  readonly read: (text: string) => readonly T[]
  /** What one is known by, in records too. */
  readonly idOf: (authority: T) => string
}

/** The authorities of a file, read anew when it changes. One that is no longer in it ends whatever it vouched for. */
export class Authorities<T> implements Pick<Issuer, 'status' | 'onKeysLeft' | 'close'> {
  readonly #issuer: string
  readonly #list: FileList<T>
  readonly #listeners: Parameters<Issuer['onKeysLeft']>[0][] = []

  constructor(issuer: string, file: string, { read, idOf }: AuthorityForm<T>, deps: Pick<IssuerDeps, 'clock' | 'log' | 'folder'>) {
    this.#issuer = issuer
    const changed = (before: readonly T[], after: readonly T[]): void => {
      const kept = new Set(after.map(idOf))
      this.end(before.map(idOf).filter((id) => !kept.has(id)))
    }
    this.#list = new FileList({ issuer, file, read, changed }, deps)
  }

  get all(): readonly T[] {
    return this.#list.all ?? []
  }

  status(): { readonly ready: boolean; readonly detail: string } {
    const { length } = this.all
    const count = length === 1 ? '1 authority' : `${length} authorities`
    return { ready: length > 0, detail: [count, this.#list.failure].filter((one) => one !== undefined).join('; ') }
  }

  onKeysLeft(listener: Parameters<Issuer['onKeysLeft']>[0]): void {
    this.#listeners.push(listener)
  }

  /** Ends what authorities vouched for up to now. */
  end(ids: readonly string[]): void {
    if (ids.length > 0) for (const listener of this.#listeners) listener(this.#issuer, ids)
  }

  close(): void {
    this.#list.close()
  }
}

/** Authorities of certificates in PEM. */
export const pemAuthorities: AuthorityForm<X509Certificate> = { read: readAuthoritiesOf, idOf }

/** SHA-256 of a certificate, as records show it. */
export function idOf({ fingerprint256 }: X509Certificate): string {
  return fingerprint256.replaceAll(':', '').toLowerCase()
}

function readAuthoritiesOf(text: string): readonly X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)
  if (blocks === null) throw new TypeError('there is no certificate in it')
  const read = blocks.map((pem) => {
    try {
      return new X509Certificate(pem)
    } catch {
      throw new TypeError('one of its certificates can not be read')
    }
  })
  if (read.some(({ ca }) => !ca)) throw new TypeError('one of its certificates is not of an authority')
  return read
}
