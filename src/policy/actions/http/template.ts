/**
 * The action vocabulary of HTTP: `GET /orders/{id}`.
 *
 * A pattern is a method or `*`, one space, and a path template. `GET` implies `HEAD`. In the template `{name}` is one
 * segment that isn't empty, and `**` stands only at the end, for one or more segments, the last of which may be empty:
 * `/a/**` is `/a/` and all below it, not `/a`. `/a` is not `/a/`.
 */

import type { Parsed, PatternBase, Problem } from '../vocabulary.ts'

export interface HttpPattern extends PatternBase {
  readonly protocol: 'http'
  /** A method, without lower-case letters, or `*` for every method. */
  readonly method: string
  /** Segments between slashes; the last is an empty literal where the template ends with a slash. */
  readonly segments: readonly Segment[]
  /** Ends with `**`. */
  readonly rest: boolean
}

export type Segment = { readonly kind: 'literal'; readonly text: string } | { readonly kind: 'parameter'; readonly name: string }

/** What is wrong with a text, or an operation id in place of a method and a path. */
export type ParsedPattern =
  | (Parsed<HttpPattern> & { readonly operation?: undefined })
  | (Problem & { readonly pattern?: undefined; readonly operation: string })

const MAX_TEMPLATE = 2048
export const MAX_SEGMENTS = 64
const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$/
export const STANDARD_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT', 'QUERY']
const STANDARD = new Set(STANDARD_METHODS)
const PARAMETER = /^\{([A-Za-z_][A-Za-z0-9_]{0,62})\}$/

/** Reads one pattern. Says in `problem` what is wrong with it, and in `help` what to write. */
export function parsePattern(text: string): ParsedPattern {
  if (text.length > MAX_TEMPLATE) return { problem: `it is longer than ${MAX_TEMPLATE} characters` }
  const cut = text.indexOf(' ')
  if (cut === -1) {
    if (/^[A-Za-z_][\w.-]*$/.test(text) && !STANDARD.has(text.toUpperCase())) return { problem: 'there is no method', operation: text }
    return { problem: 'it needs a method and a path', help: text.startsWith('/') ? `write \`GET ${text}\`` : undefined }
  }
  const method = text.slice(0, cut)
  const template = text.slice(cut + 1)
  if (!METHOD.test(method))
    return { problem: `\`${method}\` is not a method`, help: 'write one method, or `*` for all; one action per method' }
  if (!isCanonicalMethod(method)) return { problem: 'methods are upper case', help: `did you mean \`${method.toUpperCase()}\`?` }
  if (!template.startsWith('/'))
    return { problem: 'its path does not start with `/`', help: `write \`${method} /${template.trim().replace(/^\//, '')}\`` }
  return parseTemplate(text, method, template)
}

function parseTemplate(text: string, method: string, template: string): ParsedPattern {
  const parts = template.slice(1).split('/')
  if (parts.length > MAX_SEGMENTS) return { problem: `it has more than ${MAX_SEGMENTS} segments` }
  const segments: Segment[] = []
  const parameters: string[] = []
  let rest = false
  for (const [i, part] of parts.entries()) {
    const last = i === parts.length - 1
    const parameter = PARAMETER.exec(part)?.[1]
    if (part === '**') {
      if (!last) return { problem: '`**` only comes last' }
      rest = true
    } else if (parameter !== undefined) {
      if (parameters.includes(parameter)) return { problem: `\`{${parameter}}\` is there twice` }
      parameters.push(parameter)
      segments.push({ kind: 'parameter', name: parameter })
    } else {
      const problem = literalProblem(part, last)
      if (problem !== undefined) return problem
      segments.push({ kind: 'literal', text: normalSegment(part) })
    }
  }
  return { pattern: { protocol: 'http', text, method, segments, rest, parameters } }
}

