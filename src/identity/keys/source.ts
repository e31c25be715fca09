import type { Timer } from '../../core/clock.ts'
import { OstiaryError } from '../../core/errors.ts'
import type { IssuerDeps, ProviderMetadata } from '../issuer.ts'
import type { JsonObject } from '../jose/json.ts'
import type { VerificationKey } from '../jose/jwk.ts'
import { AbsentKids } from './absent.ts'
import { DocumentsRefused, fetchDocuments, readDocuments, type ProviderDocuments } from './documents.ts'
import { readKept, writeKept } from './keep.ts'
import { keyLimits, type KeyLimits } from './limits.ts'

export interface KeySourceSettings {
  /** Configured name of the issuer, for log and metrics. */
  readonly issuer: string
  /** Name under which the last good set is kept, unique among all sources. */
  readonly file: string
  /** Of the metadata; of the keys themselves where the metadata is given. */
  readonly discoveryUrl: string
  /** What discovery would say, where there is none: `issuer` and `jwks_uri`. */
  readonly metadata?: JsonObject | undefined
  /** Whether the discovered `issuer` is the one that this source is for. */
  readonly accepts: (issuer: string) => boolean
  /** Called with the ids of keys that are no longer published. */
  readonly onLeft: (keyIds: readonly string[]) => void
  readonly limits?: Partial<KeyLimits>
}

/** A key, or why there is none: the provider doesn't have it, or nobody can say. */
export type KeyAnswer = VerificationKey | 'unknown' | 'unavailable'

/**
 * The keys of one provider. They are asked for ahead of need and in the background; what was good last stays good while
 * the provider is down or talks nonsense, for `hardLimit` at most, also across a restart.
 */
export class KeySource {
  readonly #settings: KeySourceSettings
  readonly #deps: IssuerDeps
  readonly #limits: KeyLimits
  readonly #absent: AbsentKids
  readonly #closed = new AbortController()
  #documents: ProviderDocuments | undefined
  /** Wall clock: it has to mean something after a restart. */
  #fetchedAt = 0
  #inFlight: Promise<void> | undefined
  /** Why the last attempt failed; undefined while the last one succeeded. */
  #failure: string | undefined
  #failures = 0
  /** Monotonic time of the last request that an unknown key id caused, of the last for want of any keys, and of the last that failed. */
  #askedAt = Number.NEGATIVE_INFINITY
  #askedEmptyAt = Number.NEGATIVE_INFINITY
  #failedAt = Number.NEGATIVE_INFINITY
  #timer: Timer | undefined

  constructor(settings: KeySourceSettings, deps: IssuerDeps) {
    this.#settings = settings
    this.#deps = deps
    this.#limits = { ...keyLimits, ...settings.limits }
    this.#absent = new AbsentKids(this.#limits.absentKids, this.#limits.absentFor)
    this.#restore()
  }

  /** What the provider last said of itself; undefined if that is unknown or too old. */
  get documents(): ProviderDocuments | undefined {
    return this.#documents !== undefined && this.age <= this.#limits.hardLimit ? this.#documents : undefined
  }

