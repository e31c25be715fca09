/** What a `jwt_authn` filter makes of the tokens of a request, as Envoy's verifiers do it one after the other. */
import { PAYLOAD } from './matchers.ts'
import type { Json } from './types.ts'

export type Place =
  | { readonly kind: 'header'; readonly name: string; readonly prefix: string }
  | { readonly kind: 'param' | 'cookie'; readonly name: string }

/** A token that a request shows. */
export interface ShownToken {
  /** In a header behind `Bearer ` unless it says otherwise. */
  readonly at?: Place
  readonly payload: Json
  /** Whether it can't be read as a token at all. */
  readonly isMalformed?: boolean
  /** Whether a key of this JSON Web Key Set made its signature. Default: yes. */
  readonly isSignedBy?: (jwks: string) => boolean
}

export const BEARER: Place = { kind: 'header', name: 'authorization', prefix: 'Bearer ' }
const ACCESS_TOKEN: Place = { kind: 'param', name: 'access_token' }
/** Seconds by which a clock may be off: Envoy's default, which Istio leaves. */
const SKEW = 60

interface Provider {
  readonly issuer: string
  readonly audiences?: readonly string[]
  readonly forward?: boolean
  readonly forwardPayloadHeader?: string
  readonly normalizePayloadInMetadata: { readonly spaceDelimitedClaims: readonly string[] }
  readonly claimToHeaders?: readonly { readonly headerName: string; readonly claimName: string }[]
  readonly fromHeaders?: readonly { readonly name: string; readonly valuePrefix?: string }[]
  readonly fromParams?: readonly string[]
  readonly fromCookies?: readonly string[]
  readonly localJwks: { readonly inlineString: string }
}

type Status = 'ok' | 'missing' | 401 | 403

export interface Verified {
  /** Undefined where the request goes on. */
  readonly status: 401 | 403 | undefined
  /** Of the token that counts; undefined for none. */
  readonly payload: Json | undefined
  /** Tokens that aren't passed on. */
  readonly removed: ReadonlySet<ShownToken>
  /** Header fields that were taken away, by their names in small letters, with what was written instead, a line each. */
  readonly fields: ReadonlyMap<string, readonly string[]>
}

/**
 * @param time Milliseconds since the epoch
 * @param passes Whether no rule of the filter is for the request: then its tokens are let be
 * @throws Error for what it doesn't know
 */
export function verifyTokens(config: Json, tokens: readonly ShownToken[], time: number, passes: boolean): Verified {
  const verifier = new Verifier(config['providers'] as Readonly<Record<string, Provider>>, tokens, Math.floor(time / 1000))
  const [rule, ...more] = config['rules'] as readonly { readonly requires: Json }[]
  if (rule === undefined || more.length > 0) throw new Error('other than one rule is not known')
  const status = passes ? 'ok' : verifier.check(rule.requires)
  const { payload, removed, fields } = verifier
  return { status: status === 'ok' ? undefined : status === 403 ? 403 : 401, payload, removed, fields }
}

class Verifier {
  readonly #providers: Readonly<Record<string, Provider>>
  readonly #tokens: readonly ShownToken[]
  readonly #now: number
  payload: Json | undefined
  readonly removed = new Set<ShownToken>()
  readonly fields = new Map<string, readonly string[]>()

  constructor(providers: Readonly<Record<string, Provider>>, tokens: readonly ShownToken[], now: number) {
    this.#providers = providers
    this.#tokens = tokens
    this.#now = now
    // What callers write into the fields that stand for claims goes away, whoever they are.
    for (const { forwardPayloadHeader, claimToHeaders = [] } of Object.values(providers))
      for (const name of [forwardPayloadHeader ?? [], claimToHeaders.map(({ headerName }) => headerName)].flat())
        this.fields.set(name.toLowerCase(), [])
  }

  check(requirement: Json): Status {
    const [[kind, value]] = Object.entries(requirement) as unknown as readonly [readonly [string, unknown]]
    switch (kind) {
      case 'providerName':
        return this.#verify([this.#providers[value as string]!])
      case 'allowMissing': {
        const status = this.#verify(Object.values(this.#providers))
        return status === 'missing' ? 'ok' : status
      }
      case 'requiresAny': {
        const { requirements } = value as { readonly requirements: readonly Json[] }
        let status: Status = 'missing'
        for (const each of requirements) {
          status = this.check(each)
          if (status === 'ok') break
        }
        return status
      }
      case 'requiresAll': {
        for (const each of (value as { readonly requirements: readonly Json[] }).requirements) {
          const status = this.check(each)
          if (status !== 'ok') return status
        }
        return 'ok'
      }
      default:
        throw new Error(`\`${kind}\` is not known`)
    }
  }

