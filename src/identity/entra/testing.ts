/** The tenant that the tests of this folder ask: its keys, its provider on loopback, and a gateway's identity in front. */
import {
  API,
  CLIENT,
  entraClaims,
  keyFixture,
  OTHER_TENANT,
  SERVICE_PRINCIPAL,
  TENANT,
  testKey,
  type JsonObject,
  type KeyFixture,
} from '../../testing/tokens.ts'
import type { Identities } from '../index.ts'
import { testDeps, testIdentity, type TestDeps } from '../testing.ts'

/** An application that is an agent by configuration only. */
export const LISTED_AGENT = 'bbbbbbbb-0000-4000-8000-000000000022'

export const key = testKey('rsa-1')
/** Another key under the same id. */
export const stranger = testKey('rsa-1')
export const bound = testKey('bound-to-another-tenant')
export const foreign = testKey('of-another-cloud')
export const ec = testKey('ec', 'ES256')

export interface EntraWorld {
  readonly fixture: KeyFixture
  readonly deps: TestDeps
  readonly identities: Identities
  readonly now: number
  readonly authority: string
  /** `iss` of v1 tokens. */
  readonly v1: string
  /** Claims of a v2 user, with changes. */
  readonly user: (more?: JsonObject) => JsonObject
  close(): Promise<void>
}

export async function openEntraWorld(): Promise<EntraWorld> {
  const fixture = await keyFixture([key, ec])
  const authority = fixture.origin
  fixture.keys = [
    key.jwk,
    ec.jwk,
    { ...bound.jwk, issuer: `${authority}/${OTHER_TENANT}/v2.0` },
    { ...foreign.jwk, cloud_instance_name: 'partner.microsoftonline.cn' },
  ]
  fixture.override = (path) => {
    const tenant = /^\/([^/]+)\/v2\.0\/\.well-known\//.exec(path)?.[1]
    if (tenant === undefined) return undefined
    const metadata = {
      issuer: `${authority}/${tenant}/v2.0`,
      jwks_uri: `${authority}/${tenant}/discovery/v2.0/keys`,
      cloud_instance_name: 'microsoftonline.com',
    }
    return { status: 200, body: JSON.stringify(metadata) }
  }
  const deps = testDeps()
  const now = deps.clock.now()
  const config = {
    kind: 'entra',
    authority,
    tenants: [TENANT.toUpperCase()],
    audiences: [API, 'api://named'],
    clients: [SERVICE_PRINCIPAL],
    agents: [LISTED_AGENT],
    claims: { department: 'string' },
    signIn: { clientId: CLIENT },
  }
  const identities = testIdentity({ entra: config }, deps, { cold: { rate: 1e6, burst: 1e6, sources: 10 } })
  return {
    fixture,
    deps,
    identities,
    now,
    authority,
    v1: `${authority}/sts/${TENANT}/`,
    user: (more = {}) => entraClaims.v2User(authority, now, more),
    async close() {
      await identities.close()
      await fixture.close()
      deps.remove()
    },
  }
}
