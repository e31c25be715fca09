import type { Identity } from '../../core/principal.ts'
import type { RevocationTarget } from '../../store/revocations.ts'

/** A GUID, or two as Entra's subjects have them: the same in whatever case they were copied. */
const GUIDS = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})?$/i

/** Whether a name is one whose case doesn't count. */
export function isGuid(name: string): boolean {
  return GUIDS.test(name)
}

function keyOf(issuer: string, name: string): string {
  return `${issuer}\n${isGuid(name) ? name.toLowerCase() : name}`
}

/** What revocations end, found by key: the cost of a look-up does not grow with their number. */
export class RevocationIndex {
  readonly #sessions = new Set<string>()
  readonly #subjects = new Set<string>()
  readonly #tokens = new Set<string>()
  readonly #clients = new Set<string>()
  /** By issuer, and by issuer and subject: the latest instant up to which what was issued has ended. */
  readonly #issuers = new Map<string, number>()
  readonly #issued = new Map<string, number>()
  #size = 0

  constructor(targets: Iterable<RevocationTarget> = []) {
    for (const target of targets) this.add(target)
  }

  add(target: RevocationTarget): void {
    this.#size++
    switch (target.kind) {
      case 'session':
        this.#sessions.add(target.session)
        return
      case 'subject':
        this.#subjects.add(keyOf(target.issuer, target.subject))
        return
      case 'token':
        this.#tokens.add(keyOf(target.issuer, target.token))
        return
      case 'client':
        this.#clients.add(keyOf(target.issuer, target.client))
        return
      case 'issued-before':
        if (target.subject === undefined) later(this.#issuers, target.issuer, target.before)
        else later(this.#issued, keyOf(target.issuer, target.subject), target.before)
    }
  }

  /**
   * Whether an identity, or a party that acts for it, is revoked.
   * @param began When the session of this identity began, in milliseconds since the epoch. What it was proven by may have been issued
   * earlier, never later. What has no time of issue at all counts as issued before any instant.
   */
  hits(identity: Identity, began?: number): boolean {
    if (this.#size === 0) return false
    for (let party: Identity | undefined = identity; party !== undefined; party = party.actor)
      if (this.#hitsParty(party, began)) return true
    return false
  }

  #hitsParty(party: Identity, began: number | undefined): boolean {
    const { issuer, subject, evidence } = party
    if (evidence.sessionId !== undefined && this.#sessions.has(evidence.sessionId)) return true
    if (evidence.tokenId !== undefined && this.#tokens.has(keyOf(issuer, evidence.tokenId))) return true
    const key = keyOf(issuer, subject)
    if (this.#subjects.has(key)) return true
    if (this.#clients.size > 0) for (const client of clientsOf(party)) if (this.#clients.has(keyOf(issuer, client))) return true
    const before = Math.max(this.#issuers.get(issuer) ?? Number.NEGATIVE_INFINITY, this.#issued.get(key) ?? Number.NEGATIVE_INFINITY)
    return before !== Number.NEGATIVE_INFINITY && issuedAt(evidence.issuedAt, began) <= before
  }
}

/** Names under which a party may be known as a client: that of its token, and its own where it is no person. */
export function clientsOf({ kind, subject, claims, evidence }: Identity): readonly string[] {
  const named = [evidence.client, claims['client_id'], claims['azp'], kind === 'human' || kind === 'human-via-agent' ? undefined : subject]
  return named.filter((name) => typeof name === 'string')
}

function issuedAt(issued: number | undefined, began: number | undefined): number {
  if (issued === undefined) return began ?? Number.NEGATIVE_INFINITY
  return began === undefined ? issued : Math.min(issued, began)
}

function later(instants: Map<string, number>, key: string, before: number): void {
  instants.set(key, Math.max(instants.get(key) ?? Number.NEGATIVE_INFINITY, before))
}
