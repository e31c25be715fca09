/** Roles for what Istio's rules ask of callers again and again. */
import { namesPerson } from '../../../policy/roles.ts'
import type { ClaimAsked } from './callers.ts'
import type { Claims } from './claims.ts'
import type { AcceptedIssuer } from './issuers.ts'
import { nameFrom, Names } from './texts.ts'

export interface ImportedRole {
  readonly bind: readonly Readonly<Record<string, unknown>>[]
}

const MAX_NAMED = 3

export class Roles {
  readonly #names = new Names(['everyone', 'authenticated', 'gateway-admin'])
  readonly #byKey = new Map<string, string>()
  readonly #all = new Map<string, ImportedRole>()
  readonly #claims: Claims

  constructor(claims: Claims) {
    this.#claims = claims
  }

  all(): ReadonlyMap<string, ImportedRole> {
    return this.#all
  }

  /** Whoever has a token of the issuer. */
  callersOf(accepted: AcceptedIssuer): string {
    const { name, iss } = accepted.issuer
    const claim = this.#claims.declare(['iss'], [accepted])!
    return this.#role(`${name}-callers`, [{ issuer: name, claim: claim.name, any: [iss] }])
  }

  /** Whoever has a claim with one of these values. Undefined where no role is bound so. */
  holdersOf({ path, texts }: ClaimAsked, issuers: readonly AcceptedIssuer[], match: 'any' | 'all' = 'any'): string | undefined {
    if (namesPerson(path.at(-1)!.toLowerCase()) || texts.some(({ is }) => is !== 'exact')) return undefined
    const claim = this.#claims.declare(path, issuers)
    if (claim === undefined || namesPerson(claim.name) || claim.type === 'words' || (match === 'all' && claim.type !== 'list'))
      return undefined
    const values = [...new Set(texts.map(({ text }) => text))]
    const joint = match === 'all' ? '-and-' : '-or-'
    const wish =
      values.length <= MAX_NAMED ? values.map(nameFrom).join(joint).slice(0, 60).replaceAll(/-+$/g, '') : `${nameFrom(claim.name)}-holders`
    return this.#role(
      wish,
      issuers.map(({ issuer }) => ({ issuer: issuer.name, claim: claim.name, [match]: values })),
      nameFrom(claim.name),
    )
  }

  #role(wish: string, bind: ImportedRole['bind'], prefix?: string): string {
    const key = JSON.stringify(bind)
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    const name = prefix === undefined ? this.#names.give(wish) : this.#names.give(wish, nameFrom(`${prefix}-${wish}`))
    this.#byKey.set(key, name)
    this.#all.set(name, { bind })
    return name
  }
}
