/** Client assertions (RFC 7523 §2.2) as Entra takes them: signed by a registered certificate, or by a trusted issuer of federated tokens. */
import { constants, createHash, createPublicKey, verify, type KeyObject, type X509Certificate } from 'node:crypto'
import { EXCHANGE_AUDIENCE, type Credentials, type FederatedCredential } from './credentials.ts'
import { invalidClient, invalidRequest, timeOf, type Refusal } from './refusal.ts'

export interface AssertionParts {
  /** URL of the token endpoint: what an assertion has to be for. */
  readonly endpoint: string
  readonly authority: string
  readonly credentials: Credentials
  /** For the keys of issuers that are trusted. */
  readonly fetch: typeof fetch
  readonly now: () => number
}

type Json = Readonly<Record<string, unknown>>

interface Assertion {
  readonly header: Json
  readonly claims: Json
  /** What is signed. */
  readonly input: Buffer
  readonly signature: Buffer
}

/** Seconds that the clocks of Entra and of a client may differ. */
const SKEW = 300
const MAX_DOCUMENT = 256 * 1024

/** Why the assertion does not prove that the client is this one; undefined where it does. */
export async function judgeAssertion(text: string, clientId: string, parts: AssertionParts): Promise<Refusal | undefined> {
  const assertion = read(text)
  if (assertion === undefined) return invalidClient(50_027, 'Invalid JWT token. JWT token is invalid or malformed.')
  const { iss } = assertion.claims
  return iss === clientId ? judgeOwn(assertion, clientId, parts) : judgeFederated(assertion, clientId, parts)
}

