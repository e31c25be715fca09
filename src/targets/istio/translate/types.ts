/**
 * `security.istio.io/v1`: AuthorizationPolicy and RequestAuthentication, as Istio's API has them. What is absent there is undefined here,
 * lists that are absent are empty; `rules` alone keeps the difference, because a policy without rules and one with none is the same to Istio.
 */

export interface Metadata {
  readonly name: string
  readonly namespace: string
  readonly annotations: Readonly<Record<string, string>>
  /** RFC 3339; undefined for what was never in a cluster. Istio reads older resources first. */
  readonly creationTimestamp: string | undefined
}

export interface TargetRef {
  readonly group: string
  readonly kind: string
  readonly name: string
}

/** What a policy is attached to: one of the two, or neither for all workloads of the namespace. */
export interface Attachment {
  readonly selector: Readonly<Record<string, string>> | undefined
  readonly targetRefs: readonly TargetRef[]
}

export type Action = 'ALLOW' | 'DENY' | 'AUDIT' | 'CUSTOM'

export interface Source {
  readonly principals: readonly string[]
  readonly notPrincipals: readonly string[]
  readonly requestPrincipals: readonly string[]
  readonly notRequestPrincipals: readonly string[]
  readonly namespaces: readonly string[]
  readonly notNamespaces: readonly string[]
  readonly serviceAccounts: readonly string[]
  readonly notServiceAccounts: readonly string[]
  readonly trustDomains: readonly string[]
  readonly notTrustDomains: readonly string[]
  readonly ipBlocks: readonly string[]
  readonly notIpBlocks: readonly string[]
  readonly remoteIpBlocks: readonly string[]
  readonly notRemoteIpBlocks: readonly string[]
}

export interface Operation {
  readonly hosts: readonly string[]
  readonly notHosts: readonly string[]
  readonly ports: readonly string[]
  readonly notPorts: readonly string[]
  readonly methods: readonly string[]
  readonly notMethods: readonly string[]
  readonly paths: readonly string[]
  readonly notPaths: readonly string[]
}

export interface Condition {
  readonly key: string
  readonly values: readonly string[]
  readonly notValues: readonly string[]
}

export interface Rule {
  readonly from: readonly Source[]
  readonly to: readonly Operation[]
  readonly when: readonly Condition[]
}

export interface AuthorizationPolicy extends Attachment {
  readonly kind: 'AuthorizationPolicy'
  readonly metadata: Metadata
  readonly action: Action
  /** Of `CUSTOM` alone. */
  readonly provider: string | undefined
  readonly rules: readonly Rule[]
}

export interface JwtRule {
  readonly issuer: string
  readonly audiences: readonly string[]
  readonly jwksUri: string | undefined
  readonly jwks: string | undefined
  readonly fromHeaders: readonly { readonly name: string; readonly prefix: string }[]
  readonly fromParams: readonly string[]
  readonly fromCookies: readonly string[]
  readonly forwardOriginalToken: boolean
  readonly outputPayloadToHeader: string | undefined
  readonly outputClaimToHeaders: readonly { readonly header: string; readonly claim: string }[]
  readonly spaceDelimitedClaims: readonly string[]
}

export interface RequestAuthentication extends Attachment {
  readonly kind: 'RequestAuthentication'
  readonly metadata: Metadata
  readonly jwtRules: readonly JwtRule[]
}

export type IstioResource = AuthorizationPolicy | RequestAuthentication

/** A message of Envoy's in protobuf's JSON. */
export type Json = { readonly [name: string]: unknown }

export interface NamedFilter {
  readonly name: string
  readonly typedConfig: Json
}
