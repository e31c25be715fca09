/** The header fields by which one user acts as another (`k8s.io/apiserver/pkg/endpoints/filters/impersonation`). */
import { ALL, type KubernetesAction } from '../core/action.ts'
import type { ClusterUser } from './users.ts'

const EXTRA = 'impersonate-extra-'

/** Whom a caller asks to act as. */
export interface Impersonated {
  readonly user: string
  readonly groups: readonly string[]
  readonly uid: string | undefined
  /** By key, in lower case. */
  readonly extra: Readonly<Record<string, readonly string[]>>
}

/**
 * What a caller's fields ask for; undefined where they ask for nothing, a text where what they ask for is nothing that can be decided.
 * @param rawHeaders Names and values alternating; one byte per character
 */
export function impersonationIn(rawHeaders: readonly string[]): Impersonated | string | undefined {
  const users: string[] = []
  const uids: string[] = []
  const groups: string[] = []
  const extra: Record<string, string[]> = Object.create(null) as Record<string, string[]>
  let any = false
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    if (!name.startsWith('impersonate')) continue
    any = true
    const value = textOf(rawHeaders[i + 1]!)
    if (value === undefined) return `\`${safe(name)}\` is empty, or holds what no name may hold`
    if (name === 'impersonate-user') users.push(value)
    else if (name === 'impersonate-group') groups.push(value)
    else if (name === 'impersonate-uid') uids.push(value)
    else if (name.startsWith(EXTRA)) {
      const key = keyOf(name.slice(EXTRA.length))
      if (key === undefined) return `\`${safe(name)}\` names no key`
      ;(extra[key] ??= []).push(value)
    } else return `\`${safe(name)}\` is none of the fields by which one acts as another`
  }
  if (!any) return undefined
  if (users.length > 1 || uids.length > 1) return 'it asks to act as more than one user'
  if (users.length === 0) return 'it asks to act as a group, and as no user'
  return { user: users[0]!, groups, uid: uids[0], extra }
}

/** What has to be allowed for it, each by itself. */
export function actionsOf({ user, groups, uid, extra }: Impersonated): readonly KubernetesAction[] {
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user)
  const one = (group: string, resource: string, name: string, more: Partial<KubernetesAction> = {}): KubernetesAction => ({
    protocol: 'kubernetes',
    verb: 'impersonate',
    group,
    resource,
    subresource: '',
    namespace: '',
    name,
    path: '',
    ...more,
  })
  return [
    account === null ? one('', 'users', user) : one('', 'serviceaccounts', account[2]!, { namespace: account[1]! }),
    ...groups.map((name) => one('', 'groups', name)),
    ...(uid === undefined ? [] : [one('authentication.k8s.io', 'uids', uid)]),
    // Whatever the key: fields by which a provider's own rights may go are for whoever may impersonate all of them.
    ...Object.entries(extra).map(() => one('authentication.k8s.io', 'userextras', ALL)),
  ]
}

/** The fields that say it to an API server. A list is a field for each: of one with commas it makes one group. */
export function impersonationFields({ user, groups, uid, extra }: Impersonated): string[] {
  const fields = ['Impersonate-User', bytesOf(user)]
  for (const group of groups) fields.push('Impersonate-Group', bytesOf(group))
  if (uid !== undefined) fields.push('Impersonate-Uid', bytesOf(uid))
  return [...fields, ...extraFields(extra)]
}

/** Those of them that say what else there is of a user. */
export function extraFields(extra: Impersonated['extra']): string[] {
  const fields: string[] = []
  for (const [key, values] of Object.entries(extra))
    for (const value of values) fields.push(`Impersonate-Extra-${encodeKey(key)}`, bytesOf(value))
  return fields
}

/** A user of ours as one to act as. */
export function asImpersonated({ name, groups, uid, extra }: ClusterUser): Impersonated {
  return { user: name, groups, uid, extra: Object.fromEntries(Object.entries(extra).map(([key, values]) => [key, values.filter(carries)])) }
}

/** Whether a text arrives as it was sent: fields lose blanks at both ends, and hold no control characters. */
export function carries(text: string): boolean {
  return text !== '' && text === text.trim() && !/\p{Cc}/u.test(text) && text.isWellFormed()
}

/** UTF-8, one byte per character. */
function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

function textOf(value: string): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(value, 'latin1'))
    return carries(text) ? text : undefined
  } catch {
    return undefined
  }
}

/** Keys are percent-encoded in the name of the field, and in lower case. */
function keyOf(encoded: string): string | undefined {
  try {
    const key = decodeURIComponent(encoded).toLowerCase()
    return carries(key) && key.length <= 512 ? key : undefined
  } catch {
    return undefined
  }
}

/** RFC 9110 §5.6.2 but for `%`, which begins what is encoded. */
function encodeKey(key: string): string {
  return key
    .toLowerCase()
    .replaceAll(/[^a-z0-9!#$&'*+\-.^_`|~]/gu, (character) =>
      [...Buffer.from(character, 'utf8')].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
    )
}

function safe(name: string): string {
  return name.replaceAll(/[^\x21-\x7e]/g, '?').slice(0, 64)
}
