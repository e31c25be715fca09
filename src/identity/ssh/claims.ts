import type { ClaimInfo } from '../issuer.ts'
import type { JsonObject } from '../jose/json.ts'
import type { SshCertificate } from './certificate.ts'

const text: ClaimInfo = { type: 'string', mayBeUnknown: false }
const list: ClaimInfo = { type: 'list', mayBeUnknown: false }

/** Claims of certificates that policy may speak of. */
export const sshClaims = {
  sub: text,
  keyId: text,
  principals: list,
  serial: text,
  fingerprint: text,
  caFingerprint: text,
  extensions: list,
} as const satisfies Readonly<Record<string, ClaimInfo>>

/** What a certificate says, as the payload that declared claims are read from. @param principals Those that count. */
export function payloadOf(
  { keyId, serial, key, extensions }: SshCertificate,
  known: { readonly subject: string; readonly principals: readonly string[]; readonly authority: string },
): JsonObject {
  const { subject, principals, authority } = known
  const claims = {
    sub: subject,
    keyId,
    principals,
    serial,
    fingerprint: key.fingerprint,
    caFingerprint: authority,
    extensions: [...extensions.keys()],
  }
  return Object.assign(Object.create(null) as Record<string, never>, claims)
}
