import type { Clock } from '../../core/clock.ts'
import type { RejectReason } from '../../core/credential.ts'
import { readBody } from '../body.ts'
import { readCaller, type Caller } from './caller.ts'
import { ACTION, AUDIENCE_HEADER, VERSION, type PresignedRequest } from './presigned.ts'
import { readXml, textAt, type Element } from './xml.ts'

/** What bounds the requests to STS. */
export interface StsLimits {
  /** Longest wait for an answer, in milliseconds. */
  readonly timeout: number
  /** Largest answer, in bytes. */
  readonly maxBytes: number
  /** Requests under way at once. */
  readonly concurrent: number
}

export const stsLimits: StsLimits = { timeout: 5_000, maxBytes: 16 * 1024, concurrent: 100 }

export interface StsParts {
  readonly fetch: typeof fetch
  readonly clock: Clock
  /** Sent as the signed header, exactly. */
  readonly audience: string
  readonly limits?: Partial<StsLimits>
}

/** What STS made of a request. `detail` is for the operator: nothing of the request or the answer is in it. */
export type StsAnswer =
  | { readonly outcome: 'caller'; readonly caller: Caller }
  | { readonly outcome: 'rejected'; readonly reason: Extract<RejectReason, 'signature' | 'expired'> }
  | { readonly outcome: 'unavailable'; readonly cause: 'provider' | 'overloaded'; readonly detail: string }

const NAMESPACE = `https://sts.amazonaws.com/doc/${VERSION}/`
/** Error codes that say the request or its session token is too old. */
const EXPIRED = new Set(['RequestExpired', 'ExpiredToken', 'ExpiredTokenException'])
/** Error codes that say the credentials or their signature are wrong, whatever the status. */
const WRONG = new Set([
  'SignatureDoesNotMatch',
  'IncompleteSignature',
  'InvalidClientTokenId',
  'UnrecognizedClientException',
  'MissingAuthenticationToken',
  'AccessDenied',
])

/** Asks STS who signed a request, by sending it there. */
export class Sts {
  readonly #parts: StsParts
  readonly #limits: StsLimits
  #under = 0

  constructor(parts: StsParts) {
    this.#parts = parts
    this.#limits = { ...stsLimits, ...parts.limits }
  }

  async ask(request: PresignedRequest): Promise<StsAnswer> {
    if (this.#under >= this.#limits.concurrent) return unavailable('too many requests under way', 'overloaded')
    this.#under++
    try {
      return await this.#ask(request)
    } finally {
      this.#under--
    }
  }

  async #ask({ endpoint: { host, partition }, query }: PresignedRequest): Promise<StsAnswer> {
    const { fetch, clock, audience } = this.#parts
    const { timeout, maxBytes } = this.#limits
    const late = new AbortController()
    const timer = clock.after(timeout, () => late.abort())
    try {
      const response = await fetch(`https://${host}/?${query}`, {
        // The signed header, and none that would change what is asked. The other signed one, `host`, is the URL's.
        headers: { [AUDIENCE_HEADER]: audience, accept: 'text/xml', 'accept-encoding': 'identity' },
        redirect: 'manual',
        signal: late.signal,
      })
      const body = await readBody(response, maxBytes)
      if (body === undefined) return unavailable(`an answer larger than ${maxBytes} bytes`)
      return read(response.status, body, partition)
    } catch {
      // The error may quote the URL, and whoever has that is the caller.
      return unavailable(late.signal.aborted ? `no answer within ${timeout} ms` : 'no connection')
    } finally {
      timer.cancel()
    }
  }
}

function read(status: number, body: Uint8Array, partition: string): StsAnswer {
  const root = readXml(body)
  if (status === 200) {
    const caller = root === undefined ? undefined : callerOf(root)
    return caller?.partition === partition ? { outcome: 'caller', caller } : unavailable('an answer that is not understood')
  }
  const code = root?.name === 'ErrorResponse' ? textAt(root, 'Error', 'Code') : undefined
  if (root !== undefined && code !== undefined && (status === 400 || status === 403)) {
    // Also a request that is too old is `SignatureDoesNotMatch`; only the message tells.
    const late = textAt(root, 'Error', 'Message')?.startsWith('Signature expired') === true
    if (EXPIRED.has(code) || (code === 'SignatureDoesNotMatch' && late)) return { outcome: 'rejected', reason: 'expired' }
    if (WRONG.has(code)) return { outcome: 'rejected', reason: 'signature' }
  }
  return unavailable(`it answered ${status}`)
}

function callerOf(root: Element): Caller | undefined {
  if (root.name !== `${ACTION}Response` || root.namespace !== NAMESPACE) return undefined
  const value = (name: string): string | undefined => textAt(root, `${ACTION}Result`, name)
  const [arn, userId, account] = [value('Arn'), value('UserId'), value('Account')]
  if (arn === undefined || userId === undefined || account === undefined) return undefined
  return readCaller(arn, userId, account)
}

function unavailable(detail: string, cause: 'provider' | 'overloaded' = 'provider'): StsAnswer {
  return { outcome: 'unavailable', cause, detail }
}
