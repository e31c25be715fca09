import type { Evidence, Identity } from '../../core/principal.ts'
import { readClaims, type DeclaredClaim } from '../claims.ts'
import type { TokenResult } from '../issuer.ts'
import { checkSignature, keyIdOf, type Jwt } from '../jose/compact.ts'
import type { JsonObject, JsonValue } from '../jose/json.ts'
import { Refusal, refused } from '../jose/refusal.ts'
import { checkTimes, type Times } from '../jose/times.ts'
import type { KeyAnswer, KeySource } from '../keys/source.ts'
import { MAX_SUBJECT, readActors, readClient, withClient } from './parties.ts'

export interface OidcVerifier {
  readonly name: string
  /** The `iss` of its tokens. */
  readonly issuer: string
  readonly keys: KeySource
  readonly algorithms: ReadonlySet<string>
  readonly audiences: ReadonlySet<string>
  readonly clients: ReadonlySet<string>
  readonly agents: ReadonlySet<string>
  readonly acceptPlainJwt: boolean
  readonly declared: readonly DeclaredClaim[]
  readonly maxLifetime: number
  readonly now: () => number
}

/** Judges an access token (RFC 9068 §4). At once where the key is at hand. */
export function verifyAccess(verifier: OidcVerifier, jwt: Jwt): TokenResult | Promise<TokenResult> {
  return verifyWith(
    verifier,
    jwt,
    () => checkType(jwt, verifier.acceptPlainJwt),
    (times) => judgeAccess(verifier, jwt, times),
  )
}

/** Judges an ID token of a sign-in (OpenID Connect Core §3.1.3.7). */
export function verifyId(
  verifier: OidcVerifier,
  jwt: Jwt,
  expected: { readonly clientId: string; readonly nonce: string },
): TokenResult | Promise<TokenResult> {
  const checkIdType = (): void => {
    if (!['JWT', undefined].includes(jwt.header.typ?.toUpperCase())) throw new Refusal('token-type')
  }
  return verifyWith(verifier, jwt, checkIdType, (times) => judgeId(verifier, jwt, times, expected))
}

function verifyWith(
  verifier: OidcVerifier,
  jwt: Jwt,
  checkKind: () => void,
  judge: (times: Times) => TokenResult,
): TokenResult | Promise<TokenResult> {
  const kid = refused(() => {
    if (jwt.payload['iss'] !== verifier.issuer) throw new Refusal('issuer')
    const id = keyIdOf(jwt, verifier.algorithms)
    checkKind()
    return id
  })
  if (typeof kid !== 'string') return kid
  const answer = verifier.keys.find(kid)
  const finish = (found: KeyAnswer): TokenResult => {
    if (found === 'unavailable') return { outcome: 'unavailable', cause: 'keys' }
    if (found === 'unknown') return { outcome: 'rejected', reason: 'unknown-key' }
    return refused(() => {
      // A key that names its issuer signs for that one only.
      if (found.issuer !== undefined && found.issuer !== verifier.issuer) throw new Refusal('key-issuer')
      checkSignature(jwt, found)
      return judge(checkTimes(jwt.payload, verifier.now(), verifier.maxLifetime))
    })
  }
  return answer instanceof Promise ? answer.then(finish) : finish(answer)
}

