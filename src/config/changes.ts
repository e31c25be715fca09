/** What differs between two wirings that the policy doesn't speak of. */
import type { Wiring } from './schema.ts'

export interface WiringChanges {
  /** What may change whose credentials are believed, or which requests come to which resource: no comparison of policies covers it. */
  readonly beyond: readonly string[]
  /** What changes no access: where things are, and how they are run. */
  readonly beside: readonly string[]
}

/** Compared with the policy, key by key. */
const WITH_POLICY: Readonly<Record<string, readonly string[]>> = {
  issuers: ['kind', 'stepUp'],
  resources: ['protocol', 'labels', 'issuers', 'scopes', 'observe', 'openapi'],
}

/** What decides nothing. Everything that isn't here may. */
const BESIDE: Readonly<Record<string, readonly string[]>> = {
  '': ['apiVersion', 'dataDir', 'audit', 'assertions', 'keyVault'],
  issuers: ['signIn'],
  resources: 'description upstream record body routes assertion forwardAuthorization signIn authorizationUri publicUrl'.split(' '),
}

/**
 * Where what widens is held, whatever lets go of that counts as such: not to hold any more, and another data directory, which knows of no
 * version that was in force.
 */
export function wiringChanges(before: Wiring, after: Wiring): WiringChanges {
  const beyond: string[] = []
  const beside: string[] = []
  const sort = (group: string, key: string, path: string): void => void ((BESIDE[group] ?? []).includes(key) ? beside : beyond).push(path)
  for (const key of keysOf(before, after)) {
    const [left, right] = [before, after].map((one) => valueOf(one, key))
    if (text(left) === text(right)) continue
    if (key !== 'issuers' && key !== 'resources') {
      if (key === 'onWiden') (right === 'hold' ? beside : beyond).push(key)
      else if (key === 'dataDir' && before.onWiden === 'hold') beyond.push(key)
      else sort('', key, key)
      continue
    }
    for (const name of keysOf(left, right)) {
      const [one, other] = [left, right].map((all) => valueOf(all, name))
      // What is in one version only is compared: nobody of it, or nothing on it, is in the other. But what it serves may be another's there.
      if (one === undefined || other === undefined) {
        if (key === 'resources' && isElsewhere(name, one ?? other, one === undefined ? left : right)) beyond.push(`resources.${name}.hosts`)
        continue
      }
      for (const part of keysOf(one, other)) {
        const [a, b] = [one, other].map((all) => valueOf(all, part))
        if (text(a) === text(b) || WITH_POLICY[key]!.includes(part)) continue
        if (key === 'issuers' && part === 'claims' && sameSources(a, b)) continue
        sort(key, part, `${key}.${name}.${part}`)
      }
    }
  }
  return { beyond, beside }
}

/** Whether requests for a resource come to another one where it isn't: one that has its hosts, also by a `*.`. */
function isElsewhere(name: string, resource: unknown, others: unknown): boolean {
  const hosts = hostsOf(resource)
  return keysOf(others).some((other) => {
    if (other === name) return false
    return hostsOf(valueOf(others, other)).some((host) =>
      hosts.some((one) => one === host || (host.startsWith('*.') && one.endsWith(host.slice(1)))),
    )
  })
}

function hostsOf(resource: unknown): readonly string[] {
  const hosts = valueOf(resource, 'hosts')
  // Whatever their ports: what is at none of those that are said may come to it as well.
  return Array.isArray(hosts) ? hosts.map((one) => String(one).toLowerCase().replace(/:\d+$/, '')) : []
}

/** Claims that both have are read from the same place; what is declared, and as which type, the policy's comparison knows. */
function sameSources(before: unknown, after: unknown): boolean {
  const path = (claims: unknown, name: string): string => {
    const declared = valueOf(claims, name)
    return text(typeof declared === 'object' && declared !== null ? valueOf(declared, 'path') : undefined)
  }
  return keysOf(before, after).every(
    (name) => valueOf(before, name) === undefined || valueOf(after, name) === undefined || path(before, name) === path(after, name),
  )
}

function keysOf(...all: readonly unknown[]): readonly string[] {
  return [...new Set(all.flatMap((one) => (typeof one === 'object' && one !== null ? Object.keys(one) : [])))].toSorted()
}

function valueOf(object: unknown, key: string): unknown {
  return typeof object === 'object' && object !== null && Object.hasOwn(object, key) ? (object as Record<string, unknown>)[key] : undefined
}

/** Data as text, whatever the order of its keys. */
function text(value: unknown): string {
  return (
    JSON.stringify(value, (_, one: unknown) =>
      typeof one === 'object' && one !== null && !Array.isArray(one)
        ? Object.fromEntries(Object.entries(one).toSorted(([a], [b]) => (a < b ? -1 : 1)))
        : typeof one === 'bigint'
          ? String(one)
          : one,
    ) ?? ''
  )
}
