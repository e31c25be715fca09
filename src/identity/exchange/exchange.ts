/** Somebody's own token for another audience: on behalf of whom the gateway then asks. */
import { createHash } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import { OstiaryError } from '../../core/errors.ts'
import type { Identity } from '../../core/principal.ts'
import { Secret } from '../../core/secret.ts'
import { askToken } from '../../secrets/clientauth/tokenendpoint.ts'
import type { Issuer } from '../issuer.ts'
import { isObject, readJson } from '../jose/json.ts'

export interface ExchangeParts {
  readonly issuers: readonly Issuer[]
  readonly fetch: typeof fetch
  readonly clock: Clock
}

/** Who gets tokens for others. */
export interface TokenExchanger {
  /**
   * @param token The access token that somebody came with
   * @param audience `aud` of the token that is wanted
   * @throws ExchangeRefused where there is none to be had for this token; OstiaryError `identity/provider-unavailable`, and of the family `secrets/`
   */
  exchange(token: Secret, identity: Identity, audience: string): Promise<Secret>
}

/** The provider gives none, and says why: a code of the standards, none of its words. */
export class ExchangeRefused extends Error {}

/** Tokens that are kept at most, and how long before their end they are got anew, in milliseconds. */
const MAX_KEPT = 10_000
const AHEAD_MS = 60_000
/** A provider that doesn't say how long a token is good, RFC 6749 §5.1. */
const DEFAULT_LIFE_S = 300
const MAX_TOKEN = 64 * 1024

interface Kept {
  readonly token: Secret
  /** Milliseconds since the epoch. */
  readonly until: number
}

/** Keeps tokens by the token that they were got for, each as long as it is good, and asks once for several who want the same. */
export function tokenExchanger({ issuers, fetch, clock }: ExchangeParts): TokenExchanger {
  const kept = new Map<string, Kept>()
  const asking = new Map<string, Promise<Secret>>()

  async function ask(token: Secret, { issuer: name, appOnly, kind, actor }: Identity, audience: string, key: string): Promise<Secret> {
    const issuer = issuers.find((one) => one.name === name)
    if (issuer?.signIn === undefined) throw new ExchangeRefused('the gateway is no client of its issuer (`signIn`)')
    // Only people's rights can be used in their stead; a workload asks for its own token.
    if (appOnly || kind === 'workload' || kind === 'managed-identity') throw new ExchangeRefused('it is of a workload, not of a person')
    if (actor !== undefined) throw new ExchangeRefused('somebody acts for its person already')
    const { tokenEndpoint: endpoint, secretIn } = await issuer.metadata()
    if (endpoint === undefined)
      throw new OstiaryError('identity/provider-unavailable', { issuer: name, cause: 'it names no token endpoint' })
    const grant = grantOf(issuer.kind, token, audience)
    const answer = await askToken({ fetch, clock, endpoint, secretIn, auth: issuer.signIn.auth, grant })
    if (answer.outcome === 'refused') throw new ExchangeRefused(answer.detail)
    if (answer.outcome === 'unavailable') throw new OstiaryError('identity/provider-unavailable', { issuer: name, cause: answer.detail })
    const body = readJson(answer.body)
    const { access_token: text, expires_in: life, token_type: type } = isObject(body) ? body : {}
    if (typeof text !== 'string' || text === '' || text.length > MAX_TOKEN || !/^[A-Za-z0-9\-._~+/]+=*$/.test(text))
      throw new ExchangeRefused('the provider answered without a token')
    // A token that has to be proven could not be passed on.
    if (typeof type === 'string' && type.toLowerCase() !== 'bearer')
      throw new ExchangeRefused('the provider answered with a token that is bound to a key')
    const secret = new Secret(text)
    const seconds = typeof life === 'number' && life > 0 ? Math.min(life, 86_400) : DEFAULT_LIFE_S
    keep(key, { token: secret, until: clock.now() + seconds * 1000 - AHEAD_MS })
    return secret
  }

  function keep(key: string, entry: Kept): void {
    if (kept.size >= MAX_KEPT) {
      const now = clock.now()
      for (const [old, { until }] of kept) if (until <= now) kept.delete(old)
      // The oldest are first.
      for (const old of kept.keys()) {
        if (kept.size < MAX_KEPT) break
        kept.delete(old)
      }
    }
    kept.delete(key)
    kept.set(key, entry)
  }

  return {
    exchange(token, identity, audience) {
      const key = createHash('sha256').update(`${identity.issuer}\0${audience}\0${token.reveal()}`).digest('base64url')
      const known = kept.get(key)
      if (known !== undefined && known.until > clock.now()) return Promise.resolve(known.token)
      let answer = asking.get(key)
      if (answer === undefined) {
        answer = ask(token, identity, audience, key).finally(() => asking.delete(key))
        asking.set(key, answer)
      }
      return answer
    },
  }
}

/** Entra has a grant of its own (on-behalf-of flow); others have RFC 8693. */
function grantOf(kind: string, token: Secret, audience: string): Readonly<Record<string, string>> {
  if (kind === 'entra')
    return {
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      requested_token_use: 'on_behalf_of',
      assertion: token.reveal(),
      scope: `${audience}/.default`,
    }
  const accessToken = 'urn:ietf:params:oauth:token-type:access_token'
  return {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: token.reveal(),
    subject_token_type: accessToken,
    requested_token_type: accessToken,
    audience,
  }
}
