import type { Clock } from '../../core/clock.ts'
import type { Principal } from '../../core/principal.ts'

/** Signs the gateway's assertions: ES256, `r || s` of 64 bytes (RFC 7518 §3.4). */
export interface AssertionSigner {
  /** `iss` of the assertions. */
  readonly issuer: string
  /** Id of the key that signs now. */
  readonly kid: string
  sign(input: Uint8Array): Uint8Array | Promise<Uint8Array>
  /** The keys to verify with, as published. */
  jwks(): object
}

/** An assertion lives five minutes; a cached one is replaced when it has lived four. */
const LIFETIME_MS = 300_000
export const REFRESH_MS = 240_000

export interface AssertionParts {
  readonly signer: AssertionSigner
  readonly clock: Clock
  readonly newId: () => string
}

/** A request that an assertion is bound to. */
export interface Binding {
  readonly method: string
  /** Scheme, host and exact path, without the query. */
  readonly uri: string
}

interface Party {
  readonly sub: string
  readonly ost_issuer: string
  readonly ost_kind: string
  readonly act?: Party
}

function party(principal: Principal): Party {
  const { subject, issuer, kind, actor } = principal
  return { sub: subject, ost_issuer: issuer, ost_kind: kind, ...(actor === undefined ? {} : { act: party(actor) }) }
}

/**
 * A compact JWS that says who calls: `iss`, `aud`, `iat`, `exp`, `jti`, `sub`, `ost_issuer`, `ost_kind`, `roles`, `act`
 * (RFC 8693), and `htm` and `htu` where it is bound to the request. A subject is one within its `ost_issuer`. It never
 * outlives the credential that it stands for, nor a role that it tells of.
 */
export function assertionFor(
  principal: Principal,
  audience: string,
  credentialEnds: number,
  binding: Binding | undefined,
  { signer, clock, newId }: AssertionParts,
): string | Promise<string> {
  const now = clock.now()
  const claims = {
    iss: signer.issuer,
    aud: audience,
    iat: Math.floor(now / 1000),
    exp: Math.floor(Math.min(now + LIFETIME_MS, credentialEnds, principal.rolesUntil ?? Number.POSITIVE_INFINITY) / 1000),
    jti: newId(),
    ...party(principal),
    roles: principal.roles,
    ...(binding === undefined ? {} : { htm: binding.method, htu: binding.uri }),
  }
  const input = `${segment({ typ: 'JWT', alg: 'ES256', kid: signer.kid })}.${segment(claims)}`
  const signature = signer.sign(Buffer.from(input))
  return signature instanceof Promise ? signature.then((bytes) => finish(input, bytes)) : finish(input, signature)
}

function finish(input: string, signature: Uint8Array): string {
  return `${input}.${Buffer.from(signature).toString('base64url')}`
}

function segment(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
