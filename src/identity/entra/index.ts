import { declaredClaims } from '../claims.ts'
import type { Issuer, IssuerDeps, IssuerKind, TokenResult } from '../issuer.ts'
import type { IssuerBase } from '../../config/schema.ts'
import type { Identity } from '../../core/principal.ts'
import { parseJwt, type Jwt } from '../jose/compact.ts'
import { attended, signInSettings } from '../signin.ts'
import { entraClaims } from './claims.ts'
import { completed, hasOverage, openGraph } from './graph/index.ts'
import { signingFor } from '../nativekeys.ts'
import { nativeEntra } from './native.ts'
import { entraSchema, type EntraConfig } from './schema.ts'
import { Tenants } from './tenants.ts'
import { verifyAccess, verifyId, type EntraVerifier } from './verify.ts'

/** Microsoft Entra ID: both token versions, an exact list of tenants, keys bound to their issuer. */
export const entra: IssuerKind = {
  schema: entraSchema,
  claims: entraClaims,
  native: (name, config) => nativeEntra(name, config as IssuerBase & EntraConfig),
  create: (name, config, deps) => createEntra(name, config as IssuerBase & EntraConfig, deps),
}

function createEntra(name: string, config: EntraConfig, deps: IssuerDeps): Issuer {
  const listeners: ((issuer: string, keyIds: readonly string[]) => void)[] = []
  const tenants = new Tenants(name, config, deps, (keyIds) => {
    for (const listener of listeners) listener(name, keyIds)
  })
  const verifier: EntraVerifier = {
    name,
    tenants,
    audiences: new Set(config.audiences),
    clients: new Set(config.clients.map((id) => id.toLowerCase())),
    agents: new Set(config.agents.map((id) => id.toLowerCase())),
    declared: declaredClaims(entraClaims, config.claims),
    maxLifetime: config.maxLifetime,
    now: () => deps.clock.now(),
  }
  const { first } = tenants
  for (const { keys } of tenants.realms) keys.start()
  const signIn = signInSettings(name, config.signIn, [`${config.audiences[0]!}/.default`], deps)
  const graph = openGraph(name, config, signIn, deps)
  // Groups of another tenant are its administrators' choice, and that tenant isn't asked.
  const isListed = ({ subject }: Identity): boolean => config.tenants.includes(subject.split('/')[0]!)
  /** What a token proved, with the groups that didn't fit into it. */
  const complete = (jwt: Jwt, result: TokenResult): TokenResult | Promise<TokenResult> =>
    graph === undefined || result.outcome !== 'identity' || !hasOverage(jwt.payload) || !isListed(result.identity)
      ? result
      : completed(result, graph.directory, verifier.declared)
  return {
    name,
    kind: 'entra',
    maxLifetime: config.maxLifetime,
    signIn,
    discoveryUrl: first.discoveryUrl,
    owns: (iss) => tenants.owns(iss),
    resembles: (iss) => tenants.resemblance(iss) !== undefined,
    verifyAccessToken(token, parsed) {
      const jwt = parsed ?? parseJwt(token)
      if ('outcome' in jwt) return jwt
      const result = verifyAccess(verifier, jwt)
      return result instanceof Promise ? result.then((settled) => complete(jwt, settled)) : complete(jwt, result)
    },
    async verifyIdToken(token, expected) {
      const jwt = parseJwt(token)
      if ('outcome' in jwt) return jwt
      const result = await complete(jwt, await verifyId(verifier, jwt, expected))
      // A session keeps what is decided on, and no notes.
      if (result.outcome !== 'identity') return result
      const { unknownBecause: _, valueNames: __, ...identity } = result.identity
      return { ...result, identity }
    },
    metadata: () => first.keys.metadata(),
    publicKeys(iss) {
      const realm = tenants.realmOf(iss)
      const known = realm?.keys.documents
      if (realm === undefined || known === undefined || known.metadata.issuer.replace('{tenantid}', realm.tenant) !== iss) return []
      return signingFor(iss, known.keys.values(), realm.tenant, known.cloudInstance)
    },
    status() {
      const lacking = tenants.realms.filter(({ version, keys }) => version !== '1.0' && keys.documents === undefined)
      if (lacking.length > 0)
        return {
          ready: false,
          detail: `no keys of ${lacking.length} of ${tenants.realms.filter(({ version }) => version !== '1.0').length} tenants`,
        }
      const failing = tenants.realms.filter(({ keys }) => keys.failure !== undefined)
      const age = Math.max(...tenants.realms.filter(({ keys }) => keys.documents !== undefined).map(({ keys }) => keys.age))
      const detail = `keys got ${Math.round(age / 60_000)} min ago`
      return attended(
        { ready: true, detail: failing.length === 0 ? detail : `${detail}; the provider does not answer` },
        signIn?.auth,
        graph,
      )
    },
    onKeysLeft: (listener) => void listeners.push(listener),
    close() {
      signIn?.auth.close()
      graph?.close()
      for (const { keys } of tenants.realms) keys.close()
    },
  }
}
