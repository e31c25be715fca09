import { X509Certificate } from 'node:crypto'

/** Trust in the tokens of another issuer (a federated identity credential): all three are compared case by case. */
export interface FederatedCredential {
  readonly issuer: string
  readonly subject: string
  readonly audience: string
}

/** What tokens for Entra's exchange are for, unless a credential says otherwise. */
export const EXCHANGE_AUDIENCE = 'api://AzureADTokenExchange'

/** Entra takes this many of each for one registration. */
const MAX_EACH = 20

/** By what registrations prove themselves besides their secrets. Several of a kind overlap, so that one can take the place of another. */
export class Credentials {
  readonly #certificates = new Map<string, readonly X509Certificate[]>()
  readonly #federated = new Map<string, readonly FederatedCredential[]>()

  /** Registers a certificate in PEM. @throws Error where it is none, or there are too many */
  addCertificate(clientId: string, pem: string): void {
    append(this.#certificates, clientId, new X509Certificate(pem))
  }

  /** @throws RangeError where there are too many */
  addFederated(clientId: string, credential: FederatedCredential): void {
    append(this.#federated, clientId, credential)
  }

  certificatesOf(clientId: string): readonly X509Certificate[] {
    return this.#certificates.get(clientId) ?? []
  }

  federatedOf(clientId: string): readonly FederatedCredential[] {
    return this.#federated.get(clientId) ?? []
  }
}

function append<T>(all: Map<string, readonly T[]>, clientId: string, one: T): void {
  const known = all.get(clientId) ?? []
  if (known.length >= MAX_EACH) throw new RangeError(`a registration has at most ${MAX_EACH} of them`)
  all.set(clientId, [...known, one])
}
