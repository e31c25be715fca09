import { createPrivateKey, sign } from 'node:crypto'
import type { Clock, Entropy } from '../../core/clock.ts'
import { accessTokenClaims, accessTokenLife, idTokenClaims, MANAGED_IDENTITY_LIFE, type Claims, type Grant } from './claims.ts'
import type { Account } from './accounts.ts'
import type { KeyRing, SigningKey } from './keys.ts'
import { CLI, findClient, ORDERS_API, ORDERS_V1_API, OTHER_API, type Api } from './registrations.ts'

/** Tokens that a gateway must refuse, and why it must. */
export const FAULTY_SHAPES = {
  expired: 'its `exp` is an hour ago',
  future: 'its `nbf` and `iat` are an hour ahead',
  'wrong-audience': 'it is for another API',
  'wrong-issuer': 'its `iss` is not of this provider',
  'id-token': 'it is an ID token: proof of a sign-in to a client, not access to an API',
  'graph-token': 'it is for Microsoft Graph, with the `nonce` in its header that makes its signature uncheckable for others',
  unsigned: 'its `alg` is none, and it has no signature',
  'bad-signature': 'its signature is not of its content',
  'unknown-key': 'its `kid` names no published key',
} as const

export type Shape = 'good' | keyof typeof FAULTY_SHAPES

export function isShape(text: string): text is Shape {
  return text === 'good' || Object.hasOwn(FAULTY_SHAPES, text)
}

export interface MintOptions {
  /** The API that the token is for. Default: the demo's own, and its older registration for version 1.0. */
  readonly api?: Api | undefined
  readonly version?: '1.0' | '2.0' | undefined
  readonly shape?: Shape | undefined
  /** Seconds; default: as Entra has it. */
  readonly life?: number | undefined
  /** Authentication contexts that were satisfied. */
  readonly acrs?: readonly string[] | undefined
  /** Whether its client says that it can handle a claims challenge. */
  readonly cp1?: boolean | undefined
}

export interface Minted {
  readonly token: string
  readonly claims: Claims
  /** Seconds from now. */
  readonly expiresIn: number
}

export interface MintParts {
  readonly authority: string
  readonly keys: KeyRing
  readonly clock: Clock
  readonly entropy: Entropy
}

/** Makes a token for `account` as if it had signed in, in Entra's shape for its kind, or a faulty one on request. */
export function mint(parts: MintParts, account: Account, options: MintOptions = {}): Minted {
  const { entropy, authority, clock, keys } = parts
  const shape = options.shape ?? 'good'
  const api = shape === 'wrong-audience' ? OTHER_API : (options.api ?? (options.version === '1.0' ? ORDERS_V1_API : ORDERS_API))
  const now = Math.floor(clock.now() / 1000)
  const grant: Grant = {
    authority,
    account,
    api,
    client: (account.client === undefined ? undefined : findClient(account.client)) ?? CLI,
    scopes: api.scopes,
    issuedAt: now,
    life: options.life ?? (account.kind === 'managed-identity' ? MANAGED_IDENTITY_LIFE : accessTokenLife(entropy)),
  }
  const context = {
    ...(options.acrs === undefined ? {} : { acrs: options.acrs }),
    ...(options.cp1 === true ? { xms_cc: ['cp1'] } : {}),
  }
  const good =
    shape === 'id-token' ? { ...idTokenClaims(grant, entropy), nonce: 'demo' } : { ...accessTokenClaims(grant, entropy), ...context }
  const { token, claims } = shaped(shape, good, keys.signing, now)
  return { token, claims, expiresIn: Number(claims['exp']) - now }
}

function shaped(shape: Shape, good: Claims, key: SigningKey, now: number): { readonly token: string; readonly claims: Claims } {
  switch (shape) {
    case 'good':
    case 'wrong-audience':
    case 'id-token':
      return { token: signJwt(key, good), claims: good }
    case 'expired':
      return signed(key, { ...good, iat: now - 7200, nbf: now - 7200, exp: now - 3600 })
    case 'future':
      return signed(key, { ...good, iat: now + 3600, nbf: now + 3600, exp: now + 7200 })
    case 'wrong-issuer':
      return signed(key, { ...good, iss: String(good['iss']).replace(/^http:\/\/[^/]+/, 'https://login.example') })
    case 'graph-token': {
      // Graph hashes the nonce into what it signs, so nobody else can check the signature. Signed plainly here: a
      // gateway must refuse it for what it is, and not because the signature happens to be wrong.
      const claims = { ...good, aud: '00000003-0000-0000-c000-000000000000', scp: 'User.Read' }
      return { token: signJwt(key, claims, { nonce: 'demo-nonce' }), claims }
    }
    case 'unsigned':
      return { token: `${base64url({ typ: 'JWT', alg: 'none' })}.${base64url(good)}.`, claims: good }
    case 'bad-signature': {
      const [header = '', , signature = ''] = signJwt(key, good).split('.')
      const claims = { ...good, roles: ['Gateway.Admin'] }
      return { token: `${header}.${base64url(claims)}.${signature}`, claims }
    }
    case 'unknown-key':
      return { token: signJwt(key, good, { kid: 'never-published' }), claims: good }
  }
}

function signed(key: SigningKey, claims: Claims): { readonly token: string; readonly claims: Claims } {
  return { token: signJwt(key, claims), claims }
}

/** Header of a token: v1 tokens name their key twice, v2 tokens once. */
export function headerOf(key: SigningKey, claims: Claims): Claims {
  return claims['ver'] === '1.0' ? { typ: 'JWT', alg: 'RS256', x5t: key.kid, kid: key.kid } : { typ: 'JWT', alg: 'RS256', kid: key.kid }
}

function signJwt(key: SigningKey, claims: Claims, header: Claims = {}): string {
  const input = `${base64url({ ...headerOf(key, claims), ...header })}.${base64url(claims)}`
  const privateKey = createPrivateKey({ key: key.privateJwk, format: 'jwk' })
  return `${input}.${sign('sha256', Buffer.from(input), privateKey).toString('base64url')}`
}

function base64url(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
