/** Why somebody is turned away, in words that every door may tell. */
import type { RejectReason } from './credential.ts'
import type { Decision, Reason } from './decision.ts'

/** What a caller may know of why a credential was refused. */
export const REJECTED: Record<RejectReason, string> = {
  malformed: 'the credential is malformed',
  'too-large': 'the token is too large',
  unsigned: 'the token is not signed',
  algorithm: 'the token is signed with an algorithm that is not accepted',
  'unknown-key': 'the token is signed with an unknown key',
  signature: 'the signature of the token is wrong',
  expired: 'the token has expired',
  'not-yet-valid': 'the token is not valid yet',
  'issued-in-future': 'the token was issued in the future',
  lifetime: 'the token lives too long',
  issuer: 'the issuer of the token is not accepted here',
  audience: 'the token is for another audience',
  tenant: 'the tenant of the token is not accepted here',
  'key-issuer': 'the token is signed with the key of another issuer',
  cloud: 'the token is from another cloud',
  client: 'the client of the token is not accepted here',
  'token-type': 'this kind of token is not accepted',
  'id-token': 'this is an ID token; send an access token',
  'graph-token': 'this is a token for Microsoft Graph; ask for one for this API',
  'legacy-token': 'this is a legacy service-account token without an end; ask for a bound one',
  claim: 'a claim of the token is missing or malformed',
  revoked: 'access was revoked',
  inactive: 'the token is not active: it has ended, was revoked, or is not known',
  'session-unknown': 'the session is not known',
  'session-expired': 'the session has expired',
  ambiguous: 'the request carries more than one credential',
  encrypted: 'the token is encrypted, which is not accepted',
  'critical-header': 'the token demands an extension that is not supported',
  'too-many-parties': 'the token speaks for too many parties',
  unproven: 'the token is bound to a key, and nothing proves that you have it',
  proof: 'the proof of possession is not for this request, this token or this key',
  'proof-replayed': 'the proof of possession was used before; make one for each request',
  certificate: 'the client certificate is not accepted here',
  'proof-nonce': 'the proof of possession needs the nonce of this answer',
}

/** Why the policy said no, without telling a stranger which role would do. The first that applies is told. */
const DENIED: readonly (readonly [Reason['code'], string])[] = [
  ['unknown-resource', 'the policy does not know this resource'],
  ['guardrail', 'a guardrail forbids this'],
  ['guardrail-unknown', 'a guardrail forbids this unless it is known that it does not apply to you'],
  ['guardrail-error', 'a guardrail forbids this because its condition could not be evaluated'],
  ['issuer', 'this is not for those of the issuer of your credential'],
  ['scope', 'the scopes of the token do not cover this'],
  ['party', 'somebody who acts for you, or for whom you act, may not do this'],
  ['role-unknown', 'it can not be told at the moment whether you hold a role that allows this'],
  ['condition-error', 'a condition of this access could not be evaluated'],
  ['peer-not-held', 'this is allowed by way of other services only'],
  ['condition-false', 'a condition of this access is not met'],
  ['role-not-held', 'you hold no role that allows this'],
  ['no-rule', 'no rule allows this to anybody'],
]

/** One sentence, without telling which role would do. */
export function denialDetail({ reasons }: Decision): string {
  return DENIED.find(([code]) => reasons.some((reason) => reason.code === code))?.[1] ?? 'nothing allows this'
}
