/** What goes with a token request, so that the provider knows which client asks. */
export interface ClientProof {
  readonly headers: Readonly<Record<string, string>>
  readonly form: Readonly<Record<string, string>>
}

export interface ProofTarget {
  /** The token endpoint. A proof is for it alone. */
  readonly endpoint: string
  /** Where the provider takes a client secret. */
  readonly secretIn: 'header' | 'body'
}

/** How the gateway proves to a provider which client it is (RFC 6749 §2.3, RFC 7523 §2.2). */
export interface ClientAuth {
  readonly kind: 'none' | 'secret' | 'certificate' | 'federated' | 'managed-identity'
  /** Made anew for each request. @throws OstiaryError of the family `secrets/` where there is nothing to prove it with */
  prove(at: ProofTarget): Promise<ClientProof>
  /** The provider refused the proof itself: looks for what has replaced it. True if there is another to try. */
  renew(): Promise<boolean>
  /** What the operator should see to, such as a certificate that ends soon; undefined while there is nothing. */
  warning(): string | undefined
  close(): void
}

/** A public client (RFC 6749 §2.1) says who it is, and proves nothing. */
export function publicClient(clientId: string): ClientAuth {
  return {
    kind: 'none',
    prove: () => Promise.resolve({ headers: {}, form: { client_id: clientId } }),
    renew: () => Promise.resolve(false),
    warning: () => undefined,
    close: () => undefined,
  }
}

/** The form members of an assertion in place of a secret (RFC 7521 §4.2). */
export function assertionProof(clientId: string, assertion: string): ClientProof {
  const type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
  return { headers: {}, form: { client_id: clientId, client_assertion_type: type, client_assertion: assertion } }
}
