/** `spec` of a RequestAuthentication, with what Istio's own validation refuses of it. */
import { attachmentOf, attachmentShapes } from './readattachment.ts'
import { fields, flag, invalid, list, needed, some, text, type Path, type Shape } from './shapes.ts'
import type { JwtRule, RequestAuthentication } from './types.ts'

const MAX_RULES = 4096
const MAX_CLAIMS = 64

const fieldName = text((value) => (/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(value) ? undefined : 'it is no name of a header'))
const outputField = text((value) => (/^[-_A-Za-z0-9]+$/.test(value) ? undefined : 'it is no name of a header'))
const header: Shape<{ readonly name: string; readonly prefix: string }> = (value, path) => {
  const read = fields({ name: fieldName, prefix: text() })(value, path)
  return { name: needed(read.name, 'name', path), prefix: read.prefix ?? '' }
}
const claim: Shape<{ readonly header: string; readonly claim: string }> = (value, path) => {
  const read = fields({ header: outputField, claim: text() })(value, path)
  return { header: needed(read.header, 'header', path), claim: needed(read.claim, 'claim', path) }
}
const ruleShape = fields({
  issuer: text(),
  audiences: some(text()),
  jwksUri: text((value) => (/^https?:\/\/[^\s/]/.test(value) ? undefined : 'it is no http or https address')),
  jwks: text((value) => (isKeySet(value) ? undefined : 'it is no JSON Web Key Set')),
  fromHeaders: some(header),
  fromParams: some(text()),
  fromCookies: some(text()),
  forwardOriginalToken: flag,
  outputPayloadToHeader: fieldName,
  outputClaimToHeaders: some(claim),
  spaceDelimitedClaims: some(text(), MAX_CLAIMS),
  timeout: text((value) => (/^(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))+$/.test(value) ? undefined : 'it is no duration')),
  presence: (_value: unknown, path: Path): never => {
    throw invalid('Istio has it in its API and does nothing with it: an AuthorizationPolicy requires a token', path)
  },
})

function isKeySet(value: string): boolean {
  try {
    const { keys } = JSON.parse(value) as { readonly keys?: unknown }
    return Array.isArray(keys)
  } catch {
    return false
  }
}

const rule: Shape<JwtRule> = (value, path) => {
  const read = ruleShape(value, path)
  if (read.jwks !== undefined && read.jwksUri !== undefined) throw invalid('only one of `jwks` and `jwksUri` can be set', path)
  return {
    issuer: needed(read.issuer, 'issuer', path),
    audiences: read.audiences ?? [],
    jwksUri: read.jwksUri,
    jwks: read.jwks,
    fromHeaders: read.fromHeaders ?? [],
    fromParams: read.fromParams ?? [],
    fromCookies: read.fromCookies ?? [],
    forwardOriginalToken: read.forwardOriginalToken ?? false,
    outputPayloadToHeader: read.outputPayloadToHeader,
    outputClaimToHeaders: read.outputClaimToHeaders ?? [],
    spaceDelimitedClaims: read.spaceDelimitedClaims ?? [],
  }
}

const specShape = fields({ ...attachmentShapes, jwtRules: list(rule, MAX_RULES) })

export function authenticationSpec(value: unknown, path: Path): Omit<RequestAuthentication, 'kind' | 'metadata'> {
  const read = specShape(value, path)
  return { ...attachmentOf(read, path), jwtRules: read.jwtRules ?? [] }
}
