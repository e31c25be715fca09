import { resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import { OstiaryError } from '../core/errors.ts'
import type { TlsMaterial } from '../envoy/xds/credentials.ts'
import { readCertificates, readPrivateKey } from '../secrets/pem.ts'

export interface PairFiles {
  readonly cert: string
  readonly key: string
  readonly clientCa?: string | undefined
}

/** PEM. */
export interface Pair {
  readonly cert: string
  readonly key: string
  readonly ca: string | undefined
}

/** Certificates with their keys, read again and again: what can't be read or doesn't fit together leaves what was good before. */
export class PairsOfFiles {
  readonly #folder: string
  readonly #log: (line: string) => void
  readonly #good = new Map<string, Pair>()
  readonly #said = new Map<string, string>()

  constructor(folder: string, log: (line: string) => void) {
    this.#folder = folder
    this.#log = log
  }

  /** @param what Where it is configured. @throws OstiaryError `http/certificate` where nothing was good before */
  pair(what: string, files: PairFiles): Pair {
    const before = this.#good.get(what)
    try {
      const pair = this.#read(files)
      if (before?.cert !== pair.cert || before.key !== pair.key || before.ca !== pair.ca) this.#good.set(what, pair)
      this.#said.delete(what)
      return this.#good.get(what)!
    } catch (error) {
      if (before === undefined) throw error
      const text = error instanceof Error ? error.message : String(error)
      if (this.#said.get(what) !== text) this.#log(`\`${what}\` stays as it was: ${text}`)
      this.#said.set(what, text)
      return before
    }
  }

  #read({ cert, key, clientCa }: PairFiles): Pair {
    const at = (file: string): string => resolve(this.#folder, file)
    const pair = {
      cert: readCertificates(at(cert)),
      key: readPrivateKey(at(key)),
      ca: clientCa === undefined ? undefined : readCertificates(at(clientCa)),
    }
    try {
      createSecureContext(pair)
    } catch (error) {
      throw new OstiaryError('http/certificate', { file: at(cert), cause: 'it does not belong to its key' }, { cause: error })
    }
    return pair
  }
}

/** Of a listener for Envoys, which believes those that its authorities vouch for. @throws OstiaryError `http/certificate` */
export function materialOf(files: PairsOfFiles, what: string, pair: PairFiles & { readonly clientCa: string }): TlsMaterial {
  return files.pair(what, pair) as TlsMaterial
}
