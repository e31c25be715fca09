/** JSONPath (RFC 9535), the part of it that names fields: members, elements, wildcards and descendants. No filters, slices or unions. */

export interface PathSegment {
  /** The member or element itself, or it anywhere below. */
  readonly axis: 'child' | 'descendant'
  /** A member's name, an element's index, or any of both. */
  readonly select: string | number | typeof ANY
}

/** Selects every member and every element. */
export const ANY: unique symbol = Symbol('*')

export interface JsonPath {
  /** In its normal form, so that two ways to write one path are one text. */
  readonly text: string
  readonly segments: readonly PathSegment[]
}

const MAX_LENGTH = 512
const MAX_SEGMENTS = 32

const SEGMENT =
  /(\.\.|\.)(?:(\*)|([A-Za-z_\u0080-\uFFFF][A-Za-z0-9_\u0080-\uFFFF]*))|(\.\.)?\[(?:(\*)|(0|[1-9][0-9]{0,8})|'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\]/suy

/** Reads `$.customer['card-number']`, `$.items[*].price`, `$..iban`. Answers what is wrong with any other text. */
export function parseJsonPath(text: string): JsonPath | { readonly problem: string } {
  if (text.length > MAX_LENGTH) return { problem: `it is longer than ${MAX_LENGTH} characters` }
  if (!text.isWellFormed() || /\p{Cc}/u.test(text)) return { problem: 'it has a character that is not text' }
  if (!text.startsWith('$')) return { problem: 'it does not start with `$`' }
  const segments: PathSegment[] = []
  let at = 1
  while (at < text.length) {
    SEGMENT.lastIndex = at
    const match = SEGMENT.exec(text)
    if (match === null)
      return { problem: `there is no segment such as \`.name\`, \`['name']\`, \`[*]\` or \`..name\` at \`${text.slice(at, at + 16)}\`` }
    const [whole, dots, star, name, before, anything, index, single, double] = match
    const quoted = single ?? double
    const written = quoted === undefined ? name : unescape(quoted)
    if (quoted !== undefined && written === undefined) return { problem: `\`${quoted}\` has an escape that is none of JSON` }
    const select = star !== undefined || anything !== undefined ? ANY : index === undefined ? written! : Number(index)
    segments.push({ axis: (dots ?? before) === '..' ? 'descendant' : 'child', select })
    if (segments.length > MAX_SEGMENTS) return { problem: `it has more than ${MAX_SEGMENTS} segments` }
    at += whole.length
  }
  if (segments.length === 0) return { problem: 'it names no field' }
  return { text: `$${segments.map(format).join('')}`, segments }
}

const ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', '/': '/', '\\': '\\', "'": "'", '"': '"' }

function unescape(text: string): string | undefined {
  let wrong = false
  const plain = text.replaceAll(/\\(?:u([0-9A-Fa-f]{4})|(.))/gsu, (_, code: string | undefined, one: string | undefined) => {
    if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16))
    const meant = ESCAPES[one ?? '']
    wrong ||= meant === undefined
    return meant ?? ''
  })
  return wrong || !plain.isWellFormed() ? undefined : plain
}

const SHORTHAND = /^[A-Za-z_\u0080-\uFFFF][A-Za-z0-9_\u0080-\uFFFF]*$/u

function format({ axis, select }: PathSegment): string {
  const dots = axis === 'descendant' ? '..' : ''
  if (select === ANY) return `${dots}[*]`
  if (typeof select === 'number') return `${dots}[${select}]`
  if (SHORTHAND.test(select)) return `${dots === '' ? '.' : dots}${select}`
  return `${dots}['${select.replaceAll(/[\\']/g, (one) => `\\${one}`)}']`
}