  /** Milliseconds since the keys were last got. */
  get age(): number {
    return Math.max(0, this.#deps.clock.now() - this.#fetchedAt)
  }

  /** Why the last attempt to get the keys failed; undefined while all is well. */
  get failure(): string | undefined {
    return this.#failure
  }

  /** Begins to ask for keys in the background. Waits for nothing, fails never. */
  start(): void {
    void this.refresh()
  }

  /** The key with this id: at once where it is known, after at most one request to the provider otherwise. */
  find(kid: string): KeyAnswer | Promise<KeyAnswer> {
    const known = this.documents
    const key = known?.keys.get(kid)
    if (key !== undefined) return key
    const now = this.#deps.clock.monotonic()
    if (known !== undefined && this.#absent.has(kid, now)) return 'unknown'
    if (this.#inFlight === undefined && !this.#mayAsk(known === undefined, now))
      return known === undefined || this.#failure !== undefined ? 'unavailable' : 'unknown'
    return this.refresh().then(() => this.#answer(kid))
  }

  /** The provider's endpoints; asks for them once if they are unknown. @throws OstiaryError `identity/provider-unavailable` */
  async metadata(): Promise<ProviderMetadata> {
    if (this.documents === undefined) {
      const now = this.#deps.clock.monotonic()
      if (this.#inFlight !== undefined || this.#mayAsk(true, now)) await this.refresh()
    }
    const known = this.documents
    if (known !== undefined) return known.metadata
    const { issuer, discoveryUrl: url } = this.#settings
    throw new OstiaryError('identity/provider-unavailable', { issuer, url, cause: this.#failure ?? 'unknown' })
  }

  /** Asks the provider, unless that is under way. Never rejects. */
  refresh(): Promise<void> {
    this.#inFlight ??= this.#refresh().finally(() => (this.#inFlight = undefined))
    return this.#inFlight
  }

  close(): void {
    this.#closed.abort()
    this.#timer?.cancel()
  }

  /** Takes the turn to ask the provider on a caller's behalf, if the cool-down is over. */
  #mayAsk(empty: boolean, now: number): boolean {
    if (empty) {
      if (now - this.#askedEmptyAt < this.#limits.coolDownWhenEmpty) return false
      this.#askedEmptyAt = now
    } else {
      // A provider that has just failed in the background will hardly answer now.
      if (now - Math.max(this.#askedAt, this.#failedAt) < this.#limits.coolDown) return false
      this.#askedAt = now
    }
    return true
  }

  #answer(kid: string): KeyAnswer {
    const known = this.documents
    const key = known?.keys.get(kid)
    if (key !== undefined) return key
    if (known === undefined || this.#failure !== undefined) return 'unavailable'
    this.#absent.add(kid, this.#deps.clock.monotonic())
    return 'unknown'
  }

  async #refresh(): Promise<void> {
    if (this.#closed.signal.aborted) return
    this.#timer?.cancel()
    const { fetch, clock, meter, log } = this.#deps
    const { issuer, discoveryUrl, metadata, accepts } = this.#settings
    try {
      const documents = await fetchDocuments({ fetch, clock, discoveryUrl, metadata, accepts, limits: this.#limits }, this.#closed.signal)
      if (this.#closed.signal.aborted) return
      if (this.#failure !== undefined) log(`issuer ${issuer}: its keys are here again`)
      this.#failure = undefined
      this.#failures = 0
      this.#failedAt = Number.NEGATIVE_INFINITY
      this.#adopt(documents)
      meter.count('identity_key_refreshes', { issuer, outcome: 'ok' })
    } catch (error) {
      if (this.#closed.signal.aborted) return
      const failure = error instanceof DocumentsRefused ? error.message : 'an error of its own'
      const meanwhile = this.documents === undefined ? 'its tokens are answered 503 until there are some' : 'the last good ones stay'
      if (this.#failure !== failure) log(`issuer ${issuer}: no keys from ${discoveryUrl}: ${failure}; ${meanwhile}`)
      this.#failure = failure
      this.#failures++
      this.#failedAt = clock.monotonic()
      meter.count('identity_key_refreshes', { issuer, outcome: 'failed' })
    }
    this.#timer = clock.after(this.#delay(), () => void this.refresh())
  }

  /** Time to the next refresh: spread, so that many gateways don't ask at once; after failures soon, then ever later. */
  #delay(): number {
    const { refreshEvery, coolDown } = this.#limits
    const spread = 0.8 + (this.#deps.entropy.bytes(1)[0]! / 255) * 0.2
    const delay = this.#failure === undefined ? refreshEvery : Math.min(refreshEvery, coolDown * 2 ** Math.min(this.#failures - 1, 4))
    return delay * spread
  }

  #adopt(documents: ProviderDocuments): void {
    const before = this.#documents?.keys ?? new Map<string, VerificationKey>()
    this.#documents = documents
    this.#fetchedAt = this.#deps.clock.now()
    this.#absent.clear()
    this.#keep(documents)
    const left = [...before.values()].filter(({ kid, material }) => documents.keys.get(kid)?.material !== material)
    if (left.length > 0) this.#settings.onLeft(left.map(({ kid }) => kid))
  }

  #keep({ raw }: ProviderDocuments): void {
    const { issuer, file, discoveryUrl } = this.#settings
    try {
      writeKept(this.#deps.dataDir, file, discoveryUrl, { fetchedAt: this.#fetchedAt, metadata: raw.metadata, keys: raw.keys })
    } catch {
      this.#deps.meter.count('identity_keys_not_kept', { issuer })
    }
  }

  #restore(): void {
    const { file, discoveryUrl } = this.#settings
    const kept = readKept(this.#deps.dataDir, file, discoveryUrl)
    // Of a later time than now: the clock was set back, and its age can't be told.
    if (kept === undefined || kept.fetchedAt > this.#deps.clock.now()) return
    try {
      this.#documents = readDocuments(this.#settings, this.#settings.metadata ?? kept.metadata, kept.keys)
      this.#fetchedAt = kept.fetchedAt
    } catch (error) {
      if (!(error instanceof DocumentsRefused)) throw error
    }
  }
}
