/** A native policy as policies of `rbac` filters: who is let in at all, what guardrails take away, what rules grant. */
import { ALWAYS, any, type NativeIssuer } from '../core/token.ts'
import { NOBODY, type ByClass, type NativeGuardrail, type NativeResource } from '../policy/native/native.ts'
import { CHECKED } from './metadata.ts'
import {
  bothPermissions,
  eitherPermission,
  noPermission,
  permissionAbout,
  permissionOf,
  plainPoliciesOf,
  policiesOf,
  type Json,
  type PathPattern,
  type Policies,
} from './rbac.ts'

/**
 * Paths as they are forwarded: what RFC 3986 allows in a segment stands plain, and nothing else does but an escape in upper case that
 * stands for neither a plain character nor a separator nor a control character. So a template is compared with one spelling only.
 */
const ESCAPES = '%(?:2[0235]|3[CEF]|5[BDE]|60|7[BCD]|[89A-F][0-9A-F])'
export const CANONICAL_PATH = `/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|${ESCAPES})*`

/** Methods have no lower-case letter. */
export const CANONICAL_METHOD = '[^a-z]+'
/** One credential, of the one scheme that is looked at. */
export const TOKEN_FORM = 'Bearer [A-Za-z0-9_.-]+'

/** A request in the one form that is decided. */
export const CANONICAL: Json = bothPermissions(
  { urlPath: { path: { safeRegex: { regex: CANONICAL_PATH } } } },
  { header: { name: ':method', stringMatch: { safeRegex: { regex: CANONICAL_METHOD } } } },
)
export const ANYBODY: Json = { any: true }
const HAS_CREDENTIAL: Json = { header: { name: 'authorization', presentMatch: true } }
const ONE_TOKEN: Json = { header: { name: 'authorization', stringMatch: { safeRegex: { regex: TOKEN_FORM } } } }

/** Who is let in at all, and with what request: a bad credential is refused also where none is needed. */
export function callersOf({ issuers }: NativeResource): Policies {
  return [...nobodyOf(), ...issuers.flatMap(tokensFrom)]
}

/** Who shows no credential. */
export function nobodyOf(): Policies {
  return policiesOf('nobody', bothPermissions(noPermission(HAS_CREDENTIAL), CANONICAL), undefined, ALWAYS)
}

/** Who shows a token that an issuer's form lets in. */
export function tokensFrom(issuer: NativeIssuer): Policies {
  return policiesOf('token', bothPermissions(CANONICAL, ONE_TOKEN), issuer, issuer.credential)
}

/** Most of the tokens that `tokensFrom` lets in, for less: Envoy looks at policies in the order of their names. */
export function plainCallersOf(issuer: NativeIssuer): Policies {
  return plainPoliciesOf('plain', bothPermissions(CANONICAL, ONE_TOKEN), issuer, issuer.credential)
}

/** One of them is enough. What is only observed lets everything in until it ends. */
export function rulesOf(native: NativeResource): Policies {
  const { observed, issuers } = native
  if (observed === undefined) return grantsOf(native)
  const open = [...observed.lets].flatMap(([caller, formula]) =>
    policiesOf(OPEN, permissionOf([EVERYTHING]), issuerOf(caller, issuers), formula),
  )
  return [...open, ...grantsOf(native)]
}

/** What would grant, where something else lets in as long as the resource is only observed. */
export function observedRulesOf(native: NativeResource): Policies | undefined {
  return native.observed === undefined ? undefined : grantsOf(native)
}

function grantsOf({ rules, issuers }: NativeResource): Policies {
  return rules.flatMap(({ id, patterns, applies }) =>
    [...applies].flatMap(([caller, formula]) => policiesOf(id, permissionOf(patterns), issuerOf(caller, issuers), formula)),
  )
}

/** No rule can have this name. */
const OPEN = '(observed)'
const EVERYTHING: PathPattern = { method: '*', segments: [], rest: true }

/** No guardrail can have this name. */
const SCOPE = '(scope)'

/** Each of them denies. */
export function guardrailsOf(native: NativeResource): Policies {
  return denialsOf(native, ({ applies }) => applies, native.scopes?.capped)
}

/** What would deny, were it not only observed. */
export function observedOf(native: NativeResource): Policies {
  return denialsOf(native, ({ observed }) => observed, native.scopes?.observed)
}

function denialsOf(
  { guardrails, issuers, scopes }: NativeResource,
  when: (guardrail: NativeGuardrail) => ByClass | undefined,
  capped: ByClass | undefined,
): Policies {
  const own = guardrails.flatMap((guardrail) =>
    [...(when(guardrail) ?? [])].flatMap(([caller, formula]) =>
      policiesOf(guardrail.id, permissionOf(guardrail.patterns), issuerOf(caller, issuers), formula),
    ),
  )
  if (scopes === undefined || capped === undefined) return own
  const beyond = [...capped].flatMap(([caller, formula]) => {
    const inScope = scopes.scopes.map(({ patterns, has }) =>
      bothPermissions(permissionOf(patterns), permissionAbout(has.get(caller) ?? any())),
    )
    return policiesOf(SCOPE, noPermission(eitherPermission(...inScope)), issuerOf(caller, issuers), formula)
  })
  return [...own, ...beyond]
}

function issuerOf(name: string, issuers: readonly NativeIssuer[]): NativeIssuer | undefined {
  if (name === NOBODY) return undefined
  return issuers.find((issuer) => issuer.form === name)!
}

/** What the gateway said of a request that it was asked about and lets through. */
export function checkedOf(resource: string): Json {
  return {
    sourcedMetadata: {
      metadataMatcher: { filter: CHECKED.filter, path: [{ key: CHECKED.key }], value: { stringMatch: { exact: resource } } },
    },
  }
}