/** Signed by the client itself: `iss` and `sub` are the client, `aud` is the token endpoint. */
function judgeOwn(assertion: Assertion, clientId: string, { credentials, endpoint, now }: AssertionParts): Refusal | undefined {
  const { header, claims } = assertion
  if (claims['sub'] !== clientId)
    return invalidClient(700_021, "Client assertion application identifier doesn't match 'client_id' parameter.")
  const { alg, x5t, 'x5t#S256': x5tS256 } = header
  if (typeof x5t !== 'string' && typeof x5tS256 !== 'string')
    return invalidClient(50_027, 'Invalid JWT token. No certificate thumbprint specified in token header.')
  const certificate = credentials.certificatesOf(clientId).find((one) => isNamed(one, x5t, x5tS256))
  if (certificate === undefined) return invalidSignature('The key was not found.', shown(x5tS256 ?? x5t), clientId)
  const { publicKey } = certificate
  // PS256 goes with the SHA-256 thumbprint, RS256 with the SHA-1 one that it replaces.
  const pss = { key: publicKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
  const good =
    alg === 'PS256' && x5tS256 !== undefined ? signed(assertion, pss) : alg === 'RS256' && x5t !== undefined && signed(assertion, publicKey)
  if (!good)
    return invalidSignature('The provided signature value did not match the expected signature value.', shown(x5tS256 ?? x5t), clientId)
  if (claims['aud'] !== endpoint) return invalidClient(700_023, 'Client assertion audience claim does not match Realm issuer.')
  const seconds = now() / 1000
  if (seconds < Date.parse(certificate.validFrom) / 1000 || seconds > Date.parse(certificate.validTo) / 1000)
    return invalidClient(1_000_502, 'The provided certificate is not within its specified validity period.')
  return judgeTimes(claims, now())
}

/** Signed by somebody else, whom a federated credential of the registration trusts for this one subject. */
async function judgeFederated(assertion: Assertion, clientId: string, parts: AssertionParts): Promise<Refusal | undefined> {
  const { iss, sub, aud } = assertion.claims
  const { credentials, authority, now } = parts
  const unmatched = judgeMatch(credentials.federatedOf(clientId), String(iss), String(sub), aud)
  if (unmatched !== undefined) return unmatched
  if (assertion.header['alg'] !== 'RS256') return invalidClient(50_027, 'Invalid JWT token. Only RS256 is supported.')
  const keys = await keysOf(String(iss), parts.fetch)
  if (keys === undefined) return invalidRequest(50_166, 'Request to External OIDC endpoint failed.')
  const { kid } = assertion.header
  const key = keys.find((one) => one['kid'] === kid)
  const publicKey = key === undefined ? undefined : rsaKey(key)
  if (publicKey === undefined) return invalidSignature('The key was not found.', shown(kid), clientId)
  if (!signed(assertion, publicKey))
    return invalidSignature('The provided signature value did not match the expected signature value.', shown(kid), clientId)
  if (String(iss).startsWith(`${authority}/`) && assertion.claims['idtyp'] !== 'app')
    return invalidClient(700_229, 'The token is not app-only and can not be used as a federated identity credential.')
  return judgeTimes(assertion.claims, now())
}

const COMPARED =
  'Please note that the matching is done using a case-sensitive comparison. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation'

/** By issuer first, then by subject, then by audience: the first that nothing has in common with the assertion is told. */
function judgeMatch(all: readonly FederatedCredential[], iss: string, sub: string, aud: unknown): Refusal | undefined {
  const audience = Array.isArray(aud) && aud.length === 1 ? String(aud[0]) : String(aud)
  const none = 'No matching federated identity record found for presented assertion'
  if (all.length === 0)
    return invalidRequest(
      70_021,
      `${none}. Assertion Issuer: '${shown(iss)}'. Assertion Subject: '${shown(sub)}'. Assertion Audience: '${shown(audience)}'.`,
    )
  const ofIssuer = all.filter(({ issuer }) => issuer === iss)
  if (ofIssuer.length === 0) return invalidClient(700_211, `${none} issuer '${shown(iss)}'. ${COMPARED}`)
  const ofSubject = ofIssuer.filter(({ subject }) => subject === sub)
  if (ofSubject.length === 0) return invalidClient(700_213, `${none} subject '${shown(sub)}'. ${COMPARED}`)
  if (!ofSubject.some((one) => one.audience === audience))
    return invalidClient(700_212, `${none} audience '${shown(audience)}'. ${COMPARED} The audience is '${EXCHANGE_AUDIENCE}' as a rule.`)
  return undefined
}

function judgeTimes({ nbf, exp }: Json, now: number): Refusal | undefined {
  const seconds = now / 1000
  if (typeof exp === 'number' && seconds <= exp + SKEW && (nbf === undefined || (typeof nbf === 'number' && nbf - SKEW <= seconds)))
    return undefined
  const at = (value: unknown): string => (typeof value === 'number' && Math.abs(value) < 1e10 ? timeOf(value * 1000) : 'none')
  return invalidClient(
    700_024,
    `Client assertion is not within its valid time range. Current time: ${timeOf(now)}, assertion valid from ${at(nbf)}, expiry time of assertion ${at(exp)}.`,
  )
}

function invalidSignature(reason: string, key: string, clientId: string): Refusal {
  return invalidClient(
    700_027,
    `Client assertion contains an invalid signature. [Reason - ${reason}, Thumbprint of key used by client: '${key}', Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id '${clientId}'.]`,
  )
}

function isNamed({ raw }: X509Certificate, x5t: unknown, x5tS256: unknown): boolean {
  const digest = (algorithm: string): string => createHash(algorithm).update(raw).digest('base64url')
  return x5tS256 === undefined ? x5t === digest('sha1') : x5tS256 === digest('sha256')
}

function signed({ input, signature }: Assertion, key: KeyObject | Parameters<typeof verify>[2]): boolean {
  return verify('sha256', input, key, signature)
}

/** Keys that an issuer publishes, found by its discovery document; undefined where they can't be got. */
async function keysOf(issuer: string, fetching: typeof fetch): Promise<readonly Json[] | undefined> {
  const document = await got(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, fetching)
  const { issuer: named, jwks_uri: uri } = document ?? {}
  if (named !== issuer || typeof uri !== 'string') return undefined
  const keys = (await got(uri, fetching))?.['keys']
  return Array.isArray(keys) ? keys.filter((one): one is Json => typeof one === 'object' && one !== null) : undefined
}

async function got(url: string, fetching: typeof fetch): Promise<Json | undefined> {
  try {
    const answer = await fetching(url, { redirect: 'error', signal: AbortSignal.timeout(5_000) })
    const text = await answer.text()
    return answer.status === 200 && text.length <= MAX_DOCUMENT ? parsed(text) : undefined
  } catch {
    return undefined
  }
}

function rsaKey(jwk: Json): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: jwk, format: 'jwk' })
    return key.asymmetricKeyType === 'rsa' ? key : undefined
  } catch {
    return undefined
  }
}

function read(text: string): Assertion | undefined {
  const [head = '', body = '', signature = '', ...more] = text.split('.')
  const [header, claims] = [parsed(decoded(head)), parsed(decoded(body))]
  if (header === undefined || claims === undefined || more.length > 0) return undefined
  return { header, claims, input: Buffer.from(`${head}.${body}`), signature: Buffer.from(signature, 'base64url') }
}

function decoded(part: string): string {
  return Buffer.from(part, 'base64url').toString()
}

function parsed(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined
  } catch {
    return undefined
  }
}

/** What a caller wrote, as far as it may be said back. */
function shown(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 200).replaceAll(/[^!-&(-~ ]/g, '?') : ''
}
