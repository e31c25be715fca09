/** What secrets look like. Told by form alone: nothing here knows whether a text is one. */

/** Forms of secrets, as the configuration names them. */
export const FORMS = ['typed', 'arguments', 'named-values', 'authorization', 'urls', 'tokens', 'private-keys', 'secret-data'] as const

export type Form = (typeof FORMS)[number]

/** What stands in place of a secret: each of its characters takes one column, as those of a secret do. */
export const MARKER = '‹redacted›'

/** A name whose value is a secret: `DB_PASSWORD`, `--client-secret`, `spring.datasource.password`, `accessToken`. */
const SECRET_NAME =
  /(?:password|passwd|passphrase|pgpass|secret|token|credentials?|api[-_]?key|(?:access|account|private|secret|signing|encryption|auth|master)[-_]?key|shared[-_]?access[-_]?signature|rediscli_auth|(?:^|[-_.])pwd|(?:^|[-_.])pass|^sig)$/i

/** Names whose end says otherwise: the working folder. */
const NO_SECRET_NAME = /^(?:OLD)?PWD$/

/** Characters of a name that are looked at. */
const NAME = 64
/** How those names end. Most words end otherwise, and needn't be looked at any further. */
const ENDS = new Set(['ord', 'swd', 'ase', 'ass', 'ret', 'ken', 'ial', 'als', 'key', 'ure', 'uth', 'pwd', 'sig'])

export function isSecretName(name: string): boolean {
  return ENDS.has(name.slice(-3).toLowerCase()) && SECRET_NAME.test(name.slice(-NAME)) && !NO_SECRET_NAME.test(name)
}

/** Values of such names that are none. */
export const NO_SECRET = /^(?:(?:true|false|null|nil|none)[\])}]*|[|>][+-]?)$/i

/** Schemes of `Authorization` (RFC 9110 §11.1). What follows them is a secret. */
export const SCHEME = /^(?:bearer|basic|digest|negotiate|token|apikey|dpop|sharedkey|aws4-hmac-sha256)$/i
const AUTHORIZATION = /^(?:proxy-)?authorization$/i

export function isAuthorization(name: string): boolean {
  return (name.length === 13 || name.length === 19) && AUTHORIZATION.test(name)
}

/** Tokens with a form of their own, wherever they stand in a run of letters. What ends with `*` may go on. */
const TOKENS = new RegExp(
  [
    // JWS, JWE and what a terminal broke off of one: base64url of `{"`. In base64 once more, as a Secret has it.
    String.raw`(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{13,}(?:\.[A-Za-z0-9_-]*){0,4}`,
    String.raw`(?<![A-Za-z0-9+/])ZXlK[A-Za-z0-9+/]{20,}`,
    // AWS
    String.raw`(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])`,
    // GitHub, GitLab, Slack, npm, PyPI, Stripe, Google, Vault, Entra ID, Azure DevOps, Docker
    String.raw`(?<![A-Za-z0-9])(?:gh[opsur]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,})`,
    String.raw`(?<![A-Za-z0-9])(?:xox[a-z]-[A-Za-z0-9-]{10,}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{30,}|[rs]k_(?:live|test)_[A-Za-z0-9]{16,})`,
    String.raw`(?<![A-Za-z0-9])(?:AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,}|hv[bs]\.[A-Za-z0-9_-]{20,}|dckr_pat_[A-Za-z0-9_-]{20,})`,
    String.raw`(?<![A-Za-z0-9_.~-])[A-Za-z0-9_.~-]{3}[78]Q~[A-Za-z0-9_.~-]{31,}`,
    // Bootstrap tokens of Kubernetes
    String.raw`^[a-z0-9]{6}\.[a-z0-9]{16}$`,
  ].join('|'),
  'g',
)

/** What is shorter than all of them needs no look. */
const SHORTEST_TOKEN = 16

/** Where tokens stand in a run, as pairs of beginning and end. */
export function tokensIn(run: string): readonly (readonly [number, number])[] {
  if (run.length < SHORTEST_TOKEN) return []
  return [...run.matchAll(TOKENS)].map(({ index, 0: { length } }) => [index, index + length])
}

/** Base64 of a private key in PEM: what a Secret has of one. */
export function isEncodedKey(run: string): boolean {
  return run.startsWith('LS0tLS1CRUdJTi') && /^[A-Za-z0-9+/]{44,}/.test(run) && atob(run.slice(0, 44)).includes('PRIVATE')
}

/** As a value of `data:` in a Secret, its padding left out. */
export function isBase64(run: string): boolean {
  return /^[A-Za-z0-9+/]+$/.test(run) && run.length % 4 !== 1
}

/** A line without any of this has none of the forms, and most lines are such: it is only there to be fast. */
export const SUSPICIOUS =
  /pass|pwd|secret|token|credential|key|sig|auth|bearer|data|begin|:\/\/|-[apuw]|eyj|zxlk|a[ks]ia|gh[opsur]_|github|glpat|xox|npm_|pypi|k_(?:live|test)|aiza|ya29|hv[bs]\.|dckr|q~|ls0t|[a-z0-9]{6}\.[a-z0-9]{16}|\u001b|\r[^\n]/i
