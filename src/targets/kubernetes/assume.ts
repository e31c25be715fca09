/**
 * What Ostiary asks of a credential or a request and an API server has no word for. Each is something that the API server would let in
 * and Ostiary refuses: an error, unless the wiring says that it never comes, or does no harm.
 */
export const ASSUMPTIONS = {
  'access-tokens-only': {
    what: 'whether a token is an access token (`typ` in its header)',
    ensure: 'other tokens that the issuer signs never have an audience of this cluster',
  },
  'canonical-paths': {
    what: 'a path in another spelling (`//`, `..`, escapes) from what it ends with',
    ensure: 'nothing is served below the paths of a `/**` in another spelling',
  },
  'default-roles': {
    what: 'who asks for what each cluster gives by itself (`system:discovery`, `system:basic-user`, `system:public-info-viewer`)',
    ensure: 'whoever the cluster lets in may read its versions, its health and what its APIs are, and ask who they are and what they may',
  },
  'issued-in-the-past': {
    what: 'whether a token says that it was issued in the future',
    ensure: 'the clocks of issuer and cluster agree',
  },
  'longer-clock-skew': {
    what: 'the 30 seconds that a clock may be off: of `nbf` it gives up to five minutes',
    ensure: 'it does no harm that a token counts some minutes early',
  },
  'plain-headers': {
    what: 'what stands in the header of a token (`crit`, `jwk`, `kid`, …)',
    ensure: 'the issuer writes a `kid`, and neither keys nor extensions',
  },
  'proxied-requests': {
    what: 'what is done to pods and services from what is sent on to them: to Azure, `proxy` by GET is reading, by DELETE deleting, by any other method writing',
    ensure: 'whoever may read, write or delete pods or services may send requests of that kind on to them',
  },
  'published-keys': {
    what: 'which of the keys that an issuer publishes are for these tokens, and for which algorithm',
    ensure: 'all that the issuer publishes are public keys for signatures of this issuer alone',
  },
  'served-resources': {
    what: 'whether what is asked for is there: below a resource any subresource is asked about as the resource, and a path as a resource of its name',
    ensure: 'the cluster serves nothing below the resources of Kubernetes but what Kubernetes serves, and no paths with their names',
  },
  'undelegated-tokens': {
    what: 'whether somebody acts for somebody else (agents, and clients that act with the token of a person)',
    ensure: 'no agent gets tokens for this cluster, neither its own nor a person’s',
  },
  'unrevoked-tokens': {
    what: 'whether a token, a session or a client was revoked',
    ensure: 'it may count until it ends, as short as its issuer makes it',
  },
} as const satisfies Readonly<Record<string, { readonly what: string; readonly ensure: string }>>

export type Assumption = keyof typeof ASSUMPTIONS

export const assumptionNames = Object.keys(ASSUMPTIONS) as readonly Assumption[]
