/** What upstreams are told of callers by headers, and what nobody else may tell them. */
import { IDENTITY } from './metadata.ts'
import type { Json } from './rbac.ts'

/** Headers by which somebody could tell the upstream who calls. */
export const IDENTITY_HEADERS = [
  'ostiary-decision',
  'ostiary-assertion',
  'ostiary-issuer',
  'ostiary-subject',
  'ostiary-tenant',
  'ostiary-object',
  'ostiary-kind',
  'ostiary-roles',
  'x-forwarded-user',
  'x-forwarded-email',
  'x-forwarded-groups',
  'x-forwarded-preferred-username',
  'x-forwarded-access-token',
  'x-auth-request-user',
  'x-auth-request-email',
  'x-auth-request-groups',
  'x-auth-request-access-token',
  'x-remote-user',
  'remote-user',
  'x-user',
  'x-original-url',
  'x-rewrite-url',
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
] as const

const says = (header: string, path: string): Json => ({
  header: { key: header, value: `%DYNAMIC_METADATA(envoy.filters.http.jwt_authn:payload:${path})%` },
  appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD',
  keepEmptyValue: false,
})

/** Headers that say who calls, written over whatever the caller sent: the issuer, and the claims by which its tokens name the subject. */
export function saidOf(issuers: readonly { readonly subject: readonly string[] }[]): readonly Json[] {
  return [...new Set(['iss', ...issuers.flatMap(({ subject }) => subject)])].map((claim) =>
    says(IDENTITY[claim] ?? `ostiary-${claim}`, claim),
  )
}

/** What whoever verified the credential has written by then. */
export const WRITTEN: ReadonlySet<string> = new Set([...Object.values(IDENTITY), 'ostiary-decision'])
