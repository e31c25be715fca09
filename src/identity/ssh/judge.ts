import { CLOCK_SKEW_MS } from '../../core/clock.ts'
import { Refusal } from '../jose/refusal.ts'
import { readCertificate, type SshCertificate } from './certificate.ts'
import type { SshKey } from './keys.ts'
import { readSshSig, verifySignature, type FidoFlags, type Signature } from './signature.ts'
import { NAMESPACE, readMessage, readToken, type SignedMessage } from './token.ts'

export interface JudgedBy {
  readonly audiences: ReadonlySet<string>
  /** Milliseconds that a token is believed after it was signed, at most. */
  readonly maxAge: number
  readonly authorities: readonly SshKey[]
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** A token that is good, and what it was proven by. */
export interface JudgedToken {
  readonly certificate: SshCertificate
  readonly authority: SshKey
  readonly message: SignedMessage
  /** Name of the algorithm that the caller signed with. */
  readonly algorithm: string
  /** The first instant at which it is no longer good, in milliseconds since the epoch. */
  readonly expiresAt: number
}

/** Judges a token: what costs nothing first, then the authority's signature over the certificate, then the caller's. @throws Refusal */
export function judgeToken(token: string, { audiences, maxAge, authorities, now }: JudgedBy): JudgedToken {
  const parts = readToken(token)
  const message = readMessage(parts.message)
  if (!audiences.has(message.audience)) throw new Refusal('audience')
  const certificate = readCertificate(parts.certificate)
  const expiresAt = checkTimes(message, certificate, maxAge, now)
  checkUse(certificate)
  const authority = authorities.find(({ blob }) => blob.equals(certificate.authority))
  if (authority === undefined) throw new Refusal('unknown-key')
  checkAuthority(authority, certificate)
  const { algorithm, fido } = checkCaller(parts.certificate, certificate, parts)
  checkFido(certificate, fido)
  return { certificate, authority, message, algorithm, expiresAt }
}

/** Skew is for what lies ahead: a slow clock only makes a token end earlier. */
function checkTimes({ issuedAt }: SignedMessage, { validAfter, validBefore }: SshCertificate, maxAge: number, now: number): number {
  if (issuedAt - CLOCK_SKEW_MS > now) throw new Refusal('issued-in-future')
  if (validAfter - CLOCK_SKEW_MS > now) throw new Refusal('not-yet-valid')
  const expiresAt = Math.min(issuedAt + maxAge, validBefore)
  if (expiresAt <= now) throw new Refusal('expired')
  return expiresAt
}

/** What stands in a certificate with force of `critical` is kept, or the certificate is refused (PROTOCOL.certkeys). */
const KNOWN_OPTIONS: ReadonlySet<string> = new Set(['force-command', 'source-address', 'verify-required'])

function checkUse({ kind, criticalOptions }: SshCertificate): void {
  if (kind !== 'user') throw new Refusal('certificate', 'type')
  for (const [name, data] of criticalOptions) {
    if (!KNOWN_OPTIONS.has(name)) throw new Refusal('certificate', 'criticalOptions')
    // One command isn't what a gateway lets through, and where a token comes from isn't known when it is judged.
    if (name !== 'verify-required' || data.length > 0) throw new Refusal('certificate', name)
  }
}

function checkAuthority(authority: SshKey, { signed, signature }: SshCertificate): void {
  try {
    verifySignature(authority, signed, signature)
  } catch (error) {
    if (error instanceof Refusal && error.reason === 'signature') throw new Refusal('certificate', 'signature')
    throw error
  }
}

/** The caller's signature is by the certified key, over this message, for this purpose. */
function checkCaller(
  blob: Buffer,
  { key }: SshCertificate,
  { message, signature }: { readonly message: Buffer; readonly signature: Buffer },
): Signature {
  const sig = readSshSig(signature)
  // OpenSSH writes the certificate there, if it signed with one.
  if (!sig.publicKey.equals(key.blob) && !sig.publicKey.equals(blob)) throw new Refusal('key-issuer')
  if (sig.namespace !== NAMESPACE) throw new Refusal('token-type')
  return verifySignature(key, sig.signedData(message), sig.signature)
}

function checkFido({ criticalOptions, extensions }: SshCertificate, fido: FidoFlags | undefined): void {
  if (criticalOptions.has('verify-required') && fido?.verified !== true) throw new Refusal('certificate', 'verify-required')
  if (fido?.present === false && !extensions.has('no-touch-required')) throw new Refusal('certificate', 'presence')
}
