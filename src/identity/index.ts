import { tokenExchanger, type TokenExchanger } from './exchange/exchange.ts'
import { join } from 'node:path'
import { keyVault } from '../config/keyvault.ts'
import type { IssuerBase, Wiring } from '../config/schema.ts'
import type { AuthResult, Authenticator } from '../core/credential.ts'
import { OstiaryError } from '../core/errors.ts'
import { Secret } from '../core/secret.ts'
import { openVaults } from '../secrets/keyvault/index.ts'
import { memoryKept } from '../store/memory-kept.ts'
import type { RevocationTarget } from '../store/revocations.ts'
import type { SessionStore } from '../store/sessions.ts'
import { openSqliteStore } from '../store/sqlite.ts'
import { awsIam } from './aws/index.ts'
import { entra } from './entra/index.ts'
import type { Identity } from '../core/principal.ts'
import { github } from './github/index.ts'
import { gitlab } from './gitlab/index.ts'
import { introspection } from './introspection/index.ts'
import type { Issuer, IssuerDeps, IssuerKind } from './issuer.ts'
import { jwt } from './jwt/index.ts'
import { kubernetes } from './kubernetes/index.ts'
import { oidc } from './oidc/index.ts'
import { mtls } from './mtls/index.ts'
import { spiffe } from './spiffe/index.ts'
import { ssh } from './ssh/index.ts'
import { endTarget, type EndAccess } from './ended.ts'
import { Logout } from './logout/logout.ts'
import { openOutbound } from './outbound.ts'
import { openPossession } from './possession/possession.ts'
import { keptUntil } from './revocations/kept.ts'
import { Revocations } from './revocations/revocations.ts'
import { Seal, type SealingKey } from './session/seal.ts'
import { sessionCookieName, setCookie } from './session/cookies.ts'
import { refresher } from './session/refresh.ts'
import type { SessionList, SessionQuery } from './session/listing.ts'
import { Sessions } from './session/sessions.ts'
import { SignIn, type SignInEvent } from './session/signin.ts'
import { Events } from './ssf/events.ts'
import { Tokens, type TokenLimits } from './tokens.ts'

export { Budget } from './budget.ts'
export { clientsOf, RevocationIndex } from './revocations/match.ts'
export { openRevocations, type Revocations } from './revocations/revocations.ts'
export { openOutbound } from './outbound.ts'
export { meet } from './taken.ts'
export type { EndAccess, ProviderEnd } from './ended.ts'
export type { EventAnswer } from './ssf/receiver.ts'
export type { Logout, LogoutAnswer } from './logout/logout.ts'
export type { SessionInfo, SessionList, SessionQuery } from './session/listing.ts'
export { callbackPath, type SignInAnswer, type SignInContext, type SignInEvent } from './session/signin.ts'
export type { ClaimInfo, Issuer, IssuerDeps, IssuerKind, ProviderMetadata, SignInSettings, TokenResult } from './issuer.ts'

/** Every kind of issuer: a folder and a line here. */
export const issuerKinds: Readonly<Record<string, IssuerKind>> = {
  entra,
  oidc,
  'oauth2-introspection': introspection,
  jwt,
  kubernetes,
  github,
  gitlab,
  mtls,
  spiffe,
  ssh,
  'aws-iam': awsIam,
}

export interface IdentityOptions {
  readonly wiring: Pick<Wiring, 'issuers' | 'sessions' | 'outbound'> & Partial<Pick<Wiring, 'keyVault'>> & Partial<Pick<Wiring, 'dpop'>>
  readonly deps: Omit<IssuerDeps, 'fetch'> & {
    /** In place of requests through the configured proxy. */
    readonly fetch?: typeof fetch
    /** Keys that seal sessions, the one in force first. Default: one of this process alone, so that its sessions end with it. */
    readonly sealing?: () => readonly SealingKey[]
    /** Default: SQLite in `dataDir`. */
    readonly store?: SessionStore
    /** What was revoked. Default: nothing, and what this process revokes, which ends with it. */
    readonly revocations?: Revocations
    /** Told of who signs in and out, for the record. */
    readonly onSignIn?: (event: SignInEvent) => void
    /** Ends what a provider says has ended. Default: it is revoked, without a record. */
    readonly onProviderEnd?: EndAccess
  }
  readonly limits?: Partial<TokenLimits>
}

