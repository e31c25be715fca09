import type { Clock, Entropy, Timer } from '../../core/clock.ts'
import { OstiaryError } from '../../core/errors.ts'
import type { SecretSource } from '../source.ts'
import { assertionProof, type ClientAuth, type ClientProof, type ProofTarget } from './auth.ts'
import { readCertificate, signAssertion, type AssertionAlgorithm, type ClientCertificate } from './certificate.ts'
import { Overlap } from './overlap.ts'

export interface CertificateSettings {
  readonly clientId: string
  /** Who the certificate is of, for the log: `issuer entra`. */
  readonly owner: string
  readonly cert: SecretSource
  /** PEM with the private key; may be the same as `cert`. */
  readonly key: SecretSource
  readonly algorithm: AssertionAlgorithm
  readonly keyId: string | undefined
}

export interface CertificateDeps {
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: (line: string) => void
}

const DAY_MS = 86_400_000
/** Days before the end at which the operator is told. */
const STAGES = [7, 14, 30] as const

/**
 * Proves the client by a certificate (`private_key_jwt`). The files are read for each proof, and looked at once a day besides; a renewed
 * pair is used at once, a half-written one never takes the place of one that works.
 */
export class CertificateAuth implements ClientAuth {
  readonly kind = 'certificate'
  readonly #settings: CertificateSettings
  readonly #deps: CertificateDeps
  readonly #pairs = new Overlap<ClientCertificate>((a, b) => a.x5tS256 === b.x5tS256)
  #failure: string | undefined
  #told: string | undefined
  #timer: Timer | undefined
  #closed = false

  constructor(settings: CertificateSettings, deps: CertificateDeps) {
    this.#settings = settings
    this.#deps = deps
    void this.#daily()
  }

  async prove({ endpoint }: ProofTarget): Promise<ClientProof> {
    const { clientId, algorithm, keyId } = this.#settings
    const { clock, entropy } = this.#deps
    const failure = await this.#load()
    const now = clock.now()
    const pair = this.#pairs.current((one) => isValid(one, now))
    if (pair === undefined) throw failure ?? new OstiaryError('secrets/certificate', { cause: 'there is none' })
    const id = Buffer.from(entropy.bytes(16)).toString('base64url')
    return assertionProof(clientId, signAssertion(pair, { clientId, audience: endpoint, algorithm, keyId, id, now }))
  }

  async renew(): Promise<boolean> {
    const before = this.#pairs.newest
    await Promise.all([this.#settings.cert.refresh(), this.#settings.key.refresh()])
    await this.#load()
    return this.#pairs.newest !== before || this.#pairs.change((one) => isValid(one, this.#deps.clock.now()))
  }

  warning(): string | undefined {
    const pair = this.#pairs.newest
    if (pair === undefined) return this.#failure === undefined ? undefined : 'there is no client certificate that can be used'
    const left = pair.notAfter - this.#deps.clock.now()
    if (left <= 0) return 'its client certificate has ended'
    const days = Math.ceil(left / DAY_MS)
    const stage = STAGES.find((one) => days <= one)
    return stage === undefined ? undefined : `its client certificate ends in ${days} ${days === 1 ? 'day' : 'days'}`
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  /** Reads both, and answers why they could not be taken. */
  async #load(): Promise<OstiaryError | undefined> {
    const { cert, key, owner } = this.#settings
    try {
      const [certText, keyText] = [await cert.read(), await key.read()]
      this.#pairs.adopt(readCertificate(certText.reveal(), keyText.reveal()))
      this.#failure = undefined
      return undefined
    } catch (error) {
      if (!(error instanceof OstiaryError)) throw error
      const meanwhile = this.#pairs.newest === undefined ? '' : '; the one before stays in use'
      if (this.#failure !== error.message) this.#deps.log(`${owner}: ${error.message}${meanwhile}`)
      this.#failure = error.message
      return error
    }
  }

  /** Tells of a certificate that ends soon, at each stage once; `warning` says it all the while. */
  async #daily(): Promise<void> {
    await this.#load()
    if (this.#closed) return
    const pair = this.#pairs.newest
    if (pair !== undefined) {
      const left = pair.notAfter - this.#deps.clock.now()
      const stage = left <= 0 ? 'over' : STAGES.find((one) => left <= one * DAY_MS)
      const now = stage === undefined ? undefined : `${pair.x5tS256} ${stage}`
      if (now !== undefined && now !== this.#told)
        this.#deps.log(
          `${this.#settings.owner}: ${this.warning()!} (${new Date(pair.notAfter).toISOString()}); renew it and register the new one`,
        )
      this.#told = now
    }
    this.#timer = this.#deps.clock.after(DAY_MS, () => void this.#daily())
  }
}

function isValid({ notBefore, notAfter }: ClientCertificate, now: number): boolean {
  return notBefore <= now && now < notAfter
}
