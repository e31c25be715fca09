import { hash, timingSafeEqual } from 'node:crypto'
import type { Clock, Entropy } from '../../core/clock.ts'
import type { DpopProof } from '../../core/credential.ts'
import { TokenCache } from '../cache.ts'
import { algorithmNames } from '../jose/algorithms.ts'
import { checkSignature, readProof, type Proof } from '../jose/compact.ts'
import { readPublicKey, thumbprintOf, type VerificationKey } from '../jose/jwk.ts'
import { Refusal } from '../jose/refusal.ts'
import type { Nonces } from './nonces.ts'
import type { Replays } from './replays.ts'

/** Oldest proof that is taken, in milliseconds, and how far its clock may be ahead. */
export const PROOF_MS = 60_000
export const PROOF_SKEW_MS = 30_000
/** Longest `jti`, in characters. */
const MAX_ID = 256
/** Keys of clients that are kept, so that they needn't be read from each proof, and for how long. */
const KEYS = 2_000
const KEYS_MS = 3_600_000

export interface DpopParts {
  readonly clock: Clock
  readonly entropy: Entropy
  readonly nonces: Nonces
  readonly replays: Replays
  /** Whether a proof without a nonce is refused. */
  readonly nonceRequired: boolean
}

type Known = { readonly key: VerificationKey; readonly thumbprint: string }

/** Judges proofs of possession of a key (RFC 9449 §4.3), each of which is good for one request. */
export class Dpop {
  readonly #parts: DpopParts
  readonly #keys: TokenCache<Known>

  constructor(parts: DpopParts) {
    this.#parts = parts
    this.#keys = new TokenCache(KEYS, parts.entropy)
  }

  /**
   * Checks that `presented` proves the key of `thumbprint` for this request and this token.
   * @throws Refusal `proof` with the member that is wrong, `proof-nonce`, `proof-replayed`, and what `readJws` and `checkSignature` throw
   * @returns `full` where nobody could tell a second use
   */
  check(presented: DpopProof, token: string, thumbprint: string): 'proven' | 'full' {
    const { nonces, replays, nonceRequired } = this.#parts
    const proof = readProof(presented.proof.reveal())
    const { typ, alg } = proof.header
    if (typ?.toLowerCase() !== 'dpop+jwt') throw new Refusal('proof', 'typ')
    if (!(algorithmNames as readonly string[]).includes(alg)) throw new Refusal('proof', 'alg')
    const { key, thumbprint: own } = this.#keyOf(proof)
    // Cheap things before the signature, and nothing is remembered before it.
    if (own !== thumbprint) throw new Refusal('proof', 'jwk')
    const { htm, htu, iat, jti, ath, nonce } = proof.payload
    if (htm !== presented.method) throw new Refusal('proof', 'htm')
    if (typeof htu !== 'string' || !isSameResource(htu, presented.url)) throw new Refusal('proof', 'htu')
    if (typeof ath !== 'string' || !isSame(ath, hash('sha256', token, 'base64url'))) throw new Refusal('proof', 'ath')
    if (typeof jti !== 'string' || jti === '' || jti.length > MAX_ID) throw new Refusal('proof', 'jti')
    this.#checkTime(iat)
    if (nonce !== undefined && typeof nonce !== 'string') throw new Refusal('proof', 'nonce')
    try {
      checkSignature(proof, key)
    } catch (error) {
      throw error instanceof Refusal ? new Refusal('proof', 'signature') : error
    }
    if (nonce === undefined ? nonceRequired : !nonces.isGood(nonce)) throw new Refusal('proof-nonce')
    // Hashed, so that what is remembered has one length, and no two pairs are one.
    const used = replays.use(hash('sha256', `${own} ${jti}`, 'base64url'))
    if (used === 'again') throw new Refusal('proof-replayed')
    return used === 'full' ? 'full' : 'proven'
  }

  #checkTime(iat: unknown): void {
    if (typeof iat !== 'number' || !Number.isFinite(iat)) throw new Refusal('proof', 'iat')
    const age = this.#parts.clock.now() - iat * 1000
    if (age > PROOF_MS || age < -PROOF_SKEW_MS) throw new Refusal('proof', 'iat')
  }

  #keyOf({ jwk }: Proof): Known {
    const text = JSON.stringify(jwk)
    const now = this.#parts.clock.now()
    const known = this.#keys.get(text, now)
    if (known !== undefined) return known
    const key = readPublicKey(jwk)
    if (key === undefined) throw new Refusal('proof', 'jwk')
    const read = { key, thumbprint: thumbprintOf(key) }
    this.#keys.set(text, read, now + KEYS_MS)
    return read
  }
}

/** Scheme, authority and path as one (RFC 9449 §4.3 no. 9); query and fragment don't count. */
function isSameResource(htu: string, url: string): boolean {
  // As nearly every client writes it; else what it means counts.
  if (htu === /^https?:[^?#@]+(?=[?#]|$)/.exec(url)?.[0]) return true
  if (htu.length > 8_192 || !URL.canParse(htu) || !URL.canParse(url)) return false
  const [told, asked] = [new URL(htu), new URL(url)]
  return (
    told.origin !== 'null' && told.username === '' && told.password === '' && told.origin + told.pathname === asked.origin + asked.pathname
  )
}

function isSame(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}
