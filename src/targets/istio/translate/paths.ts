/** How a proxy reads the path of a request before any filter sees it, by the settings of its connection manager. */
import type { Json } from './types.ts'

export type ReadPath = { readonly path: string } | { readonly status: 307 | 400 }

/**
 * @param sent With the query. Only signs that HTTP/1.1 lets into a request line. A fragment is dropped, which Envoy refuses and Istio
 * has it not refuse.
 */
export function readPath(sent: string, connection: Json): ReadPath {
  if (sent === '*') return { path: sent }
  if (!sent.startsWith('/') || !/^[!-~]+$/.test(sent)) return { status: 400 }
  const target = sent.replace(/#.*$/s, '')
  const at = target.indexOf('?')
  const [given, query] = at < 0 ? [target, ''] : [target.slice(0, at), target.slice(at)]
  const escaped = connection['pathWithEscapedSlashesAction'] as string
  const unescaped = escaped.startsWith('UNESCAPE') ? given.replaceAll(/%2f/gi, '/').replaceAll(/%5c/gi, '\\') : given
  let path: string | undefined = unescaped
  if (connection['normalizePath'] === true) path = canonical(path)
  if (path === undefined) return { status: 400 }
  if (connection['mergeSlashes'] === true) path = path.replaceAll(/\/{2,}/g, '/')
  if (escaped === 'UNESCAPE_AND_REDIRECT' && unescaped !== given) return { status: 307 }
  return { path: path + query }
}

/** The path of a URL as browsers write it: unreserved signs unescaped, dot segments gone, a backslash is a slash. Undefined for none. */
function canonical(path: string): string | undefined {
  if (/%00/.test(path)) return undefined
  const plain = path
    .replaceAll('\\', '/')
    .replaceAll(/%([0-9a-f]{2})/gi, (escape, hex: string) => {
      const sign = String.fromCharCode(Number.parseInt(hex, 16))
      return /[0-9A-Za-z._~-]/.test(sign) ? sign : escape
    })
    .replaceAll(/["<>`{|}^]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
  const kept: string[] = []
  const segments = plain.slice(1).split('/')
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1
    if (segment === '..') kept.pop()
    else if (segment !== '.') kept.push(segment)
    if (isLast && (segment === '.' || segment === '..')) kept.push('')
  }
  return `/${kept.join('/')}`
}
