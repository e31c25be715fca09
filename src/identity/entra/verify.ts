import type { Evidence } from '../../core/principal.ts'
import type { DeclaredClaim } from '../claims.ts'
import type { IdTokenExpected, TokenResult } from '../issuer.ts'
import { checkSignature, keyIdOf, type Jwt } from '../jose/compact.ts'
import type { JsonObject } from '../jose/json.ts'
import type { VerificationKey } from '../jose/jwk.ts'
import { Refusal, refused } from '../jose/refusal.ts'
import { readConfirmation } from '../possession/confirmation.ts'
import { checkTimes, type Times } from '../jose/times.ts'
import type { KeyAnswer } from '../keys/source.ts'
import { checkNonce, readSid } from '../signed.ts'
import { readCaller, type Caller } from './caller.ts'
import { identityOf } from './identity.ts'
import { isGuid } from './schema.ts'
import type { Realm, Tenants } from './tenants.ts'

/** Entra signs with nothing else. */
const ALGORITHMS: ReadonlySet<string> = new Set(['RS256'])

/** `typ` of access tokens; OpenID Connect asks for none in ID tokens, which come straight from the token endpoint. */
const TYPED = ['JWT'] as const
const UNTYPED = ['JWT', undefined] as const

/** Audiences of Microsoft Graph, whose tokens nobody else can verify. */
const GRAPH = new Set(['00000003-0000-0000-c000-000000000000', 'https://graph.microsoft.com', 'https://graph.microsoft.com/'])

/** Claims that decide. Names that differ in case only would let two readers see two values. */
const DECIDING = new Set([
  'iss',
  'aud',
  'tid',
  'oid',
  'ver',
  'azp',
  'appid',
  'scp',
  'roles',
  'groups',
  'idtyp',
  'acct',
  'idp',
  'tfp',
  'acr',
  'sub',
])

export interface EntraVerifier {
  readonly name: string
  readonly tenants: Tenants
  readonly audiences: ReadonlySet<string>
  readonly clients: ReadonlySet<string>
  readonly agents: ReadonlySet<string>
  readonly declared: readonly DeclaredClaim[]
  readonly maxLifetime: number
  readonly now: () => number
}

/** What makes the last judgement of a token whose signature and times are good. */
type Judge = (verifier: EntraVerifier, jwt: Jwt, realm: Realm, times: Times) => TokenResult

/** Judges an access token. At once where the key is at hand. */
export function verifyAccess(verifier: EntraVerifier, jwt: Jwt): TokenResult | Promise<TokenResult> {
  return verifyWith(verifier, jwt, judgeAccess, TYPED)
}

/** Judges an ID token of a sign-in (OpenID Connect Core §3.1.3.7). */
export function verifyId(verifier: EntraVerifier, jwt: Jwt, expected: IdTokenExpected): TokenResult | Promise<TokenResult> {
  return verifyWith(verifier, jwt, (_, __, realm, times) => judgeId(verifier, jwt, realm, times, expected), UNTYPED)
}

function verifyWith(
  verifier: EntraVerifier,
  jwt: Jwt,
  judge: Judge,
  types: readonly (string | undefined)[],
): TokenResult | Promise<TokenResult> {
  const route = refused(() => {
    const { header, payload } = jwt
    if (header.hasNonce || (typeof payload['aud'] === 'string' && GRAPH.has(payload['aud']))) throw new Refusal('graph-token')
    const kid = keyIdOf(jwt, ALGORITHMS)
    if (!types.includes(header.typ?.toUpperCase())) throw new Refusal('token-type')
    return { realm: realmOf(verifier, payload), kid }
  })
  if ('outcome' in route) return route
  const answer = route.realm.keys.find(route.kid)
  const finish = (found: KeyAnswer): TokenResult => {
    if (found === 'unavailable') return { outcome: 'unavailable', cause: 'keys' }
    if (found === 'unknown') return { outcome: 'rejected', reason: 'unknown-key' }
    return refused(() => {
      checkKey(found, route.realm, jwt.payload)
      checkSignature(jwt, found)
      return judge(verifier, jwt, route.realm, checkTimes(jwt.payload, verifier.now(), verifier.maxLifetime))
    })
  }
  return answer instanceof Promise ? answer.then(finish) : finish(answer)
}

/** The metadata that a token is judged by follows from its `iss`, never from the endpoint that its client called. */
function realmOf({ tenants }: EntraVerifier, { iss, tfp, acr }: JsonObject): Realm {
  if (typeof iss !== 'string') throw new Refusal('issuer')
  // Policies of Azure AD B2C share an `iss`; `acr` names them in older ones.
  const policy = tfp === undefined ? acr : tfp
  const realm = tenants.realmOf(iss, typeof policy === 'string' ? policy : undefined)
  if (realm === undefined && tenants.owns(iss)) throw new Refusal('claim', 'tfp')
  if (realm === undefined) throw new Refusal(tenants.resemblance(iss) === 'other-tenant' ? 'tenant' : 'issuer')
  return realm
}

