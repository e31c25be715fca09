/** One pair of a `Cookie` field, byte-strict: only SP and HTAB around it are removed, the value is kept as it is. */
export interface Cookie {
  readonly name: string
  readonly value: string
}

/**
 * Parses a `Cookie` value (RFC 6265 §4.2). A pair without `=` has an empty name. Nothing is decoded or unquoted, and no
 * Unicode white space is taken for a space: that is how a cookie of another name comes to read like ours.
 */
export function parseCookies(header: string): readonly Cookie[] {
  return header.split(';').flatMap((part) => {
    const pair = part.replaceAll(/^[ \t]+|[ \t]+$/g, '')
    if (pair === '') return []
    const cut = pair.indexOf('=')
    return [cut < 0 ? { name: '', value: pair } : { name: pair.slice(0, cut), value: pair.slice(cut + 1) }]
  })
}

export interface SplitCookies {
  /** The `Cookie` value without the gateway's own, or undefined where nothing is left. */
  readonly rest: string | undefined
  readonly own: readonly Cookie[]
}

/** Parts the gateway's cookies from the application's. */
export function splitCookies(header: string | undefined, owns: (name: string) => boolean): SplitCookies {
  if (header === undefined) return { rest: undefined, own: [] }
  const all = parseCookies(header)
  const own = all.filter(({ name }) => owns(name))
  if (own.length === 0) return { rest: header, own }
  const rest = all.filter(({ name }) => !owns(name)).map(({ name, value }) => (name === '' ? value : `${name}=${value}`))
  return { rest: rest.length === 0 ? undefined : rest.join('; '), own }
}

/** The name that a `Set-Cookie` value sets (RFC 6265 §5.2). */
export function setCookieName(value: string): string {
  const pair = value.split(';')[0]!
  const cut = pair.indexOf('=')
  // Without `=`, and with an empty name, some browsers send the value back as if it held the name.
  const name = cut < 0 ? pair : pair.slice(0, cut).trim() === '' ? pair.slice(cut + 1).split('=')[0]! : pair.slice(0, cut)
  return name.replaceAll(/^[\s\p{White_Space}\p{Cc}]+|[\s\p{White_Space}\p{Cc}]+$/gu, '')
}
