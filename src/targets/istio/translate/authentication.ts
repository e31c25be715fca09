/** RequestAuthentications of a workload as Envoy's `jwt_authn` filter: a token that is shown must be good, and none need be. */
import { JWT_METADATA, PAYLOAD } from './matchers.ts'
import type { Workload } from './mesh.ts'
import type { Json, JwtRule, NamedFilter, RequestAuthentication } from './types.ts'

/** A JSON Web Key Set for each `jwksUri`, and for each issuer whose keys its own discovery document names. */
export type KeySets = ReadonlyMap<string, string>

const TYPE = 'type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication'
const SPACE_DELIMITED = ['permission', 'scope']
/** Where keys can't be had, Istio's control plane puts keys in of which nobody has the other half: no token is good. */
const NOBODYS_KEYS = JSON.stringify({
  keys: [
    {
      kty: 'EC',
      crv: 'P-256',
      kid: 'nobody',
      x: '_VHq0mVUgO7JW0a0OJALznZHN0yos56L2JUmGVNjv8A',
      y: 'Djyhr6QAnvibJPP6PQEvcFa9Gjinf3TYxszoqcHDHFw',
    },
  ],
})

/** @returns undefined for a workload without any, which verifies nothing */
export function authenticationFilter(all: readonly RequestAuthentication[], { kind }: Workload, keys: KeySets): NamedFilter | undefined {
  const rules = all.flatMap(({ jwtRules }) => jwtRules).toSorted((a, b) => (a.issuer < b.issuer ? -1 : a.issuer > b.issuer ? 1 : 0))
  if (rules.length === 0) return undefined
  const names = rules.map((_, index) => `origins-${index}`)
  const orMissing = names.map((providerName) => ({ requiresAny: { requirements: [{ providerName }, { allowMissing: {} }] } }))
  // Several may share a place for tokens, and then each finds fault with those of the others: one of them has to be content, or all.
  const requires =
    orMissing.length === 1
      ? orMissing[0]!
      : {
          requiresAny: { requirements: [...names.map((providerName) => ({ providerName })), { requiresAll: { requirements: orMissing } }] },
        }
  return {
    name: JWT_METADATA,
    typedConfig: {
      '@type': TYPE,
      providers: Object.fromEntries(rules.map((rule, index) => [names[index]!, providerOf(rule, kind !== 'sidecar', keys)])),
      rules: [{ match: { prefix: '/' }, requires }],
      bypassCorsPreflight: true,
    },
  }
}

function providerOf(rule: JwtRule, routesByClaim: boolean, keys: KeySets): Json {
  const inlineString = rule.jwks ?? keys.get(rule.jwksUri ?? rule.issuer) ?? NOBODYS_KEYS
  return {
    issuer: rule.issuer,
    ...(rule.audiences.length === 0 ? {} : { audiences: rule.audiences }),
    ...(rule.forwardOriginalToken ? { forward: true } : {}),
    ...(rule.outputPayloadToHeader === undefined ? {} : { forwardPayloadHeader: rule.outputPayloadToHeader }),
    payloadInMetadata: PAYLOAD,
    normalizePayloadInMetadata: { spaceDelimitedClaims: [...new Set([...rule.spaceDelimitedClaims, ...SPACE_DELIMITED])].toSorted() },
    ...(routesByClaim ? { clearRouteCache: true } : {}),
    ...(rule.outputClaimToHeaders.length === 0
      ? {}
      : { claimToHeaders: rule.outputClaimToHeaders.map(({ header, claim }) => ({ headerName: header, claimName: claim })) }),
    ...(rule.fromHeaders.length === 0
      ? {}
      : { fromHeaders: rule.fromHeaders.map(({ name, prefix }) => ({ name, ...(prefix === '' ? {} : { valuePrefix: prefix }) })) }),
    ...(rule.fromParams.length === 0 ? {} : { fromParams: rule.fromParams }),
    ...(rule.fromCookies.length === 0 ? {} : { fromCookies: rule.fromCookies }),
    localJwks: { inlineString },
  }
}
