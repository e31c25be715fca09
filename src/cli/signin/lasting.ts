import { AHEAD } from '../../../bin/kubetoken.js'
import { OstiaryError } from '../../core/errors.ts'
import { keep, keepToken, kept, keptToken, type StoredLogin } from '../credentials.ts'
import { locked } from './lock.ts'

/** Why there is no token: nobody has signed in, the sign-in is over for good, or whoever renews it can't be asked or doesn't give one. */
export interface NoToken {
  readonly none: 'not-signed-in' | 'over' | 'unavailable' | 'refused'
  /** In the provider's own words, in one line. */
  readonly reason: string
}

/** What a provider says where only a person can go on (RFC 6749 §5.2, OpenID Connect Core §3.1.2.6). */
const PERSON_NEEDED = new Set(['invalid_grant', 'interaction_required', 'login_required', 'consent_required'])

/** The sign-in for a gateway, refreshed where it has ended and can be; undefined if somebody has to sign in. */
export async function currentLogin(url: string): Promise<StoredLogin | undefined> {
  const current = await currentToken(url)
  return 'none' in current ? undefined : current
}

/**
 * The sign-in for a gateway, or a token of it for another audience: kept, or renewed once however many commands ask at the same time.
 * @param scope What the provider calls the other audience, such as `6dae42f8-…/.default`.
 */
export async function currentToken(url: string, scope?: string): Promise<StoredLogin | NoToken> {
  const login = await kept(url)
  if (login === undefined) return { none: 'not-signed-in', reason: '' }
  const have = scope === undefined ? login : await keptToken(url, scope)
  if (have !== undefined && isGood(have, login)) return have
  if (!canRenew(login)) return over('its token has ended')
  return locked(async () => {
    // Another command may have been faster, and a refresh token is good once.
    const again = await kept(url)
    if (again === undefined) return { none: 'not-signed-in', reason: '' }
    const found = scope === undefined ? again : await keptToken(url, scope)
    if (found !== undefined && isGood(found, again)) return found
    if (!canRenew(again)) return over('its token has ended')
    const renewed = again.workload === undefined ? await refreshed(url, scope, again) : await fromWorkload(url, scope, again)
    // Whatever is wrong: what there is, is used while it is good.
    return 'none' in renewed && found !== undefined && found.expires > Date.now() ? found : renewed
  })
}

function isGood(token: StoredLogin, login: StoredLogin): boolean {
  return token.expires > Date.now() + (canRenew(login) ? AHEAD : 0)
}

function canRenew({ refresh, workload }: StoredLogin): boolean {
  return refresh !== undefined || workload !== undefined
}

function over(reason: string): NoToken {
  return { none: 'over', reason }
}

async function refreshed(url: string, scope: string | undefined, login: StoredLogin): Promise<StoredLogin | NoToken> {
  const { issuer, token, shared } = login.refresh!
  const { refreshTokenGrant, ResponseBodyError } = await import('openid-client')
  const { failureOf, findProvider, tokensOf } = await import('./provider.ts')
  try {
    const { config, scopes } = await findProvider(url, issuer)
    const wanted = scope === undefined ? (shared === true ? scopes : undefined) : [scope, 'offline_access']
    const tokens = tokensOf(await refreshTokenGrant(config, token, wanted === undefined ? undefined : { scope: wanted.join(' ') }))
    const next = { token: tokens.token, expires: tokens.expires }
    const kept = { token: tokens.refresh ?? token, issuer }
    if (scope === undefined) {
      const all = { ...next, refresh: shared === true ? { ...kept, shared } : kept }
      await keep(url, all)
      return all
    }
    // The old refresh token may be good no more: the new one comes first.
    await keep(url, { ...login, refresh: { ...kept, shared: true } })
    await keepToken(url, scope, next)
    return next
  } catch (error) {
    const reason = error instanceof OstiaryError ? error.message : failureOf(error)
    if (!(error instanceof ResponseBodyError)) return { none: 'unavailable', reason }
    if (!PERSON_NEEDED.has(error.error)) return { none: error.status >= 500 || error.status === 429 ? 'unavailable' : 'refused', reason }
    if (scope !== undefined) return { none: 'refused', reason }
    // Nobody has to hear it again: it is not asked any more until somebody signs in.
    if (error.error === 'invalid_grant') await keep(url, { token: login.token, expires: login.expires })
    return over(reason)
  }
}

async function fromWorkload(url: string, scope: string | undefined, { workload }: StoredLogin): Promise<StoredLogin | NoToken> {
  const { workloadToken } = await import('./workload.ts')
  const { endOf } = await import('../workload.ts')
  try {
    const audience = scope === undefined ? workload!.audience : scope.replace(/\/\.default$/, '')
    const { token } = await workloadToken(audience, scope === undefined ? workload!.tokenFile : undefined)
    const next = { token, expires: endOf(token) }
    if (scope === undefined) await keep(url, { ...next, workload })
    else await keepToken(url, scope, next)
    return next
  } catch (error) {
    return { none: 'unavailable', reason: error instanceof OstiaryError ? error.message : 'the platform gave no token' }
  }
}