/** Credential → identity, for every configured issuer. */
export interface Identities {
  readonly authenticator: Authenticator
  /** In the order of the configuration. */
  readonly issuers: readonly Issuer[]
  readonly sessions: {
    /**
     * Begins a session for somebody who was proven in another way, until `endsAt` (milliseconds since the epoch).
     * @throws OstiaryError `identity/revoked`, `identity/too-many-sessions`; what the store throws
     */
    create(identity: Identity, endsAt: number): Promise<{ readonly id: string; readonly setCookie: (secure: boolean) => string }>
    /** Sessions that are good now, the newest first, page by page. @throws OstiaryError `identity/sessions-unavailable` */
    list(query: SessionQuery): Promise<SessionList>
    /** Ends the session of this public id at once; false if there is none. @throws OstiaryError `identity/sessions-unavailable` */
    end(id: string): Promise<boolean>
  }
  readonly revocations: Revocations
  /** Gets tokens on behalf of people, for other audiences. */
  readonly exchanger: TokenExchanger
  /**
   * The latest instant, in milliseconds since the epoch, at which anything that a revocation ends could be valid; undefined where there is none.
   * @throws OstiaryError `identity/no-session`, `identity/sessions-unavailable`
   */
  keptUntil(target: RevocationTarget): Promise<number | undefined>
  /** Sign-in of browsers, for the issuers that have `signIn`. */
  readonly signIn: SignIn
  /** Where providers tell that somebody has signed out there. */
  readonly logout: Logout
  /** Where transmitters post their security events, by the name of the issuer that they are about. */
  readonly events: Events
  /** By issuer, for readiness. */
  status(): Readonly<Record<string, ReturnType<Issuer['status']>>>
  close(): Promise<void>
}

/**
 * Puts issuers, token cache and sessions together. Waits for no provider: keys are asked for in the background, and those kept from
 * an earlier run are known at once.
 * @throws OstiaryError `identity/outbound-ca`, `identity/outbound-proxy`, `store/open`, `store/version`
 */
