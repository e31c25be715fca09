/** The app registrations of the demo: APIs that tokens are for, and clients that get them. */
import { AGENT_IDENTITY, CI_CLIENT, HOME_TENANT, MANAGED_IDENTITY_CLIENT } from './accounts.ts'

/** An API. Which version its tokens have is its own choice (`api.requestedAccessTokenVersion`), whatever endpoint was asked. */
export interface Api {
  readonly name: string
  readonly clientId: string
  /** App ID URI, without trailing slash. */
  readonly uri: string
  readonly version: '1.0' | '2.0'
  /** Delegated permissions. */
  readonly scopes: readonly string[]
}

/** The API behind the demo's gateway. The registration is the gateway's sign-in client too, as is usual in Entra. */
export const ORDERS_API: Api = {
  name: 'orders',
  clientId: '0571a27e-0002-4000-8000-000000000001',
  uri: 'api://0571a27e-0002-4000-8000-000000000001',
  version: '2.0',
  scopes: ['access_as_user'],
}

/** The same API as an older registration left it: `requestedAccessTokenVersion` null, so its tokens are v1. */
export const ORDERS_V1_API: Api = {
  name: 'orders-v1',
  clientId: '0571a27e-0002-4000-8000-000000000002',
  uri: 'api://0571a27e-0002-4000-8000-000000000002',
  version: '1.0',
  scopes: ['user_impersonation'],
}

/** An API that is none of the gateway's business: its tokens have the wrong audience there. */
export const OTHER_API: Api = {
  name: 'other',
  clientId: '0571a27e-0002-4000-8000-000000000003',
  uri: 'api://0571a27e-0002-4000-8000-000000000003',
  version: '2.0',
  scopes: ['access_as_user'],
}

export const APIS: readonly Api[] = [ORDERS_API, ORDERS_V1_API, OTHER_API]

/** The `aud` of a token for this API: always the client id in v2, here the App ID URI in v1. */
export function audienceOf(api: Api): string {
  return api.version === '2.0' ? api.clientId : api.uri
}

/** An API by client id, App ID URI (with or without trailing slash) or name. */
export function findApi(text: string): Api | undefined {
  const wanted = text.replace(/\/$/, '')
  return APIS.find((api) => api.clientId === wanted || api.uri === wanted || api.name === wanted)
}

export interface Client {
  readonly clientId: string
  readonly name: string
  /** `azpacr`: 0 public, 1 with a secret, 2 with a certificate or an assertion. */
  readonly authentication: '0' | '1' | '2'
}

/** A command-line client: public, for the device code flow and for tokens that `ostiary token` prints. */
export const CLI: Client = { clientId: '0571a27e-0002-4000-8000-000000000011', name: 'ostiary command line', authentication: '0' }
export const GATEWAY: Client = { clientId: ORDERS_API.clientId, name: 'Ostiary', authentication: '0' }
export const CI: Client = { clientId: CI_CLIENT, name: 'ci', authentication: '1' }

export const CLIENTS: readonly Client[] = [
  GATEWAY,
  CLI,
  CI,
  { clientId: MANAGED_IDENTITY_CLIENT, name: 'managed-identity', authentication: '2' },
  { clientId: AGENT_IDENTITY, name: 'agent', authentication: '2' },
]

/** Known to everybody who reads this: a reason more why the demo listens on loopback only. */
export const CI_SECRET = 'demo-secret-of-ci'

/** A client that the token endpoint of this tenant knows. */
export function clientOf(tenant: string, clientId: string): Client | undefined {
  return [GATEWAY, CLI, ...(tenant === HOME_TENANT ? [CI] : [])].find((client) => client.clientId === clientId)
}

export function findClient(clientId: string): Client | undefined {
  return CLIENTS.find((client) => client.clientId === clientId)
}
