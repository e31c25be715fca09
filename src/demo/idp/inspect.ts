/** Introspection (RFC 7662) and revocation (RFC 7009): the library does neither for tokens that are JWTs. */
import type Provider from 'oidc-provider'
import { createLocalJWKSet, jwtVerify, type JWTPayload } from 'jose'
import type { Clock } from '../../core/clock.ts'
import { CI_CLIENT } from './accounts.ts'
import { publicJwkV1, type KeyRing } from './keys.ts'
import { CI_SECRET, findClient, ORDERS_API } from './registrations.ts'

/** What the demo's API authenticates with when it asks about a token. */
export const ORDERS_API_SECRET = 'demo-secret-of-orders'

const SECRETS: Readonly<Record<string, string>> = { [CI_CLIENT]: CI_SECRET, [ORDERS_API.clientId]: ORDERS_API_SECRET }

/** Revoked tokens kept at most; the oldest make room. Each is forgotten when it would have expired anyway. */
const MAX_REVOKED = 10_000

export interface Inspector {
  introspect(form: URLSearchParams, authorization: string | undefined): Promise<Answer>
  revoke(form: URLSearchParams, authorization: string | undefined): Promise<Answer>
}

export interface Answer {
  readonly status: number
  readonly body: unknown
}

const UNAUTHENTICATED: Answer = { status: 401, body: { error: 'invalid_client', error_description: 'client authentication failed' } }

/** Inspects the tokens of one tenant. `provider` is read at every call: a rotation replaces it. */
export function inspector(keys: KeyRing, clock: Clock, tenant: string, provider: () => Provider): Inspector {
  const revoked = new Map<string, number>()

  const verified = async (token: string): Promise<JWTPayload | undefined> => {
    try {
      const set = createLocalJWKSet({ keys: keys.all.map((key) => publicJwkV1(key)) as never })
      const { payload } = await jwtVerify(token, set, { algorithms: ['RS256'], currentDate: new Date(clock.now()) })
      return payload['tid'] === tenant ? payload : undefined
    } catch {
      return undefined
    }
  }

  return {
    async introspect(form, authorization) {
      const client = credentials(form, authorization)
      if (client === undefined || !authenticates(client)) return UNAUTHENTICATED
      const token = form.get('token')
      if (token === null) return missing('token')
      const claims = await verified(token)
      if (claims !== undefined) return { status: 200, body: revoked.has(String(claims['uti'])) ? { active: false } : described(claims) }
      const found = await provider().RefreshToken.find(token)
      if (found === undefined || !found.isValid) return { status: 200, body: { active: false } }
      return {
        status: 200,
        body: { active: true, client_id: found.clientId, scope: found.scope, exp: found.exp, iat: found.iat, token_type: 'refresh_token' },
      }
    },

    async revoke(form, authorization) {
      const client = credentials(form, authorization)
      // A public client proves nothing, and may revoke only what was issued to it (RFC 7009 §2.1).
      if (
        client === undefined ||
        ((client.secret !== undefined || findClient(client.id)?.authentication !== '0') && !authenticates(client))
      )
        return UNAUTHENTICATED
      const token = form.get('token')
      if (token === null) return missing('token')
      const claims = await verified(token)
      if (claims !== undefined) {
        if ((claims['azp'] ?? claims['appid']) !== client.id) return notYours()
        remember(String(claims['uti']), Number(claims.exp) * 1000)
        return { status: 200, body: {} }
      }
      const found = await provider().RefreshToken.find(token)
      if (found === undefined) return { status: 200, body: {} }
      if (found.clientId !== client.id) return notYours()
      await found.destroy()
      if (found.grantId !== undefined) {
        await provider().RefreshToken.revokeByGrantId(found.grantId)
        await provider().AccessToken.revokeByGrantId(found.grantId)
      }
      return { status: 200, body: {} }
    },
  }

  function remember(id: string, until: number): void {
    for (const [known, expiry] of revoked) if (expiry <= clock.now() || revoked.size >= MAX_REVOKED) revoked.delete(known)
    revoked.set(id, until)
  }
}

function missing(parameter: string): Answer {
  return { status: 400, body: { error: 'invalid_request', error_description: `parameter \`${parameter}\` is missing` } }
}

function notYours(): Answer {
  return { status: 400, body: { error: 'invalid_grant', error_description: 'the token was issued to another client' } }
}

/** RFC 7662 §2.2, with Entra's own claims as extensions. */
function described(claims: JWTPayload): object {
  return {
    active: true,
    scope: claims['scp'],
    client_id: claims['azp'] ?? claims['appid'],
    username: claims['preferred_username'] ?? claims['unique_name'],
    token_type: 'Bearer',
    exp: claims.exp,
    iat: claims.iat,
    nbf: claims.nbf,
    sub: claims.sub,
    aud: claims.aud,
    iss: claims.iss,
    jti: claims['uti'],
    tid: claims['tid'],
    oid: claims['oid'],
    roles: claims['roles'],
    groups: claims['groups'],
  }
}

interface ClientCredentials {
  readonly id: string
  readonly secret: string | undefined
}

/** HTTP Basic or form parameters (RFC 6749 §2.3.1). */
function credentials(form: URLSearchParams, authorization: string | undefined): ClientCredentials | undefined {
  const basic = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(authorization ?? '')?.[1]
  if (basic !== undefined) {
    const [id = '', secret = ''] = Buffer.from(basic, 'base64').toString('utf8').split(':')
    return { id: decode(id), secret: decode(secret) }
  }
  const id = form.get('client_id')
  return id === null ? undefined : { id, secret: form.get('client_secret') ?? undefined }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', '%20'))
  } catch {
    return text
  }
}

function authenticates({ id, secret }: ClientCredentials): boolean {
  return secret !== undefined && Object.hasOwn(SECRETS, id) && SECRETS[id] === secret
}
