/** Texts with Istio's wildcards as matchers of Envoy's: `*` for any that is there, `a*` and `*a` for what begins and ends so. */
import type { Json } from './types.ts'

/** The signs that RE2 would read as something else, as Go's `regexp.QuoteMeta` has them. */
export function quoteMeta(text: string): string {
  return text.replaceAll(/[\\.+*?()|[\]{}^$]/g, String.raw`\$&`)
}

export function regexMatcher(regex: string): Json {
  return { safeRegex: { regex } }
}

export const ANY_TEXT: Json = regexMatcher('.+')

/** `envoy.type.matcher.v3.StringMatcher`. Envoy takes no empty prefix, so that `*` is a regex. */
export function textMatcher(value: string, prefix = ''): Json {
  if (value === '*') return ANY_TEXT
  if (value.startsWith('*')) {
    const suffix = value.slice(1)
    return prefix === '' ? { suffix } : regexMatcher(`${quoteMeta(prefix)}.*${quoteMeta(suffix)}`)
  }
  return value.endsWith('*') ? { prefix: prefix + value.slice(0, -1) } : { exact: prefix + value }
}

/** `envoy.config.route.v3.HeaderMatcher`. With `*`, a header that is there but empty counts. */
export function headerMatcher(name: string, value: string, ignoreCase = false): Json {
  if (value === '*') return { name, presentMatch: true }
  return { name, stringMatch: { ...textMatcher(value), ...(ignoreCase ? { ignoreCase } : {}) } }
}

export function isTemplate(path: string): boolean {
  return path.includes('{*}') || path.includes('{**}')
}

export function pathPermission(path: string): Json {
  if (!isTemplate(path)) return { urlPath: { path: textMatcher(path) } }
  return {
    uriTemplate: {
      name: 'uri-template',
      typedConfig: {
        '@type': 'type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig',
        pathTemplate: path.replaceAll('{*}', '*').replaceAll('{**}', '**'),
      },
    },
  }
}

export function orValue(matchers: readonly Json[]): Json {
  return matchers.length === 1 ? matchers[0]! : { orMatch: { valueMatchers: matchers } }
}

export function metadata(filter: string, keys: readonly string[], value: Json): Json {
  return { metadata: { filter, path: keys.map((key) => ({ key })), value } }
}

/** Where `jwt_authn` leaves the payload that it verified. */
export const JWT_METADATA = 'envoy.filters.http.jwt_authn'
export const PAYLOAD = 'payload'

/** A claim that is one of the texts, or a list in which one is. */
export function claimMatcher(claims: readonly string[], values: readonly string[]): Json {
  const value = orValue(values.map((each) => ({ stringMatch: textMatcher(each) })))
  return metadata(JWT_METADATA, [PAYLOAD, ...claims], orValue([{ listMatch: { oneOf: value } }, value]))
}

/** `iss/sub`, cut at the last slash since an issuer may be an address. Without a slash it is an issuer whose callers have an empty `sub`. */
export function requestPrincipal(value: string): Json {
  const at = value.lastIndexOf('/')
  const [iss, sub] = at < 0 ? [value, ''] : [value.slice(0, at), value.slice(at + 1)]
  const [issuer, subject] = halvesOf(value, at >= 0, iss, sub)
  const claim = (name: string, stringMatch: Json): Json => metadata(JWT_METADATA, [PAYLOAD, name], { stringMatch })
  return { andIds: { ids: [claim('iss', issuer), claim('sub', subject)] } }
}

function halvesOf(value: string, isCut: boolean, iss: string, sub: string): readonly [Json, Json] {
  if (value === '*') return [ANY_TEXT, ANY_TEXT]
  if (value.startsWith('*')) {
    if (!isCut) return [ANY_TEXT, { suffix: value.slice(1) }]
    return [iss === '*' ? ANY_TEXT : { suffix: iss.slice(1) }, { exact: sub }]
  }
  if (value.endsWith('*')) {
    if (!isCut) return [{ prefix: value.slice(0, -1) }, ANY_TEXT]
    return [{ exact: iss }, sub === '*' ? ANY_TEXT : { prefix: sub.slice(0, -1) }]
  }
  return [{ exact: iss }, { exact: sub }]
}
