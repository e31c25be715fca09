import type { IssuerDeps } from '../issuer.ts'
import { KeySource } from '../keys/source.ts'
import { cloudOf, isExternalId } from './clouds.ts'
import type { EntraConfig } from './schema.ts'
import { isGuid } from './schema.ts'

/** The path of all organizations, and what stands for the tenant in their metadata. */
const ORGANIZATIONS = 'organizations'
const TEMPLATE = '{tenantid}'

/** Of a token. Azure AD B2C has a form of its own. */
export type Version = '1.0' | '2.0' | 'b2c'

/** The tenant that consumers' accounts are in. It is no organization. */
const CONSUMERS = '9188040d-6c67-4c5b-b112-36a304b66dad'

/** One tenant in one token version: its metadata, its keys, its `iss`. Which it is, the resource's registration decided. */
export interface Realm {
  readonly tenant: string
  readonly version: Version
  /** `iss` by construction; undefined where only the metadata knows it. */
  readonly issuer: string | undefined
  /** The user flow or custom policy, in lower case, for Azure AD B2C. */
  readonly policy?: string
  /** True for a tenant that isn't configured: what its administrators choose counts for nothing. */
  readonly foreign?: boolean
  readonly discoveryUrl: string
  readonly keys: KeySource
}

/** `iss` of a tenant's tokens by construction; undefined where only the metadata knows it. */
export function issuerOf(authority: string, tenant: string, version: Exclude<Version, 'b2c'>): string | undefined {
  if (version === '2.0') return isExternalId(authority) ? `https://${tenant}.ciamlogin.com/${tenant}/v2.0` : `${authority}/${tenant}/v2.0`
  const origin = cloudOf(authority)?.v1Origin
  return origin === undefined ? undefined : `${origin}/${tenant}/`
}

/** The configured tenants, and which of them an `iss` belongs to. */
export class Tenants {
  readonly realms: readonly Realm[]
  /** Where people sign in. */
  readonly first: Realm
  readonly #authority: string
  readonly #v1Origin: string | undefined
  readonly #tenants: ReadonlySet<string>
  /** The realms of all organizations together, whose tenant each token names. */
  readonly #shared: readonly Realm[]

  constructor(name: string, config: EntraConfig, deps: IssuerDeps, onLeft: (keyIds: readonly string[]) => void) {
    const { authority, tenants, organizations, policies } = config
    this.#authority = authority
    this.#v1Origin = cloudOf(authority)?.v1Origin
    this.#tenants = new Set(tenants)
    const realm = (at: Omit<Realm, 'keys' | 'discoveryUrl'>, path: string): Realm => {
      const { tenant, version, policy } = at
      const discoveryUrl = `${authority}/${path}/.well-known/openid-configuration`
      const accepts = (discovered: string): boolean =>
        at.foreign === true ? discovered === at.issuer : this.#accepts(tenant, version, discovered.replace('{tenantid}', tenant), policy)
      const file = `${name}-${tenant}-${policy ?? `v${version[0]!}`}`
      return { ...at, discoveryUrl, keys: new KeySource({ issuer: name, file, discoveryUrl, accepts, onLeft }, deps) }
    }
    const listed = [...this.#tenants].flatMap((tenant) => {
      if (policies !== undefined)
        return policies.map((policy) =>
          realm({ tenant, version: 'b2c', issuer: undefined, policy: policy.toLowerCase() }, `${tenant}/${policy}/v2.0`),
        )
      const v2 = realm({ tenant, version: '2.0', issuer: this.#v2Issuer(tenant) }, `${tenant}/v2.0`)
      // External ID has no v1 tokens.
      return isExternalId(authority) ? [v2] : [v2, realm({ tenant, version: '1.0', issuer: this.#v1Issuer(tenant) }, tenant)]
    })
    this.#shared = organizations
      ? [
          realm({ tenant: ORGANIZATIONS, version: '2.0', issuer: this.#v2Issuer(TEMPLATE), foreign: true }, `${ORGANIZATIONS}/v2.0`),
          realm({ tenant: ORGANIZATIONS, version: '1.0', issuer: this.#v1Issuer(TEMPLATE), foreign: true }, ORGANIZATIONS),
        ]
      : []
    this.realms = [...listed, ...this.#shared]
    this.first = this.#shared[0] ?? listed[0]!
  }

  /** Whether any realm's tokens carry this `iss`. */
  owns(iss: string): boolean {
    return this.realms.some((realm) => realm.foreign !== true && this.#carries(realm, iss)) || this.#foreign(iss) !== undefined
  }

  /** The realm whose tokens carry this `iss`, byte for byte, and this policy where there are policies. */
  realmOf(iss: string, policy?: string): Realm | undefined {
    const wanted = policy?.toLowerCase()
    return (
      this.realms.find(
        (realm) => realm.foreign !== true && this.#carries(realm, iss) && (realm.policy === undefined || realm.policy === wanted),
      ) ?? this.#foreign(iss)
    )
  }

  #carries(realm: Realm, iss: string): boolean {
    const issuer = realm.issuer ?? realm.keys.documents?.metadata.issuer.replace('{tenantid}', realm.tenant)
    return issuer === undefined ? this.#accepts(realm.tenant, realm.version, iss, realm.policy) : issuer === iss
  }

  /** The shared realm of this `iss`, with the tenant that it names. */
  #foreign(iss: string): Realm | undefined {
    if (this.#shared.length === 0 || !URL.canParse(iss)) return undefined
    const tenant = new URL(iss).pathname.split('/')[1]
    if (!isGuid(tenant) || tenant !== tenant.toLowerCase() || tenant === CONSUMERS || this.#tenants.has(tenant)) return undefined
    const realm = this.#shared.find(({ issuer }) => issuer?.replace(TEMPLATE, tenant) === iss)
    return realm === undefined ? undefined : { ...realm, tenant, issuer: iss }
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
    return issuerOf(this.#authority, tenant, '2.0')!
  }

  #v1Issuer(tenant: string): string | undefined {
    return issuerOf(this.#authority, tenant, '1.0')
  }

  /** Whether metadata of this realm may name that issuer: as constructed, or of the same origin with the tenant in its path. */
  #accepts(tenant: string, version: Version, issuer: string, policy?: string): boolean {
    if (version === 'b2c') {
      const flow = `${this.#authority}/tfp/${tenant}/${policy}/v2.0/`
      return issuer === `${this.#authority}/${tenant}/v2.0/` || issuer.toLowerCase() === flow.toLowerCase()
    }
    if (version === '2.0') return issuer === this.#v2Issuer(tenant)
    const constructed = this.#v1Issuer(tenant)
    if (constructed !== undefined) return issuer === constructed
    if (!URL.canParse(issuer)) return false
    const { origin, pathname } = new URL(issuer)
    return origin === new URL(this.#authority).origin && pathname.split('/').includes(tenant) && !/\/v2\.0\/?$/.test(pathname)
  }
}
