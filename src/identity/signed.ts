import type { Evidence } from '../core/principal.ts'
import type { IdTokenExpected, TokenResult } from './issuer.ts'
import { checkSignature, keyIdOf, type Jwt } from './jose/compact.ts'
import type { JsonObject, JsonValue } from './jose/json.ts'
import { Refusal, refused, type Rejected } from './jose/refusal.ts'
import { checkTimes, type Times } from './jose/times.ts'
import { readConfirmation } from './possession/confirmation.ts'
import type { KeyAnswer } from './keys/source.ts'

/** Longest `sub`, in characters (OpenID Connect Core §2). */
export const MAX_SUBJECT = 255

/** Where an issuer's keys come from. */
export interface Keys {
  find(kid: string): KeyAnswer | Promise<KeyAnswer>
  /** The id of the one key that a token without `kid` can mean, where the source allows for such tokens. */
  readonly only?: (algorithm: string) => string | undefined
}

/** What a signed token is judged by before anything is made of its claims. */
export interface SignedVerifier {
  /** The `iss` of its tokens. */
  readonly issuer: string
  readonly keys: Keys
  readonly algorithms: ReadonlySet<string>
  /** Milliseconds. */
  readonly maxLifetime: number
  readonly now: () => number
}

/**
 * Judges issuer, algorithm, type, key, signature and times, in this order, then lets `judge` have the last word. At once where the key
 * is at hand. `checkType` throws a Refusal for what is another kind of token.
 */
export function verifySigned(
  verifier: SignedVerifier,
  jwt: Jwt,
  checkType: () => void,
  judge: (times: Times) => TokenResult,
): TokenResult | Promise<TokenResult> {
  return verifyOrigin(verifier, jwt, checkType, () => judge(checkTimes(jwt.payload, verifier.now(), verifier.maxLifetime)))
}

/** What could not be told now. */
type Unavailable = Extract<TokenResult, { outcome: 'unavailable' }>

/** The same without the times, for what is signed and doesn't last. `judge` throws a Refusal. */
export function verifyOrigin<T extends { readonly outcome: string }>(
  { issuer, algorithms, keys }: Pick<SignedVerifier, 'issuer' | 'algorithms' | 'keys'>,
  jwt: Jwt,
  checkType: () => void,
  judge: () => T,
): T | Rejected | Unavailable | Promise<T | Rejected | Unavailable> {
  const kid = refused(() => {
    if (jwt.payload['iss'] !== issuer) throw new Refusal('issuer')
    const id = keyIdOf(jwt, algorithms, keys.only)
    checkType()
    return id
  })
  if (typeof kid !== 'string') return kid
  const answer = keys.find(kid)
  const finish = (found: KeyAnswer): T | Rejected | Unavailable => {
    if (found === 'unavailable') return { outcome: 'unavailable', cause: 'keys' }
    if (found === 'unknown') return { outcome: 'rejected', reason: 'unknown-key' }
    return refused(() => {
      // A key that names its issuer signs for that one only.
      if (found.issuer !== undefined && found.issuer !== issuer) throw new Refusal('key-issuer')
      checkSignature(jwt, found)
      return judge()
    })
  }
  return answer instanceof Promise ? answer.then(finish) : finish(answer)
}

/** The accepted audience that a token names, alone or among others. @throws Refusal `audience` */
export function checkAudience(aud: JsonValue | undefined, audiences: ReadonlySet<string>): string {
  const named = typeof aud === 'string' ? [aud] : Array.isArray(aud) ? (aud as readonly JsonValue[]) : []
  const accepted = named.find((one) => typeof one === 'string' && audiences.has(one))
  if (typeof accepted !== 'string' || named.some((one) => typeof one !== 'string')) throw new Refusal('audience')
  return accepted
}

/** A claim that a token must have, as text. @throws Refusal `claim` */
export function readText(payload: JsonObject, name: string, longest = MAX_SUBJECT): string {
  const value = payload[name]
  if (typeof value !== 'string' || value === '' || value.length > longest) throw new Refusal('claim', name)
  return value
}

/**
 * Whether an ID token belongs to the sign-in that sent this nonce (OpenID Connect Core §3.1.3.7, 11; §12.2 for a refreshed one).
 * @throws Refusal `claim`
 */
export function checkNonce(payload: JsonObject, { nonce, refreshed = false }: IdTokenExpected): void {
  if (refreshed && payload['nonce'] === undefined) return
  if (nonce === '' || payload['nonce'] !== nonce) throw new Refusal('claim', 'nonce')
}

/** The name of the provider's own session (OpenID Connect Back-Channel Logout §2.1). @throws Refusal `claim` for one that can't be kept */
export function readSid(payload: JsonObject): string | undefined {
  return payload['sid'] === undefined ? undefined : readText(payload, 'sid')
}

/** What is known of a proof, as told by the token itself. */
export interface Proof {
  /** The issuer's own URL. */
  readonly issuerUrl: string
  readonly audience: string
  readonly client: string | undefined
  readonly issuedAt: number | undefined
  readonly expiresAt: number
  /** Undefined where nothing is signed. */
  readonly header: Pick<Jwt['header'], 'kid' | 'alg'> | undefined
}

/** How a token proved its subject. One that is bound to a key says so: it is not proven by itself. @throws Refusal `token-type` */
export function bearerEvidence(payload: JsonObject, proof: Proof): Evidence {
  const { header, ...told } = proof
  const { jti } = payload
  const confirmation = readConfirmation(payload)
  return {
    credential: confirmation?.method ?? 'bearer',
    ...(confirmation === undefined ? {} : { confirmation }),
    ...told,
    tokenId: typeof jti === 'string' ? jti : undefined,
    keyId: header?.kid,
    algorithm: header?.alg,
    sessionId: undefined,
  }
}
