import type { IssuerDeps } from '../issuer.ts'
import { KeySource } from '../keys/source.ts'
import { cloudOf, isExternalId } from './clouds.ts'
import type { EntraConfig } from './schema.ts'
import { isGuid } from './schema.ts'

export type Version = '1.0' | '2.0'

/** One tenant in one token version: its metadata, its keys, its `iss`. Which it is, the resource's registration decided. */
export interface Realm {
  readonly tenant: string
  readonly version: Version
  /** `iss` by construction; undefined where only the metadata knows it. */
  readonly issuer: string | undefined
  readonly keys: KeySource
}

/** The configured tenants, and which of them an `iss` belongs to. */
export class Tenants {
  readonly realms: readonly Realm[]
  readonly #authority: string
  readonly #v1Origin: string | undefined
  readonly #tenants: ReadonlySet<string>

  constructor(name: string, { authority, tenants }: EntraConfig, deps: IssuerDeps, onLeft: (keyIds: readonly string[]) => void) {
    this.#authority = authority
    this.#v1Origin = cloudOf(authority)?.v1Origin
    this.#tenants = new Set(tenants)
    this.realms = [...this.#tenants].flatMap((tenant) => {
      const realm = (version: Version, issuer: string | undefined, path: string): Realm => {
        const keys = new KeySource(
          {
            issuer: name,
            file: `${name}-${tenant}-v${version[0]!}`,
            discoveryUrl: `${authority}/${tenant}${path}/.well-known/openid-configuration`,
            accepts: (discovered) => this.#accepts(tenant, version, discovered.replace('{tenantid}', tenant)),
            onLeft,
          },
          deps,
        )
        return { tenant, version, issuer, keys }
      }
      const v2 = realm('2.0', this.#v2Issuer(tenant), '/v2.0')
      // External ID has no v1 tokens.
      return isExternalId(authority) ? [v2] : [v2, realm('1.0', this.#v1Issuer(tenant), '')]
    })
  }

  /** The realm whose tokens carry this `iss`, byte for byte. */
  realmOf(iss: string): Realm | undefined {
    return this.realms.find((realm) => {
      const issuer = realm.issuer ?? realm.keys.documents?.metadata.issuer.replace('{tenantid}', realm.tenant)
      return issuer === undefined ? this.#accepts(realm.tenant, realm.version, iss) : issuer === iss
    })
  }

  /** Whether `iss` has the look of this authority's, and for which tenant. */
  resemblance(iss: string): 'other-tenant' | 'misspelt' | undefined {
    if (!URL.canParse(iss)) return undefined
    const { origin, hostname, pathname } = new URL(iss)
    const known = origin === new URL(this.#authority).origin || origin === this.#v1Origin
    if (!known && !(isExternalId(this.#authority) && hostname.endsWith('.ciamlogin.com'))) return undefined
    const tenant = pathname.split('/').find(isGuid)?.toLowerCase()
    return tenant !== undefined && !this.#tenants.has(tenant) ? 'other-tenant' : 'misspelt'
  }

  #v2Issuer(tenant: string): string {
    return isExternalId(this.#authority) ? `https://${tenant}.ciamlogin.com/${tenant}/v2.0` : `${this.#authority}/${tenant}/v2.0`
  }

  #v1Issuer(tenant: string): string | undefined {
    return this.#v1Origin === undefined ? undefined : `${this.#v1Origin}/${tenant}/`
  }

  /** Whether metadata of this realm may name that issuer: as constructed, or of the same origin with the tenant in its path. */
  #accepts(tenant: string, version: Version, issuer: string): boolean {
    if (version === '2.0') return issuer === this.#v2Issuer(tenant)
    const constructed = this.#v1Issuer(tenant)
    if (constructed !== undefined) return issuer === constructed
    if (!URL.canParse(issuer)) return false
    const { origin, pathname } = new URL(issuer)
    return origin === new URL(this.#authority).origin && pathname.split('/').includes(tenant) && !/\/v2\.0\/?$/.test(pathname)
  }
}
