import type { Clock } from '../core/clock.ts'
import { OstiaryError } from '../core/errors.ts'
import type { Principal } from '../core/principal.ts'
import type { Recorder } from '../core/record.ts'
import { RevocationIndex, type Identities, type ProviderEnd } from '../identity/index.ts'
import type { RevocationTarget, StoredRevocation } from '../store/revocations.ts'

export interface EndingParts {
  readonly clock: Clock
  readonly newId: () => string
  readonly audit: Recorder
  readonly identities: Pick<Identities, 'sessions' | 'revocations' | 'keptUntil'>
}

/** Somebody's wish to end access. */
export interface RevocationRequest {
  readonly target: RevocationTarget
  readonly reason: string
  /** For a subject or a client: when it is let in again, in milliseconds since the epoch. Default: when that is lifted. */
  readonly until?: number | undefined
}

/** Who or what ends it: a person, or a provider. */
interface EndedBy {
  readonly name: string
  readonly principal: Principal | undefined
  readonly details: Readonly<Record<string, string>>
}

/**
 * Ends access, and takes that back. Each is in the record, durably, before it takes effect: what could not be recorded or kept is
 * refused whole.
 */
export class Ending {
  readonly #parts: EndingParts

  constructor(parts: EndingParts) {
    this.#parts = parts
  }

  /**
   * Ends a session in every process that shares the data directory.
   * @throws OstiaryError `identity/no-session`, `identity/revocations-unavailable`, `identity/too-many-revocations`, `audit/unavailable`
   */
  async endSession(session: string, by: Principal): Promise<void> {
    await this.#revoke('session-ended', { target: { kind: 'session', session }, reason: 'ended' }, by)
  }

  /**
   * Revokes on behalf of `by`. @throws OstiaryError `identity/own-access` where a subject or client would shut itself out; what
   * `endSession` throws
   */
  revoke(request: RevocationRequest, by: Principal): Promise<StoredRevocation> {
    return this.#revoke('revoked', request, by)
  }

  /**
   * Ends what a provider says has ended.
   * @throws OstiaryError `identity/revocations-unavailable`, `identity/too-many-revocations`, `audit/unavailable`
   */
  async told({ issuer, event, target }: ProviderEnd): Promise<void> {
    await this.#end(
      'provider-ended',
      { target, reason: event },
      { name: issuer, principal: undefined, details: { provider: issuer, event } },
    )
  }

  /**
   * Takes a revocation back.
   * @throws OstiaryError `identity/no-revocation`, `identity/revocations-unavailable`, `audit/unavailable`
   */
  async lift(id: string, by: Principal): Promise<StoredRevocation> {
    const { audit, clock, identities } = this.#parts
    const found = identities.revocations.list().find((one) => one.id === id)
    if (found === undefined) throw new OstiaryError('identity/no-revocation', { revocation: id })
    const details = { revocation: id, ...detailsOf(found.target), reason: found.reason, by: found.by }
    await audit.noteDurably({ kind: 'revocation-lifted', time: clock.now(), principal: by, details })
    await this.#taken(by, details, () => identities.revocations.lift(id))
    return found
  }

  async #revoke(kind: 'session-ended' | 'revoked', request: RevocationRequest, by: Principal): Promise<StoredRevocation> {
    const { target, reason } = request
    // A person or an agent that shuts itself out can't lift that. Ending what was issued so far, by contrast, asks for a new sign-in.
    if (
      (target.kind === 'subject' || target.kind === 'client') &&
      by.identity !== undefined &&
      new RevocationIndex([target]).hits(by.identity)
    )
      throw new OstiaryError('identity/own-access')
    const details = kind === 'revoked' ? { reason } : {}
    return this.#end(kind, request, { name: `${by.issuer}/${by.subject}`, principal: by, details })
  }

  async #end(kind: string, { target, reason, until }: RevocationRequest, by: EndedBy): Promise<StoredRevocation> {
    const { audit, clock, newId, identities } = this.#parts
    const now = clock.now()
    const kept = until ?? (await identities.keptUntil(target))
    const revocation = { id: newId(), target, reason, by: by.name, createdAt: now, until: kept }
    const details = {
      revocation: revocation.id,
      ...detailsOf(target),
      ...by.details,
      ...(kept === undefined ? {} : { until: new Date(kept).toISOString() }),
    }
    const who = by.principal === undefined ? {} : { principal: by.principal }
    await audit.noteDurably({ kind, time: now, ...who, details })
    await this.#taken(by.principal, details, () => identities.revocations.add(revocation))
    // It has ended already, everywhere; this only makes room, which the next sweep would do as well.
    if (target.kind === 'session') await identities.sessions.end(target.session).catch(() => false)
    return revocation
  }

  /** The record says that it was done: where it then could not be, it says that, too. */
  async #taken(by: Principal | undefined, details: ReturnType<typeof detailsOf>, work: () => Promise<unknown>): Promise<void> {
    try {
      await work()
    } catch (error) {
      const code = error instanceof OstiaryError ? error.code : 'internal'
      const who = by === undefined ? {} : { principal: by }
      this.#parts.audit.note({ kind: 'revocation-failed', time: this.#parts.clock.now(), ...who, details: { ...details, code } })
      throw error
    }
  }
}

/** A target for records. */
export function detailsOf(target: RevocationTarget): Readonly<Record<string, string>> {
  const { kind, ...rest } = target
  return {
    target: kind,
    ...Object.fromEntries(
      Object.entries(rest).flatMap(([name, value]) =>
        value === undefined ? [] : [[name, typeof value === 'number' ? new Date(value).toISOString() : value]],
      ),
    ),
  }
}
