/**
 * Who is let in at all, once for all resources of an Envoy: most of what a resource is sent would say only that. Policies travel apart from
 * the routes, so each is for those routes alone that name its very content. Whatever comes first, a route is never read with callers
 * that are others than it was made with: it finds its own, or nobody.
 */
import { hash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { NativeIssuer } from '../core/token.ts'
import type { NativeResource } from '../policy/native/native.ts'
import { nobodyOf, plainCallersOf, tokensFrom } from './policies.ts'
import { bothPermissions, type Json, type Policies } from './rbac.ts'
import { NotRead } from './read.ts'

/** Where a route says whom it lets in. */
export const CALLERS = { filter: 'ostiary', key: 'callers' } as const

/** Policies by what routes call them. */
export type Callers = ReadonlyMap<string, Policies>

const known = new WeakMap<NativeIssuer, readonly [string, Policies]>()

/** A name that changes with the content. */
function named(name: string, policies: Policies): readonly [string, Policies] {
  return [`${name}:${hash('sha256', JSON.stringify(policies), 'base64url').slice(0, 22)}`, policies]
}

const WITHOUT = named('nobody', nobodyOf())

/** Those of a resource. */
export function routeCallersOf({ issuers }: Pick<NativeResource, 'issuers'>): Callers {
  const all = issuers.map((issuer) => {
    let made = known.get(issuer)
    if (made === undefined) known.set(issuer, (made = named(issuer.form, [...plainCallersOf(issuer), ...tokensFrom(issuer)])))
    return made
  })
  return new Map([WITHOUT, ...all])
}

/** So many of those that are no longer named are kept: more than change before an Envoy has taken its routes. */
const MAX_FORMER = 4

/** Those of routes that Envoys may still have while they are sent others: without them, they would deny everybody until those are there. */
export class FormerCallers {
  readonly #of = new Map<string, Callers>()

  /** Those that were named before; those that are named now are kept for later. */
  before(node: string, now: Callers): Callers {
    const former = [...(this.#of.get(node) ?? [])].filter(([key]) => !now.has(key)).slice(-MAX_FORMER)
    this.#of.set(node, new Map([...former, ...now]))
    return new Map(former)
  }
}

/** What a route says, for it to let in these. */
export function metadataOf(callers: Callers): Json {
  return { filterMetadata: { [CALLERS.filter]: { [CALLERS.key]: [...callers.keys()] } } }
}

function isNamed(key: string): Json {
  const path = [{ key: CALLERS.key }]
  const value = { listMatch: { oneOf: { stringMatch: { exact: key } } } }
  return { sourcedMetadata: { metadataMatcher: { filter: CALLERS.filter, path, value }, metadataSource: 'ROUTE' } }
}

/** The policies of the filter. Envoy looks at them in the order of their names. */
export function filterOf(callers: Callers): Json {
  const policies = [...callers].flatMap(([key, all]) =>
    all.map(([name, { permissions, ...more }]) => {
      const [permission] = permissions as readonly Json[]
      return [`${name} ${key}`, { ...more, permissions: [bothPermissions(isNamed(key), permission!)] }] as const
    }),
  )
  return { action: 'ALLOW', policies: Object.fromEntries(policies) }
}

/** What the filter comes to for a route that says this. @param rules As they were sent @throws NotRead where that is not clear */
export function callersFor(metadata: unknown, rules: Json): Json {
  const { [CALLERS.key]: keys } = ((metadata as { readonly filterMetadata?: Json } | undefined)?.filterMetadata?.[CALLERS.filter] ??
    {}) as Json
  if (!Array.isArray(keys)) throw new NotRead('a route that says of nobody that they are let in')
  const { policies = {}, ...more } = rules
  const own = Object.entries(policies as Json).flatMap(([name, policy]) => {
    const { permissions, ...rest } = policy as { readonly permissions: readonly Json[] }
    const [first, second, ...others] = (permissions[0]?.['andRules'] as { readonly rules: readonly Json[] } | undefined)?.rules ?? []
    const key = keyOf(first)
    if (permissions.length !== 1 || second === undefined || others.length > 0 || key === undefined)
      throw new NotRead(`\`${name}\`, which lets in callers of whatever route`)
    return keys.includes(key) ? [[name, { ...rest, permissions: [second] }] as const] : []
  })
  return { ...more, policies: Object.fromEntries(own) }
}

/** Of a permission that says that the route names it, and nothing else, the name. */
function keyOf(permission: Json | undefined): string | undefined {
  const { metadataMatcher } = (permission?.['sourcedMetadata'] ?? {}) as { readonly metadataMatcher?: { readonly value?: Json } }
  const { oneOf } = (metadataMatcher?.value?.['listMatch'] ?? {}) as { readonly oneOf?: { readonly stringMatch?: Json } }
  const key = oneOf?.stringMatch?.['exact']
  return typeof key === 'string' && isDeepStrictEqual(permission, isNamed(key)) ? key : undefined
}