/** Whether this key may sign for this issuer and in this cloud. */
function checkKey(key: VerificationKey, { tenant, keys, version, foreign }: Realm, { iss }: JsonObject): void {
  const known = keys.documents
  const issuer = known?.metadata.issuer.replace('{tenantid}', tenant)
  if (known === undefined || iss !== issuer) throw new Refusal('issuer')
  if (key.cloudInstance !== undefined && known.cloudInstance !== undefined && key.cloudInstance !== known.cloudInstance)
    throw new Refusal('cloud')
  // Keys of all organizations and of consumers are published together, and only this tells them apart.
  if (foreign === true && version === '2.0' && key.issuer === undefined) throw new Refusal('key-issuer')
  // Both are compared with the realm's own issuer: that of the token is the same by now.
  if (key.issuer !== undefined && key.issuer.replace('{tenantid}', tenant) !== issuer) throw new Refusal('key-issuer')
}

const judgeAccess: Judge = (verifier, jwt, realm, times) => {
  const { payload } = jwt
  const object = checkKeyClaims(payload, realm)
  if (['nonce', 'at_hash', 'c_hash'].some((name) => name in payload)) throw new Refusal('id-token')
  const caller = readCaller(payload, verifier.agents)
  const audience = checkAudience(payload, realm, verifier.audiences)
  return identity(verifier, jwt, realm, times, { object, caller, audience })
}

function judgeId(verifier: EntraVerifier, jwt: Jwt, realm: Realm, times: Times, expected: IdTokenExpected): TokenResult {
  const { payload } = jwt
  const { clientId } = expected
  const object = checkKeyClaims(payload, realm)
  if ('scp' in payload || 'appid' in payload) throw new Refusal('token-type')
  if (payload['aud'] !== clientId) throw new Refusal('audience')
  if ('azp' in payload && payload['azp'] !== clientId) throw new Refusal('client')
  checkNonce(payload, expected)
  const caller: Caller = { kind: 'human', client: clientId, appOnly: false, scopes: undefined, agent: undefined }
  const result = identity(verifier, jwt, realm, times, { object, caller, audience: clientId })
  return result.outcome === 'identity' ? { ...result, sid: readSid(payload) } : result
}

function identity(
  verifier: EntraVerifier,
  { payload, header }: Jwt,
  { tenant, foreign = false }: Realm,
  { issuedAt, expiresAt }: Times,
  { object, caller, audience }: { readonly object: string; readonly caller: Caller; readonly audience: string },
): TokenResult {
  const { iss, uti } = payload
  const confirmation = readConfirmation(payload)
  const evidence: Evidence = {
    credential: confirmation?.method ?? 'bearer',
    ...(confirmation === undefined ? {} : { confirmation }),
    issuerUrl: typeof iss === 'string' ? iss : '', // its realm's own, by now
    audience,
    client: caller.client,
    tokenId: typeof uti === 'string' ? uti : undefined,
    keyId: header.kid,
    algorithm: header.alg,
    issuedAt,
    expiresAt,
    sessionId: undefined,
  }
  const { name: issuer, declared, clients: listedClients } = verifier
  return {
    outcome: 'identity',
    identity: identityOf({ issuer, payload, tenant, foreign, object, caller, declared, listedClients, evidence }),
    expiresAt,
  }
}

/** Without a letter that has a small one. */
const SMALL = /^[\0-@[-\x7f]*$/

/** Refuses two names of one deciding claim. They can't be the same, so that one of them is in other letters. @throws Refusal `claim` */
function checkNames(payload: JsonObject): void {
  let others: Set<string> | undefined
  for (const name of Object.keys(payload)) {
    if (SMALL.test(name)) continue
    const folded = name.toLowerCase()
    if (folded === name || !DECIDING.has(folded)) continue
    if (folded in payload || others?.has(folded) === true) throw new Refusal('claim', folded)
    others = (others ?? new Set()).add(folded)
  }
}

/** `ver`, `tid` and `oid`: all there, once each, and at one with `iss`. Returns the object id in lower case. */
function checkKeyClaims(payload: JsonObject, { tenant, version }: Realm): string {
  checkNames(payload)
  const { ver, tid, oid, sub } = payload
  if (version === 'b2c') {
    if (tid !== undefined && !(isGuid(tid) && tid.toLowerCase() === tenant)) throw new Refusal('tenant')
    // The object id is `sub`, unless the policy has it elsewhere.
    const object = oid ?? sub
    if (!isGuid(object)) throw new Refusal('claim', 'oid')
    return object.toLowerCase()
  }
  if (ver !== version) throw new Refusal('claim', 'ver')
  if (!isGuid(tid)) throw new Refusal('claim', 'tid')
  if (tid.toLowerCase() !== tenant) throw new Refusal('tenant')
  if (!isGuid(oid)) throw new Refusal('claim', 'oid')
  return oid.toLowerCase()
}

/**
 * A v2 token names the API by its client id and nothing else. A v1 token names it as its client asked: by client id or App ID
 * URI, so that a listed client id covers `api://` and the same id there.
 */
function checkAudience({ aud }: JsonObject, { version }: Realm, audiences: ReadonlySet<string>): string {
  if (typeof aud !== 'string') throw new Refusal('audience')
  if (version !== '1.0') {
    if (!isGuid(aud) || !audiences.has(aud)) throw new Refusal('audience')
    return aud
  }
  const guid = aud.startsWith('api://') ? aud.slice('api://'.length) : undefined
  if (!audiences.has(aud) && !(isGuid(guid) && audiences.has(guid))) throw new Refusal('audience')
  return aud
}
