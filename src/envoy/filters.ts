/** What the filters of an Envoy are called, and of which types they are. */

export const FILTERS = {
  tokens: 'ostiary.jwt_authn',
  revoked: 'ostiary.revoked',
  callers: 'ostiary.callers',
  guardrails: 'ostiary.guardrails',
  checks: 'ostiary.ext_authz',
  rules: 'ostiary.rules',
} as const

export const TYPE = 'type.googleapis.com/'
export const HTTP = `${TYPE}envoy.extensions.filters.http`
export const RBAC = `${HTTP}.rbac.v3.RBAC`
export const JWT = `${HTTP}.jwt_authn.v3.JwtAuthentication`

/** Name of what a listener shows to callers. */
export const SERVER_SECRET = 'ostiary.server'

/** Whether a host is an address, and no name that is looked up. */
export function isAddress(host: string): boolean {
  return /^[0-9.]+$|:/.test(host)
}
