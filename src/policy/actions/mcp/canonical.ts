import type { McpAction } from '../../../core/action.ts'
import { NAME, OF_URIS, WITH_NAME } from './known.ts'

const METHOD = /^[A-Za-z][A-Za-z0-9_]*(?:\/[A-Za-z][A-Za-z0-9_]*){0,4}$/

/** Whether a URI has one spelling only: lower case up to its path, no dot segment, no empty one, and nothing encoded that means something to a path. */
export function isUri(text: string): boolean {
  const match = /^([a-z][a-z0-9+.-]*):(?:\/\/([^/?#]*))?([^?#]*)(\?[^#]*)?$/.exec(text)
  if (match === null || text.length > 2048 || /[^\x21-\x7e]|[\\"<>^`{}|*]/.test(text)) return false
  const [, , authority, path = ''] = match
  if (authority !== undefined && authority !== authority.toLowerCase()) return false
  return (
    !/%(?![0-9A-F]{2})|%(?:2E|2F|5C|0[0-9A-F]|1[0-9A-F]|7F|[46][1-9A-F]|[57][0-9A]|3[0-9]|2D|5F|7E)/.test(text) &&
    !/(?:^|\/)\.{1,2}(?:\/|$)/.test(path) &&
    // Also right behind an authority: to a file system `file:////etc` is `file:///etc`.
    !path.includes('//')
  )
}

/** Whether an action has the form that a door gives it. What hasn't is covered by nothing. */
export function isCanonical({ method, name }: McpAction): boolean {
  if (method.length > 128 || !METHOD.test(method)) return false
  if (!WITH_NAME.has(method)) return name === ''
  return OF_URIS.includes(method) ? isUri(name) : NAME.test(name)
}
