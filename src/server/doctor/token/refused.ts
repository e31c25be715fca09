import type { IssuerBase } from '../../../config/schema.ts'
import type { RejectReason } from '../../../core/credential.ts'
import type { Decoded } from './decoded.ts'

/** What kinds of issuer have that a refusal is explained with. */
export interface IssuerConfig extends IssuerBase {
  readonly issuer?: string
  readonly provider?: string
  readonly authority?: string
  readonly tenants?: readonly string[]
  readonly organizations?: boolean
  readonly algorithms?: readonly string[]
  readonly maxLifetime?: number
  readonly signIn?: { readonly clientId: string }
}

/** A refusal with all that is known about it. */
export interface Refused {
  readonly reason: RejectReason
  readonly claim: string | undefined
  /** Undefined where it couldn't be read. */
  readonly token: Decoded | undefined
  /** Whose token it is, or was to be. */
  readonly issuer: { readonly name: string; readonly config: IssuerConfig } | undefined
  readonly issuers: Readonly<Record<string, IssuerConfig>>
  /** Milliseconds since the epoch. */
  readonly now: number
  /** Its key is among those that the provider has for one application only. */
  readonly ownKey: boolean
}
