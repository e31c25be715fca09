import type { IssuerDeps, SignInSettings } from '../../issuer.ts'
import { clientTokens } from '../../../secrets/clientauth/apptoken.ts'
import { openClientAuth, type ClientAuth } from '../../../secrets/clientauth/index.ts'
import type { TokenSource } from '../../../secrets/clientauth/tokensource.ts'
import { graphOf } from '../clouds.ts'
import type { EntraConfig } from '../schema.ts'
import { Directory } from './directory.ts'

export { completed, hasOverage } from './overage.ts'
export type { Directory } from './directory.ts'

export interface OpenGraph {
  readonly directory: Directory
  /** What the operator should see to. */
  warning(): string | undefined
  close(): void
}

/** Microsoft Graph as `graph:` of issuer `name` has it; undefined without. Asks nothing yet. */
export function openGraph(name: string, config: EntraConfig, signIn: SignInSettings | undefined, deps: IssuerDeps): OpenGraph | undefined {
  const { graph, authority } = config
  if (graph === undefined) return undefined
  const own = ownAuth(name, config, deps)
  const auth = own ?? signIn!.auth // the schema asks for one of them
  const tokens = new Map<string, TokenSource>()
  const tokensOf = (tenant: string): TokenSource => {
    const known = tokens.get(tenant) ?? clientTokens(`${authority}/${tenant}/oauth2/v2.0/token`, auth, deps)
    tokens.set(tenant, known) // as many as there are tenants in the configuration
    return known
  }
  const endpoint = graph.endpoint ?? graphOf(authority)!
  const directory = new Directory({ ...deps, issuer: name, endpoint, tokensOf, kinds: graph.groups, cacheFor: graph.cacheFor })
  return {
    directory,
    warning() {
      const { failure } = directory
      return failure === undefined ? own?.warning() : `Microsoft Graph can not be asked: ${failure}`
    },
    close: () => own?.close(),
  }
}

function ownAuth(name: string, { graph, signIn }: EntraConfig, deps: IssuerDeps): ClientAuth | undefined {
  const { clientId = signIn?.clientId, clientAuth, clientSecret } = graph!
  if (clientId === undefined || (clientAuth === undefined && clientSecret === undefined)) return undefined
  return openClientAuth({ clientId, owner: `issuer ${name}`, clientAuth, clientSecret }, deps)
}