/** `typ` of an access token (RFC 9068 §2.1, RFC 8725 §3.11). */
function checkType({ header, payload }: Jwt, acceptPlainJwt: boolean): void {
  const type = header.typ?.toLowerCase().replace(/^application\//, '')
  if (type === 'at+jwt') return
  if (looksLikeIdToken(payload)) throw new Refusal('id-token')
  if (!acceptPlainJwt || (type !== undefined && type !== 'jwt')) throw new Refusal('token-type')
}

/** What no access token carries: hashes of what came with it, or a nonce without a client. Keycloak says `typ: ID` in the payload. */
function looksLikeIdToken(payload: JsonObject): boolean {
  if (payload['typ'] === 'ID' || 'at_hash' in payload || 'c_hash' in payload || 's_hash' in payload) return true
  if ('nonce' in payload && !('client_id' in payload)) return true
  const { aud, azp } = payload
  return (
    !('scope' in payload) &&
    !('scp' in payload) &&
    !('client_id' in payload) &&
    azp !== undefined &&
    (Array.isArray(aud) ? aud[0] : aud) === azp
  )
}

function judgeAccess(verifier: OidcVerifier, jwt: Jwt, times: Times): TokenResult {
  const { payload } = jwt
  if (looksLikeIdToken(payload)) throw new Refusal('id-token')
  if ('cnf' in payload) throw new Refusal('token-type') // bound to a key that a bearer doesn't prove (RFC 7800)
  const { typ } = payload
  if (typ !== undefined && !(typeof typ === 'string' && /^(bearer|jwt|at\+jwt)$/i.test(typ))) throw new Refusal('token-type')
  const audience = checkAudience(payload['aud'], verifier.audiences)
  const subject = readSubject(payload)
  const client = readClient(payload)
  if (client === undefined && !verifier.acceptPlainJwt) throw new Refusal('claim', 'client_id')
  // RFC 9068 §2.2: the subject of a token that a client got for itself is the client.
  const appOnly = client !== undefined && subject === client && payload['act'] === undefined
  const evidence = evidenceOf(verifier.issuer, jwt, times, audience, client)
  const scopes = readScopes(payload, appOnly)
  const { name: issuer, issuer: issuerUrl, declared, agents } = verifier
  const actor = appOnly ? undefined : readActors(payload, client, { issuer, issuerUrl, declared, agents, evidence, scopes })
  const identity: Identity = {
    issuer,
    subject,
    kind: kindOf(subject, client, appOnly, actor, agents),
    ...readClaims(withClient(payload, client), declared),
    scopes,
    appOnly,
    listedClient: appOnly && verifier.clients.has(client),
    actor,
    display: appOnly ? client : displayOf(payload),
    evidence,
  }
  return { outcome: 'identity', identity, expiresAt: times.expiresAt }
}

function judgeId(
  verifier: OidcVerifier,
  jwt: Jwt,
  times: Times,
  { clientId, nonce }: { readonly clientId: string; readonly nonce: string },
): TokenResult {
  const { payload } = jwt
  const { aud, azp, typ } = payload
  if (typ !== undefined && typ !== 'ID') throw new Refusal('token-type')
  if (Array.isArray(aud) ? !aud.includes(clientId) : aud !== clientId) throw new Refusal('audience')
  // Several audiences: the token must say that it was made for us (§3.1.3.7, 4 and 5).
  if (azp === undefined ? Array.isArray(aud) && aud.length > 1 : azp !== clientId) throw new Refusal('client')
  if (nonce === '' || payload['nonce'] !== nonce) throw new Refusal('claim', 'nonce')
  const identity: Identity = {
    issuer: verifier.name,
    subject: readSubject(payload),
    kind: 'human',
    ...readClaims(withClient(payload, clientId), verifier.declared),
    scopes: undefined,
    appOnly: false,
    listedClient: false,
    actor: undefined,
    display: displayOf(payload),
    evidence: evidenceOf(verifier.issuer, jwt, times, clientId, clientId),
  }
  return { outcome: 'identity', identity, expiresAt: times.expiresAt }
}

function kindOf(
  subject: string,
  client: string | undefined,
  appOnly: boolean,
  actor: Identity | undefined,
  agents: ReadonlySet<string>,
): Identity['kind'] {
  if (agents.has(subject)) return 'agent'
  if (appOnly) return client !== undefined && agents.has(client) ? 'agent' : 'workload'
  for (let at = actor; at !== undefined; at = at.actor) if (at.kind === 'agent') return 'human-via-agent'
  return 'human'
}

/** The accepted audience that the token names, alone or among others. */
function checkAudience(aud: JsonValue | undefined, audiences: ReadonlySet<string>): string {
  const named = typeof aud === 'string' ? [aud] : Array.isArray(aud) ? (aud as readonly JsonValue[]) : []
  const accepted = named.find((one) => typeof one === 'string' && audiences.has(one))
  if (typeof accepted !== 'string' || named.some((one) => typeof one !== 'string')) throw new Refusal('audience')
  return accepted
}

function readSubject({ sub }: JsonObject): string {
  if (typeof sub !== 'string' || sub === '' || sub.length > MAX_SUBJECT) throw new Refusal('claim', 'sub')
  return sub
}

/**
 * `scope` (RFC 8693 §4.2), or `scp` as Okta and others write it. A delegated token without any has none; one that a client got for
 * itself is capped by its scopes only where it names some.
 */
function readScopes({ scope, scp }: JsonObject, appOnly: boolean): readonly string[] | undefined {
  const value = scope === undefined ? scp : scope
  if (value === undefined) return appOnly ? undefined : []
  if (typeof value === 'string') return value.split(' ').filter((one) => one !== '')
  if (!Array.isArray(value) || !value.every((one) => typeof one === 'string'))
    throw new Refusal('claim', scope === undefined ? 'scp' : 'scope')
  return value
}

function displayOf(payload: JsonObject): string | undefined {
  const shown = payload['preferred_username'] ?? payload['name'] ?? payload['email']
  return typeof shown === 'string' ? shown : undefined
}

function evidenceOf(
  issuerUrl: string,
  { header, payload }: Jwt,
  { issuedAt, expiresAt }: Times,
  audience: string,
  client: string | undefined,
): Evidence {
  const { jti } = payload
  return {
    credential: 'bearer',
    issuerUrl,
    audience,
    client,
    tokenId: typeof jti === 'string' ? jti : undefined,
    keyId: header.kid,
    algorithm: header.alg,
    issuedAt,
    expiresAt,
    sessionId: undefined,
  }
}
