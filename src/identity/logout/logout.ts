import type { Clock } from '../../core/clock.ts'
import { OstiaryError } from '../../core/errors.ts'
import type { Meter } from '../../core/meter.ts'
import type { SessionStore } from '../../store/sessions.ts'
import { Budget } from '../budget.ts'
import { endTarget, sessionsOf, type EndAccess } from '../ended.ts'
import type { Issuer } from '../issuer.ts'

/** Requests that end nothing, per source. */
const COLD = { rate: 20, burst: 100, sources: 10_000 }
/** Longest `iss` and `sid` that are looked at, in characters. */
const MAX_PARAMETER = 1_024

export interface LogoutParts {
  readonly issuers: readonly Issuer[]
  readonly store: SessionStore
  readonly clock: Clock
  readonly meter: Meter
  readonly log: (line: string) => void
  readonly end: EndAccess
}

export type LogoutAnswer =
  | { readonly kind: 'done' }
  /** `reason` is fit for the caller: lower case, one line, nothing that the caller wrote. */
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'failed' }
  | { readonly kind: 'overloaded' }

/** A provider that signs somebody out tells it here: what began with its session ends, on every door and open stream. */
export class Logout {
  readonly #parts: LogoutParts
  readonly #budget: Budget

  constructor(parts: LogoutParts) {
    this.#parts = parts
    this.#budget = new Budget(parts.clock, COLD)
  }

  /** Takes a logout request from the provider itself (OpenID Connect Back-Channel Logout §2.5). @param form Its body. */
  async backChannel(issuerName: string, form: string, source: string): Promise<LogoutAnswer> {
    const { issuers, store, clock, log } = this.#parts
    const issuer = issuers.find(({ name }) => name === issuerName)
    if (issuer?.signIn === undefined || issuer.verifyLogoutToken === undefined)
      return this.#refuse('the provider has no back-channel logout')
    const tokens = new URLSearchParams(form).getAll('logout_token')
    const [token] = tokens
    if (tokens.length !== 1 || token === undefined) return this.#refuse('one `logout_token` must be sent')
    if (!this.#budget.take(source)) return this.#counted('overloaded', { kind: 'overloaded' })
    const result = await issuer.verifyLogoutToken(token, issuer.signIn.clientId)
    switch (result.outcome) {
      case 'unavailable':
        return this.#counted('unavailable', { kind: 'failed' })
      case 'rejected':
        log(`issuer ${issuer.name}: a logout token was refused: ${result.reason}${result.claim === undefined ? '' : ` ${result.claim}`}`)
        return this.#refuse('the logout token is not valid')
      case 'logout': {
        const { sid, subject, tokenId, expiresAt } = result
        return this.#attempt(async () => {
          if (!(await store.spend(`logout ${issuer.name} ${tokenId}`, expiresAt, clock.now())))
            return this.#refuse('the logout token was used before')
          this.#budget.giveBack(source)
          const ended = sid === undefined ? 0 : await this.#endSession(issuer.name, sid, 'back-channel-logout')
          // A provider that names its session in the logout token, but in no ID token, means all of them.
          if (ended === 0 && subject !== undefined) await this.#endSubject(issuer.name, subject)
          return this.#counted('done', { kind: 'done' })
        })
      }
    }
  }

  /**
   * Takes a logout request that comes through the browser (OpenID Connect Front-Channel Logout §2). It is not signed: only who knows the
   * provider's name of a session ends it, as nobody else can guess it.
   */
  async frontChannel(issuerName: string, query: string, source: string): Promise<LogoutAnswer> {
    const issuer = this.#parts.issuers.find(({ name }) => name === issuerName)
    if (issuer?.signIn === undefined) return this.#refuse('sign-in is not configured here')
    const parameters = new URLSearchParams(query)
    const [issuers, sids] = [parameters.getAll('iss'), parameters.getAll('sid')]
    const [iss = '', sid = ''] = [issuers[0], sids[0]]
    if (issuers.length !== 1 || sids.length !== 1 || sid === '' || iss.length > MAX_PARAMETER || sid.length > MAX_PARAMETER)
      return this.#refuse('one `iss` and one `sid` must be sent')
    if (!issuer.owns(iss)) return this.#refuse('this is not the provider that people sign in with here')
    if (!this.#budget.take(source)) return this.#counted('overloaded', { kind: 'overloaded' })
    return this.#attempt(async () => {
      if ((await this.#endSession(issuer.name, sid, 'front-channel-logout')) > 0) this.#budget.giveBack(source)
      return this.#counted('done', { kind: 'done' }) // whether there was one is not told
    })
  }

  async #endSession(issuer: string, sid: string, event: string): Promise<number> {
    const { store, end } = this.#parts
    const targets = await sessionsOf(store, issuer, sid)
    for (const target of targets) await endTarget(end, { issuer, event, target })
    return targets.length
  }

  async #endSubject(issuer: string, subject: string): Promise<void> {
    const { clock, end } = this.#parts
    const target = { kind: 'issued-before', issuer, subject, before: clock.now() } as const
    await end({ issuer, event: 'back-channel-logout', target })
  }

  async #attempt(work: () => Promise<LogoutAnswer>): Promise<LogoutAnswer> {
    try {
      return await work()
    } catch (error) {
      this.#parts.log(`a logout of the provider was not carried out: ${error instanceof OstiaryError ? error.message : 'the store failed'}`)
      return this.#counted('failed', { kind: 'failed' })
    }
  }

  #refuse(reason: string): LogoutAnswer {
    return this.#counted('refused', { kind: 'refused', reason })
  }

  #counted(outcome: string, answer: LogoutAnswer): LogoutAnswer {
    this.#parts.meter.count('identity_logouts', { outcome })
    return answer
  }
}
