import type { X509Certificate } from 'node:crypto'
import { Refusal } from '../jose/refusal.ts'

/** The names of a certificate, each as it stands in it. */
export interface CertificateNames {
  readonly dns: readonly string[]
  readonly uris: readonly string[]
  readonly emails: readonly string[]
  readonly commonNames: readonly string[]
  readonly organizations: readonly string[]
  readonly units: readonly string[]
}

/** Longest name, and longest text of all of them, in characters. */
const MAX_NAME = 1_024
const MAX_TEXT = 16_384

/**
 * Reads subject and alternative names (RFC 5280 §4.1.2.6, §4.2.1.6). Names that only quotes could tell from two are refused.
 * @throws Refusal `certificate` with `subject` or `subjectAltName`
 */
export function readNames(certificate: X509Certificate): CertificateNames {
  const alternative = new Map<string, string[]>()
  const text = certificate.subjectAltName ?? ''
  // OpenSSL quotes what holds a comma, a quote or a control character (CVE-2021-44532).
  if (text.length > MAX_TEXT || text.includes('"')) throw new Refusal('certificate', 'subjectAltName')
  for (const part of text === '' ? [] : text.split(', ')) {
    const colon = part.indexOf(':')
    const kind = part.slice(0, colon)
    const name = part.slice(colon + 1)
    if (colon < 1 || !isName(name)) throw new Refusal('certificate', 'subjectAltName')
    alternative.set(kind, [...(alternative.get(kind) ?? []), name])
  }
  const subject = subjectOf(certificate)
  return {
    dns: alternative.get('DNS') ?? [],
    uris: alternative.get('URI') ?? [],
    emails: alternative.get('email') ?? [],
    commonNames: subject.get('CN') ?? [],
    organizations: subject.get('O') ?? [],
    units: subject.get('OU') ?? [],
  }
}

/** By type, from one line for each attribute; escapes of RFC 2253 mean that it holds what could be taken for another. */
function subjectOf({ subject }: X509Certificate): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>()
  const text = (subject as string | undefined) ?? ''
  if (text.length > MAX_TEXT) throw new Refusal('certificate', 'subject')
  for (const line of text === '' ? [] : text.split('\n')) {
    const equals = line.indexOf('=')
    const name = line.slice(equals + 1)
    if (equals < 1 || !isName(name) || line.includes('\\')) throw new Refusal('certificate', 'subject')
    const type = line.slice(0, equals)
    found.set(type, [...(found.get(type) ?? []), name])
  }
  return found
}

/** Whether a text can be a name: not empty, not too long, and nothing in it that doesn't show. */
export function isName(text: string): boolean {
  return text !== '' && text.length <= MAX_NAME && !/[\p{Cc}\p{Cf}\u2028\u2029]/u.test(text)
}