  /**
   * All tokens where one of these providers looks, the last one first: each has to be good for a provider that looks there, and the
   * first one is what counts.
   */
  #verify(providers: readonly Provider[]): Status {
    const places = new Map(providers.flatMap(placesOf).map((place) => [orderOf(place), place] as const))
    const found = [...places]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([, place]) => this.#tokens.filter(({ at = BEARER }) => isAt(place, at)))
    if (found.length === 0) return 'missing'
    for (const token of found.toReversed()) {
      const iss = token.payload['iss'] ?? ''
      const isLookedFor = providers.some((one) => one.issuer === iss && placesOf(one).some((place) => isAt(place, token.at ?? BEARER)))
      const candidates = isLookedFor ? providers.filter(({ issuer }) => issuer === iss) : []
      const status = this.#statusOf(token, candidates)
      if (status !== 'ok') return status
      this.#accept(token, candidates[0]!)
    }
    return 'ok'
  }

  /** Which of several providers of one issuer Envoy takes depends on the order of a hash map, so all have to come to the same. */
  #statusOf(token: ShownToken, candidates: readonly Provider[]): Status {
    const [status = statusOf(token, undefined, this.#now), ...others] = candidates.map((one) => statusOf(token, one, this.#now))
    const isOne = others.every((other) => other === status) && (status !== 'ok' || new Set(candidates.map(effectOf)).size < 2)
    if (!isOne) throw new Error('which of two providers of one issuer is taken is not known')
    return status
  }

  #accept(token: ShownToken, provider: Provider): void {
    if (provider.forward !== true) this.removed.add(token)
    const add = (name: string, value: string): void =>
      void this.fields.set(name.toLowerCase(), [...(this.fields.get(name.toLowerCase()) ?? []), value])
    if (provider.forwardPayloadHeader !== undefined)
      add(provider.forwardPayloadHeader, Buffer.from(JSON.stringify(token.payload)).toString('base64url'))
    for (const { headerName, claimName } of provider.claimToHeaders ?? []) {
      const value = claimName.split('.').reduce<unknown>((at, name) => (isObject(at) ? own(at, name) : undefined), token.payload)
      const text = headerText(value)
      if (text !== '') add(headerName, text)
    }
    this.payload = normalized(token.payload, provider.normalizePayloadInMetadata.spaceDelimitedClaims)
  }
}

function placesOf({ fromHeaders = [], fromParams = [], fromCookies = [] }: Provider): readonly Place[] {
  const named: readonly Place[] = [
    ...fromHeaders.map(({ name, valuePrefix = '' }) => ({ kind: 'header' as const, name, prefix: valuePrefix })),
    ...fromParams.map((name) => ({ kind: 'param' as const, name })),
    ...fromCookies.map((name) => ({ kind: 'cookie' as const, name })),
  ]
  return named.length === 0 ? [BEARER, ACCESS_TOKEN] : named
}

function isAt(place: Place, at: Place): boolean {
  if (place.kind !== at.kind) return false
  if (place.kind !== 'header' || at.kind !== 'header') return place.name === at.name
  return place.name.toLowerCase() === at.name.toLowerCase() && place.prefix === at.prefix
}

/** What a provider does with a token that is good. */
function effectOf({ forward, forwardPayloadHeader, normalizePayloadInMetadata, claimToHeaders }: Provider): string {
  return JSON.stringify([forward === true, forwardPayloadHeader, normalizePayloadInMetadata, claimToHeaders])
}

/** Headers are looked at before cookies, and those before parameters. */
function orderOf(place: Place): string {
  const kinds = ['header', 'cookie', 'param']
  return `${kinds.indexOf(place.kind)} ${place.name.toLowerCase()}${place.kind === 'header' ? place.prefix : ''}`
}

function statusOf(
  { payload, isMalformed = false, isSignedBy = () => true }: ShownToken,
  provider: Provider | undefined,
  now: number,
): Status {
  if (isMalformed || !isReadable(payload) || provider === undefined) return 401
  const {
    nbf = 0,
    exp = 0,
    aud = [],
  } = payload as { readonly nbf?: number; readonly exp?: number; readonly aud?: string | readonly string[] }
  if (now + SKEW < Math.floor(nbf) || (Math.floor(exp) !== 0 && now > Math.floor(exp) + SKEW)) return 401
  const audiences = typeof aud === 'string' ? [aud] : aud
  if (provider.audiences !== undefined && !audiences.some((each) => isAudience(each, provider.audiences!))) return 403
  return isSignedBy(provider.localJwks.inlineString) ? 'ok' : 401
}

/** Envoy takes an audience with or without its scheme and its last slash. */
function isAudience(audience: string, audiences: readonly string[]): boolean {
  const bare = (text: string): string => text.replace(/^https?:\/\//, '').replace(/\/$/, '')
  return audiences.some((each) => bare(each) === bare(audience))
}

function isReadable(payload: Json): boolean {
  const isTextOrNone = (value: unknown): boolean => value === undefined || typeof value === 'string'
  const isTimeOrNone = (value: unknown): boolean => value === undefined || (typeof value === 'number' && value >= 0)
  const { aud } = payload
  return (
    [payload['iss'], payload['sub'], payload['jti']].every(isTextOrNone) &&
    [payload['iat'], payload['nbf'], payload['exp']].every(isTimeOrNone) &&
    (isTextOrNone(aud) || (Array.isArray(aud) && aud.every((each) => typeof each === 'string')))
  )
}

/** A claim as Envoy writes it into a header; empty for one that it doesn't. */
function headerText(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return Number.isInteger(value) && value >= 0 && value < 2 ** 64 ? String(value) : value.toFixed(6)
  return typeof value === 'object' && value !== null ? Buffer.from(JSON.stringify(value)).toString('base64') : ''
}

/** Texts that are lists of words become lists. */
function normalized(payload: Json, claims: readonly string[]): Json {
  return Object.fromEntries(
    Object.entries(payload).map(([name, value]) => {
      const words = claims.includes(name) && typeof value === 'string' ? value.split(' ').filter((word) => word !== '') : []
      return [name, words.length === 0 ? value : words]
    }),
  )
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function own(value: Json, name: string): unknown {
  return Object.hasOwn(value, name) ? value[name] : undefined
}

/** Under which the payload lies in the metadata of `jwt_authn`. */
export function metadataOf(payload: Json | undefined): Json {
  return payload === undefined ? {} : { [PAYLOAD]: payload }
}
