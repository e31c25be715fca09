/** The bearer token of SSH callers: a certificate, a message for this gateway, and a signature over it by the certified key. */
import { Refusal } from '../jose/refusal.ts'
import { WireReader, wireString } from './wire.ts'

/** What such a token begins with; base64url of its three parts follows, each a `string` of RFC 4251 §5. */
export const TOKEN_PREFIX = 'ostiary-ssh.'
/** Namespace of the signature: what is signed for it is good for nothing else, and nothing else for it. */
export const NAMESPACE = 'ostiary@ostiary.dev'
/** First line of the message. */
const FORM = 'ostiary-ssh-v1'
/** How long a token is believed unless configured otherwise, in milliseconds. */
export const DEFAULT_AGE = 5 * 60_000
/** Bytes of the nonce. It makes each token its own; nobody remembers it. */
export const NONCE_LENGTH = 16

/** What a caller signs. */
export interface SignedMessage {
  readonly audience: string
  /** Milliseconds since the epoch, in whole seconds. */
  readonly issuedAt: number
  /** 16 bytes in base64url. */
  readonly nonce: string
}

export interface TokenParts {
  readonly certificate: Buffer
  readonly message: Buffer
  readonly signature: Buffer
}

/** The message in its one form: four lines of text, so that whoever is asked to confirm a signature can read what it is for. */
export function messageOf({ audience, issuedAt, nonce }: SignedMessage): string {
  return `${FORM}\naudience ${audience}\nissued ${Math.floor(issuedAt / 1000)}\nnonce ${nonce}\n`
}

export function tokenOf({ certificate, message, signature }: { readonly [part in keyof TokenParts]: Uint8Array }): string {
  return TOKEN_PREFIX + Buffer.concat([wireString(certificate), wireString(message), wireString(signature)]).toString('base64url')
}

/** Takes a token apart. @throws Refusal `malformed` */
export function readToken(token: string): TokenParts {
  if (!token.startsWith(TOKEN_PREFIX)) throw new Refusal('malformed')
  const encoded = token.slice(TOKEN_PREFIX.length)
  const bytes = Buffer.from(encoded, 'base64url')
  if (bytes.toString('base64url') !== encoded) throw new Refusal('malformed')
  const reader = new WireReader(bytes)
  const [certificate, message, signature] = [reader.string(), reader.string(), reader.string()]
  reader.end()
  return { certificate, message, signature }
}

/** @throws Refusal `malformed` for what isn't byte for byte such a message */
export function readMessage(bytes: Uint8Array): SignedMessage {
  const text = Buffer.from(bytes).toString('latin1')
  const pattern = new RegExp(`^${FORM}\naudience ([!-~]{1,256})\nissued (0|[1-9][0-9]{0,10})\nnonce ([A-Za-z0-9_-]{22})\n$`)
  const [, audience = '', seconds, nonce = ''] = pattern.exec(text) ?? []
  if (seconds === undefined || Buffer.from(nonce, 'base64url').toString('base64url') !== nonce) throw new Refusal('malformed')
  return { audience, issuedAt: Number(seconds) * 1000, nonce }
}