export function createIdentity({ wiring, deps, limits }: IdentityOptions): Identities {
  // First what can fail: nothing runs yet that would have to be stopped.
  const store = deps.store ?? openSqliteStore(join(deps.dataDir, 'sessions.db'))
  const outbound =
    deps.fetch === undefined ? openOutbound(wiring.outbound, deps.folder) : { fetch: deps.fetch, close: () => Promise.resolve() }
  const vaults = openVaults(wiring.keyVault ?? keyVault.parse({}), { ...deps, fetch: outbound.fetch })
  const issuerDeps = { ...deps, fetch: outbound.fetch, vaults }
  const issuers = Object.entries(wiring.issuers).map(([name, config]) => createIssuer(name, config, issuerDeps))
  const revocations = deps.revocations ?? new Revocations({ ...deps, store: memoryKept() }, [])
  const { clock, entropy, meter, log, onSignIn = () => undefined } = deps
  const own: readonly SealingKey[] = [{ key: new Secret(entropy.bytes(32)) }]
  const seal = new Seal(deps.sealing ?? (() => own), entropy)
  const accepts = ({ issuer, evidence }: Identity): boolean =>
    evidence.credential !== 'session' || issuers.some((one) => one.name === issuer && one.owns(evidence.issuerUrl))
  const sessions = new Sessions({
    store,
    seal,
    clock,
    entropy,
    meter,
    limits: wiring.sessions,
    revocations,
    accepts,
    refresh: refresher({ issuers, fetch: outbound.fetch, clock, log }),
    async onRefused(identity, reason) {
      onSignIn({ kind: 'session-refused', identity, reason })
      const { sessionId: session } = identity.evidence
      if (session === undefined) return
      try {
        await endTarget(end, { issuer: identity.issuer, event: 'refresh-refused', target: { kind: 'session', session } })
      } catch (error) {
        log(`a session ended here, and other processes could not be told: ${error instanceof OstiaryError ? error.message : 'a fault'}`)
      }
    },
  })
  const tokens = new Tokens({
    issuers,
    clock,
    entropy,
    meter,
    revocations,
    possession: openPossession({ ...deps, seal, nonceRequired: wiring.dpop?.nonce === 'required' }),
    ...(limits === undefined ? {} : { limits }),
  })
  const revoked: EndAccess = ({ issuer, event, target }) =>
    revocations.add({
      id: Buffer.from(entropy.bytes(12)).toString('base64url'),
      target,
      reason: event,
      by: issuer,
      createdAt: clock.now(),
      until: undefined,
    })
  const end = deps.onProviderEnd ?? revoked
  const events = new Events(wiring.issuers, issuers, { store, end, deps: issuerDeps })
  return {
    authenticator: {
      authenticate(credential, at): AuthResult | Promise<AuthResult> {
        switch (credential.kind) {
          case 'bearer':
          case 'dpop':
            return tokens.authenticate(credential, at)
          case 'certificate':
            return tokens.ofCertificate(credential.certificate, at)
          case 'session':
            return sessions.authenticate(credential.handle, at)
          case 'unusable':
            return { outcome: 'rejected', reason: credential.reason }
        }
      },
    },
    issuers,
    sessions: {
      async create(identity, endsAt) {
        const { id, handle } = await sessions.create(identity, endsAt)
        return { id, setCookie: (secure) => setCookie(sessionCookieName(secure), handle.reveal(), secure) }
      },
      list: (query) => told(() => sessions.list(query)),
      end: (id) => told(() => sessions.endNamed(id)),
    },
    revocations,
    exchanger: tokenExchanger({ issuers, fetch: outbound.fetch, clock }),
    async keptUntil(target) {
      const session = target.kind === 'session' ? await told(() => sessions.endOf(target.session)) : undefined
      if (target.kind === 'session' && session === undefined) throw new OstiaryError('identity/no-session', { session: target.session })
      const issuer = 'issuer' in target ? issuers.find(({ name }) => name === target.issuer) : undefined
      return keptUntil(target, {
        now: clock.now(),
        // The gateway itself issues sessions only.
        maxLifetime: issuer === undefined ? 0 : issuer.maxLifetime,
        lastSessionEnd: session ?? (await told(() => sessions.lastEnd())),
        sessionLifetime: wiring.sessions.absolute,
      })
    },
    logout: new Logout({ issuers, store, clock, meter, log, end }),
    events,
    signIn: new SignIn({ issuers, sessions, store, seal, fetch: outbound.fetch, clock, entropy, meter, log, onEvent: onSignIn }),
    status: () => Object.fromEntries(issuers.map((issuer) => [issuer.name, issuer.status()])),
    async close() {
      for (const issuer of issuers) issuer.close()
      vaults.close()
      await sessions.close()
      await revocations.close()
      await outbound.close()
    },
  }
}

/** What the store of sessions answers to whoever administers it. */
async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw error instanceof OstiaryError ? error : new OstiaryError('identity/sessions-unavailable', {}, { cause: error })
  }
}

function createIssuer(name: string, config: IssuerBase, deps: IssuerDeps): Issuer {
  const kind = Object.hasOwn(issuerKinds, config.kind) ? issuerKinds[config.kind] : undefined
  if (kind === undefined) throw new TypeError(`issuer ${name}: no such kind`) // the schema lets no other through
  return kind.create(name, config, deps)
}

export { ExchangeRefused, type TokenExchanger } from './exchange/exchange.ts'
