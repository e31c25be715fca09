import type { TokenPath } from '../core/token.ts'

/** Where Envoy's `jwt_authn` leaves what it verified, whatever the filter is called. */
export const METADATA = 'envoy.filters.http.jwt_authn'

/** The keys under it that our filters use, for every issuer the same: `iss` tells them apart. */
export const PARTS: Readonly<Record<TokenPath['part'], string>> = { payload: 'payload', header: 'header' }

/** Where Envoy's `ext_authz` leaves what the gateway said of a request that it lets through: under the key, the name of the resource. */
export const CHECKED = { filter: 'envoy.filters.http.ext_authz', key: 'ostiary' } as const

/** Where Envoy's `rbac` leaves the name of a policy that would have denied, were it not only observed. */
export const OBSERVED = { filter: 'envoy.filters.http.rbac', prefix: 'ostiary_', key: 'ostiary_shadow_effective_policy_id' } as const

/** And whether rules would have granted a request that is let through because its resource is only observed: `denied` where none would. */
export const UNGRANTED = {
  prefix: 'ostiary_rules_',
  key: 'ostiary_rules_shadow_engine_result',
  value: 'denied',
  /** What is recorded then. No guardrail can have this name. */
  name: '(no-rule)',
} as const

/** What the upstream is told of a caller, by claim; an Envoy by itself and one that asks the gateway say the same. */
export const IDENTITY: Readonly<Record<string, string>> = {
  iss: 'ostiary-issuer',
  sub: 'ostiary-subject',
  tid: 'ostiary-tenant',
  oid: 'ostiary-object',
}

/** Kind of the record of one request that an Envoy tells of, and of the record that tells how many of those there are not. */
export const ACCESS = 'envoy-access'
export const DROPPED = 'envoy-access-dropped'
