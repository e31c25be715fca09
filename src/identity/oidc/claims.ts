import type { ClaimInfo } from '../issuer.ts'

const text: ClaimInfo = { type: 'string', mayBeUnknown: false }
const list: ClaimInfo = { type: 'list', mayBeUnknown: false }

/** Claims of RFC 9068 and of OpenID Connect Core that policy may speak of. `client_id` is derived: providers without it have `azp`. */
export const oidcClaims = {
  sub: text,
  client_id: text,
  acr: text,
  amr: list,
  roles: list,
  groups: list,
  entitlements: list,
  name: text,
  preferred_username: text,
  email: text,
  email_verified: { type: 'boolean', mayBeUnknown: false },
} as const satisfies Readonly<Record<string, ClaimInfo>>
