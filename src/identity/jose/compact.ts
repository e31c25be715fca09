import { algorithms } from './algorithms.ts'
import { isObject, readJson, type JsonObject, type JsonValue } from './json.ts'
import { MAX_KID, type VerificationKey } from './jwk.ts'
import { Octets } from './octets.ts'
import { Refusal, refused, type Rejected } from './refusal.ts'
import { isSigned } from './signature.ts'

/** Longest token accepted, in characters; judged before anything is decoded. */
export const MAX_TOKEN = 16 * 1024

/** A token taken apart, of which nothing is proven yet. */
export interface Jws {
  readonly header: Header
  /** What was signed: header and payload as received, with the dot. */
  readonly signed: string
  /** The signature as received: base64url in the one form that its octets have. */
  readonly signature: string
}

export interface Header {
  readonly alg: string
  readonly kid: string | undefined
  readonly typ: string | undefined
  /** Entra marks tokens for Microsoft Graph by a `nonce` here; nobody but Graph can verify them. */
  readonly hasNonce: boolean
}

/** A JWS whose payload is a claims set (RFC 7519 §4). */
export interface Jwt extends Jws {
  readonly payload: JsonObject
}

/** Keys come from the configured issuer only, whatever a token says (RFC 8725 §3.10). */
const FOREIGN_KEY_MEMBERS = ['jwk', 'jku', 'x5u', 'x5c'] as const

/** Headers read before, by their text: a provider writes the same few on all of its tokens. Only those of this length, and so many. */
const MAX_KEPT_HEADER = 512
const MAX_HEADERS = 256
const headers = new Map<string, Header>()

/** What is decoded of a token is read at once. */
const CONTENT = new Octets(MAX_TOKEN)
const SIGNATURE = new Octets(MAX_TOKEN)

/**
 * Takes a token in compact serialisation apart (RFC 7515 §7.1) and refuses what no issuer may send.
 * @throws Refusal `too-large`, `malformed`, `encrypted`, `unsigned`, `critical-header`, `unknown-key`, `signature`
 */
export function readJws(token: string): Jws {
  return takeApart(token, false).jws
}

interface Parts {
  readonly jws: Jws
  readonly jwk: JsonValue | undefined
  /** Payload as sent; until the next token is taken apart. */
  readonly content: Buffer
}

function takeApart(token: string, bringsKey: boolean): Parts {
  if (token.length > MAX_TOKEN) throw new Refusal('too-large')
  const parts = token.split('.', 6)
  if (parts.length === 5) throw new Refusal('encrypted') // RFC 7516 §7.1
  const [head, body, signature] = parts
  if (parts.length !== 3 || head === undefined || body === undefined || signature === undefined) throw new Refusal('malformed')
  const { header, jwk } = bringsKey ? readHeader(decode(CONTENT, head), true) : { header: headerOf(head), jwk: undefined }
  const content = decode(CONTENT, body)
  if (decode(SIGNATURE, signature).length === 0) throw new Refusal('signature')
  return { jws: { header, signed: token.slice(0, head.length + 1 + body.length), signature }, jwk, content }
}

/** The same for a token that carries claims. @throws Refusal as `readJws` */
export function readJwt(token: string): Jwt {
  const { jws, content } = takeApart(token, false)
  const payload = readJson(content)
  if (!isObject(payload)) throw new Refusal('malformed')
  const { header, signed, signature } = jws
  return { header, signed, signature, payload }
}

/** The same with its refusal as an answer. */
export function parseJwt(token: string): Jwt | Rejected {
  return refused(() => readJwt(token))
}

/** A proof of possession: signed by the key that it carries. */
export interface Proof extends Jwt {
  readonly jwk: JsonObject
}

/** Takes a proof apart (RFC 9449 §4.2): the one kind of token whose key is in its header. @throws Refusal as `readJws`; `proof` without a key */
export function readProof(token: string): Proof {
  const { jws, jwk, content } = takeApart(token, true)
  const payload = readJson(content)
  if (!isObject(payload)) throw new Refusal('malformed')
  if (!isObject(jwk)) throw new Refusal('proof', 'jwk')
  return { ...jws, payload, jwk }
}

/** @throws Refusal `malformed` */
function decode(memory: Octets, text: string): Buffer {
  const octets = memory.ofBase64url(text)
  if (octets === undefined) throw new Refusal('malformed')
  return octets
}

/** The header of a token whose key is not in it. @throws Refusal as `readJws` */
function headerOf(text: string): Header {
  const known = headers.get(text)
  if (known !== undefined) return known
  const bytes = decode(CONTENT, text)
  const { header } = readHeader(bytes, false)
  if (text.length <= MAX_KEPT_HEADER) {
    if (headers.size >= MAX_HEADERS) headers.clear()
    headers.set(bytes.toString('base64url'), header) // a text of its own: the other holds on to the whole token
  }
  return header
}

function readHeader(bytes: Buffer, bringsKey: boolean): { readonly header: Header; readonly jwk: JsonValue | undefined } {
  const header = readJson(bytes)
  if (!isObject(header)) throw new Refusal('malformed')
  const { alg, kid, typ } = header
  if ('enc' in header || 'zip' in header) throw new Refusal('encrypted')
  // No extension is understood, and RFC 7515 §4.1.11 has those that must be refused then.
  if ('crit' in header || 'b64' in header) throw new Refusal('critical-header')
  if (FOREIGN_KEY_MEMBERS.some((member) => member in header && !(bringsKey && member === 'jwk'))) throw new Refusal('unknown-key')
  if (typeof alg !== 'string') throw new Refusal('malformed')
  if (alg.toLowerCase() === 'none') throw new Refusal('unsigned')
  if (kid !== undefined && (typeof kid !== 'string' || kid === '' || Buffer.byteLength(kid) > MAX_KID)) throw new Refusal('unknown-key')
  if (typ !== undefined && typeof typ !== 'string') throw new Refusal('malformed')
  return { header: { alg, kid, typ, hasNonce: 'nonce' in header }, jwk: header['jwk'] }
}

/**
 * The key id that a token names, once its algorithm is one of `allowed`. A token that names none means the key that `only` says, where
 * the issuer has such a key. @throws Refusal `algorithm`, `unknown-key`
 */
export function keyIdOf({ header }: Jws, allowed: ReadonlySet<string>, only?: (algorithm: string) => string | undefined): string {
  if (!allowed.has(header.alg) || !algorithms.has(header.alg)) throw new Refusal('algorithm')
  const kid = header.kid ?? only?.(header.alg)
  if (kid === undefined) throw new Refusal('unknown-key')
  return kid
}

/** Verifies a signature with a key of the issuer (RFC 7515 §5.2). @throws Refusal `algorithm`, `signature` */
export function checkSignature(jws: Jws, key: VerificationKey): void {
  const algorithm = algorithms.get(jws.header.alg)
  if (algorithm === undefined || !key.algorithms.has(jws.header.alg)) throw new Refusal('algorithm')
  const signature = decode(SIGNATURE, jws.signature)
  if (signature.length !== (algorithm.length ?? key.signatureLength)) throw new Refusal('signature')
  if (!isSigned(algorithm, key.key, CONTENT.ofLatin1(jws.signed), signature)) throw new Refusal('signature')
}
