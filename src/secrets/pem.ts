import { readFileSync } from 'node:fs'
import { OstiaryError } from '../core/errors.ts'

/** Text of a PEM file that has at least one certificate. @throws OstiaryError `http/certificate` */
export function readCertificates(path: string): string {
  return readPem(path, '-----BEGIN CERTIFICATE-----', 'no certificate in it')
}

/** Text of a PEM file that has a private key. @throws OstiaryError `http/certificate` */
export function readPrivateKey(path: string): string {
  return readPem(path, 'PRIVATE KEY-----', 'no private key in it')
}

function readPem(path: string, has: string, otherwise: string): string {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new OstiaryError('http/certificate', { file: path, cause: (error as NodeJS.ErrnoException).code ?? 'unknown' }, { cause: error })
  }
  if (!text.includes(has)) throw new OstiaryError('http/certificate', { file: path, cause: otherwise })
  return text
}
