import type { ClaimInfo } from '../issuer.ts'

const text: ClaimInfo = { type: 'string', mayBeUnknown: false }
const list: ClaimInfo = { type: 'list', mayBeUnknown: false }
/** Entra names at most 200 groups in a token, and says that there are more instead. */
const overflowing: ClaimInfo = { type: 'list', mayBeUnknown: true }

/**
 * Claims of Entra tokens that policy may speak of. Two are derived: `azp` is the client in both versions (v1 calls it `appid`), and
 * `guest` whether the account is at home in another tenant. Scopes are no claim: they cap.
 */
export const entraClaims = {
  oid: text,
  tid: text,
  azp: text,
  azpacr: text,
  idtyp: text,
  roles: list,
  groups: overflowing,
  wids: overflowing,
  acrs: list,
  amr: list,
  xms_cc: list,
  guest: { type: 'boolean', mayBeUnknown: false },
  acct: { type: 'number', mayBeUnknown: false },
  idp: text,
  xms_mirid: text,
  preferred_username: text,
  unique_name: text,
  upn: text,
  email: text,
  name: text,
} as const satisfies Readonly<Record<string, ClaimInfo>>
