import { OstiaryError } from '../../core/errors.ts'
import { jsonOf, pause, request, type RequestDeps, type RequestLimits } from '../request.ts'
import { assertionProof, type ClientAuth } from './auth.ts'
import { KeptTokens, readOwnToken, type OwnToken, type TokenSource } from './tokensource.ts'

/** Where virtual machines, scale sets and AKS nodes have their instance metadata service. */
export const IMDS = 'http://169.254.169.254'

/** What a federated credential of Entra is asked for as. */
export const EXCHANGE_AUDIENCE = 'api://AzureADTokenExchange'

export interface ManagedIdentitySettings {
  /** Client id of a user-assigned identity; undefined for the one that the machine has. */
  readonly clientId: string | undefined
}

export interface ManagedIdentityDeps extends RequestDeps {
  /** App Service, Container Apps and Functions name their endpoint in `IDENTITY_ENDPOINT` and `IDENTITY_HEADER`. */
  readonly env: NodeJS.ProcessEnv
}

const limits: RequestLimits = { timeout: 5_000, maxBytes: 128 * 1024 }
/** Pauses before it is tried again, in milliseconds: as the documentation of IMDS asks for, cut short. */
const PAUSES = [500, 1_000, 2_000] as const

/** Tokens of a managed identity. No secret is involved: the platform knows which machine asks. */
export function managedIdentity(settings: ManagedIdentitySettings, deps: ManagedIdentityDeps): TokenSource {
  return new KeptTokens(deps.clock, (resource) => get(resource, settings, deps))
}

/** Proves the client by the token of a managed identity that its registration trusts as a federated credential. */
export function managedIdentityAuth(clientId: string, identity: TokenSource): ClientAuth {
  let used: string | undefined
  const assertion = async (): Promise<string> => (await identity.token(EXCHANGE_AUDIENCE)).reveal()
  return {
    kind: 'managed-identity',
    async prove() {
      used = await assertion()
      return assertionProof(clientId, used)
    },
    async renew() {
      identity.forget(EXCHANGE_AUDIENCE)
      return (await assertion()) !== used
    },
    warning: () => undefined,
    close: () => undefined,
  }
}

async function get(resource: string, { clientId }: ManagedIdentitySettings, deps: ManagedIdentityDeps): Promise<OwnToken> {
  const { url, headers } = endpointOf(deps.env)
  url.searchParams.set('resource', resource)
  if (clientId !== undefined) url.searchParams.set('client_id', clientId)
  for (let attempt = 0; ; attempt++) {
    const answer = await request(deps, url.href, { headers: { accept: 'application/json', ...headers } }, limits)
    const cause = answer.outcome === 'failed' ? answer.detail : `it answered ${answer.status}`
    if (answer.outcome === 'answer' && answer.status === 200) {
      const token = readOwnToken(jsonOf(answer.body), deps.clock.now())
      if (token === undefined) throw new OstiaryError('secrets/managed-identity', { cause: 'an answer that is not understood' })
      return token
    }
    const wait = PAUSES[attempt]
    if (wait === undefined || (answer.outcome === 'answer' && !mayPass(answer.status)))
      throw new OstiaryError('secrets/managed-identity', { cause })
    await pause(deps.clock, wait)
  }
}

/** 404 while the identity is being assigned, 410 while the service is being updated. */
function mayPass(status: number): boolean {
  return status === 404 || status === 410 || status === 429 || status >= 500
}

function endpointOf({ IDENTITY_ENDPOINT: endpoint, IDENTITY_HEADER: header }: NodeJS.ProcessEnv): {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
} {
  if (endpoint === undefined || header === undefined) {
    const url = new URL('/metadata/identity/oauth2/token?api-version=2018-02-01', IMDS)
    return { url, headers: { metadata: 'true' } }
  }
  if (!URL.canParse(endpoint)) throw new OstiaryError('secrets/managed-identity', { cause: '`IDENTITY_ENDPOINT` is not a URL' })
  const url = new URL(endpoint)
  url.searchParams.set('api-version', '2019-08-01')
  return { url, headers: { 'x-identity-header': header } }
}