function literalProblem(part: string, last: boolean): ParsedPattern | undefined {
  if (part === '' && !last) return { problem: 'it has an empty segment', help: 'write one `/` between segments' }
  if (part.includes('*'))
    return { problem: `\`${part}\` is not a segment`, help: 'write `{name}` for one segment, `**` at the end for all below' }
  if (/[{}]/.test(part))
    return { problem: `\`${part}\` is not a segment`, help: 'a parameter is a whole segment: `{name}`, of letters, digits and `_`' }
  if (/[?#]/.test(part)) return { problem: 'it has a query or a fragment', help: 'a template is a path only' }
  if (/[\s\\\p{Cc}]/u.test(part)) return { problem: 'it has a space, a control character or a backslash', help: 'write a space as `%20`' }
  if (/%(?![0-9A-Fa-f]{2})/.test(part)) return { problem: '`%` is not followed by two hexadecimal digits' }
  if (!part.isWellFormed()) return { problem: 'it is not valid Unicode' }
  const normal = normalSegment(part)
  if (normal === '.' || normal === '..') return { problem: 'it has a dot segment', help: 'write the path that the request has in the end' }
  if (/%(2F|5C|0[0-9A-F]|1[0-9A-F]|7F)/.test(normal)) return { problem: 'it has an encoded separator or control character' }
  return undefined
}

/** What RFC 3986 allows in a segment without encoding. */
const PLAIN = /^[A-Za-z0-9\-._~!$&'()*+,;=:@]*$/
const PLAIN_CHARACTER = /^[A-Za-z0-9\-._~!$&'()*+,;=:@]$/

/**
 * One segment in the form in which it is compared: what may stand plain stands plain, everything else is percent-encoded
 * with upper-case digits. So `%3a` and `:` are the same segment, for templates as for requests, and a guardrail isn't
 * evaded by spelling. Total; malformed escapes stay as they are and then equal no template.
 */
export function normalSegment(segment: string): string {
  if (PLAIN.test(segment)) return segment
  return segment.replaceAll(/%([0-9A-Fa-f]{2})|([^A-Za-z0-9\-._~!$&'()*+,;=:@%])/gu, (whole, hex: string | undefined) => {
    if (hex === undefined) return whole.isWellFormed() ? encodeURIComponent(whole) : whole
    const character = String.fromCharCode(Number.parseInt(hex, 16))
    return PLAIN_CHARACTER.test(character) ? character : `%${hex.toUpperCase()}`
  })
}

/** Which characters below 128 may stand plain in a segment anywhere: all but `.`, which must not come first without a closer look. */
const PLAIN_CODES = Uint8Array.from({ length: 128 }, (_, code) =>
  code !== 0x2e && PLAIN_CHARACTER.test(String.fromCharCode(code)) ? 1 : 0,
)

/** Whether a segment with that character is in its normal form, wherever it stands. */
export function isSegmentCode(code: number): boolean {
  return PLAIN_CODES[code] === 1
}

/**
 * A canonical path with each segment in its normal form. Undefined for what isn't one: no leading slash, an empty segment
 * inside, a dot segment. Doors refuse those before; a decision about them grants nothing.
 */
export function normalPath(path: string): string | undefined {
  if (!path.startsWith('/')) return undefined
  const normal = path.split('/').map(normalSegment).join('/')
  if (normal.includes('//') || (normal.includes('/.') && /\/\.{1,2}(?:\/|$)/.test(normal))) return undefined
  return normal
}

/** The segments of a canonical path in normal form; undefined where `normalPath` is. */
export function segmentsOf(path: string): readonly string[] | undefined {
  return normalPath(path)?.slice(1).split('/')
}

/**
 * Methods are case-sensitive, and every registered one is upper case. But many a framework takes `delete` for `DELETE`, so a
 * request with a lower-case letter in its method is covered by nothing, not even by `*`: no guardrail is evaded by spelling.
 */
export function isCanonicalMethod(method: string): boolean {
  return !/[a-z]/.test(method)
}

function methodMatches(pattern: string, method: string): boolean {
  if (!isCanonicalMethod(method)) return false
  return pattern === '*' || pattern === method || (pattern === 'GET' && method === 'HEAD')
}

/** Whether the pattern covers the request. The plain definition, which the index must agree with. */
export function matchesPattern(pattern: HttpPattern, method: string, path: string): boolean {
  const parts = segmentsOf(path)
  if (parts === undefined || !methodMatches(pattern.method, method)) return false
  const { segments, rest } = pattern
  if (rest ? parts.length <= segments.length : parts.length !== segments.length) return false
  return segments.every((segment, i) => (segment.kind === 'literal' ? segment.text === parts[i] : parts[i] !== ''))
}

/** Values of the template's parameters in `path`, decoded. Undefined for one that isn't valid UTF-8. The pattern must match. */
export function parametersOf(pattern: HttpPattern, path: string): ReadonlyMap<string, string | undefined> {
  const values = new Map<string, string | undefined>()
  if (pattern.parameters.length === 0) return values
  const parts = path.slice(1).split('/')
  for (const [i, segment] of pattern.segments.entries()) if (segment.kind === 'parameter') values.set(segment.name, decode(parts[i] ?? ''))
  return values
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}
