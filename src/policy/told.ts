/** Somebody of whom another tells who has verified who they are: an API server, by the names of user and groups. */
import type { Identity } from '../core/principal.ts'
import type { Held } from './roleset.ts'
import { AUTHENTICATED, EVERYONE } from './model.ts'

/** What is told, and nothing else is known. */
export interface Told {
  readonly issuer: string
  readonly subject: string
  /** Names of roles, some of which there may not be. */
  readonly roles: readonly string[]
  /** Claims that they may have, all of which are unknown. */
  readonly claims: Iterable<string>
}

/**
 * A role that none of the issuer's bindings gives any more, and `authenticated` where it isn't told, are unknown: they grant nothing, and
 * what is taken from their holders is taken.
 * @param given Until when each role is given that the issuer's claims give
 */
export function toldRoles(
  roles: readonly string[],
  indexes: ReadonlyMap<string, number>,
  given: ReadonlyMap<string, number>,
): { readonly held: readonly Held[]; readonly unsure: readonly Held[] } {
  const endless = Number.POSITIVE_INFINITY
  const held: Held[] = [{ index: indexes.get(EVERYONE)!, role: EVERYONE, until: endless }]
  const unsure: Held[] = []
  const told = new Set(roles)
  for (const role of told) {
    const index = indexes.get(role)
    if (index === undefined || role === EVERYONE) continue
    const until = role === AUTHENTICATED ? endless : given.get(role)
    if (until !== undefined) held.push({ index, role, until })
    // After its end it is as unknown as one that nothing gives.
    if (until !== endless) unsure.push({ index, role, until: endless })
  }
  if (!told.has(AUTHENTICATED)) unsure.push({ index: indexes.get(AUTHENTICATED)!, role: AUTHENTICATED, until: endless })
  return { held, unsure }
}

export function toldIdentity({ issuer, subject, claims }: Told): Identity {
  return {
    issuer,
    subject,
    kind: 'human',
    claims: Object.freeze(Object.create(null) as Identity['claims']),
    unknownClaims: new Set(claims),
    // Of a token that is capped by its scopes nobody tells which they were: none.
    scopes: [],
    appOnly: false,
    listedClient: false,
    actor: undefined,
    display: undefined,
    evidence: {
      credential: 'told',
      issuerUrl: '',
      audience: '',
      client: undefined,
      tokenId: undefined,
      keyId: undefined,
      algorithm: undefined,
      issuedAt: undefined,
      expiresAt: Number.POSITIVE_INFINITY,
      sessionId: undefined,
    },
  }
}
