/** What the tests of sign-in share: a gateway's identity in front of a stand-in provider, used as a browser's requests use it. */
import { Secret } from '../../core/secret.ts'
import type { AuthResult, Verified } from '../../core/credential.ts'
import { memoryStore } from '../../store/memory.ts'
import { createIdentity, type Identities, type IdentityOptions, type SignInAnswer, type SignInContext } from '../index.ts'
import { issuerConfig, tell, type TestDeps } from '../testing.ts'
import { CLIENT_ID, Jar, type ProviderStandIn } from './testdata/standin.ts'

export const ORIGIN = 'https://orders.example'
export const SESSION = '__Host-ostiary-session'
export const MINUTE = 60_000

export interface OpenOptions {
  readonly deps?: Partial<IdentityOptions['deps']>
  /** Default: `idp`, which is the stand-in. */
  readonly issuers?: Readonly<Record<string, ReturnType<typeof issuerOf>>>
  /** Sessions at most. */
  readonly maximum?: number
  readonly origin?: string
}

/** An issuer's configuration. @param signIn Beside the client id. */
export function issuerOf(issuer: string, signIn: Readonly<Record<string, unknown>> = {}) {
  return { kind: 'oidc', issuer, audiences: ['orders'], signIn: { clientId: CLIENT_ID, ...signIn } }
}

export interface Gateway {
  readonly identities: Identities
  at(jar: Jar, more?: Partial<SignInContext>): SignInContext
  /** Begins a sign-in: the URL that the browser is sent to. */
  begin(jar: Jar, returnTo?: string, more?: Partial<SignInContext>): Promise<string>
  /** Comes back to the callback of the issuer that `more` names, or of `idp`, unless `callback` names another's. */
  callback(jar: Jar, query: string, more?: Partial<SignInContext & { readonly callback: string }>): Promise<SignInAnswer>
  /** Signs in from start to end: the value of the session cookie, or how the last answer was told. */
  signIn(jar?: Jar): Promise<string>
  ask(handle: string): AuthResult | Promise<AuthResult>
  /** `verified`, or why not. */
  present(handle: string): Promise<string>
  verified(handle: string): Promise<Verified>
}

export function openGateway(deps: TestDeps, provider: ProviderStandIn, options: OpenOptions = {}): Gateway {
  const { issuers = { idp: issuerOf(provider.origin) }, maximum = 100, origin = ORIGIN } = options
  const identities = createIdentity({
    wiring: {
      issuers: Object.fromEntries(Object.entries(issuers).map(([name, config]) => [name, issuerConfig(config)])),
      outbound: {},
      sessions: { idle: 60 * MINUTE, absolute: 12 * 60 * MINUTE, maximum },
    },
    deps: { ...deps, store: memoryStore(), ...options.deps },
  })
  const secure = origin.startsWith('https:')
  const gateway: Gateway = {
    identities,
    at(jar, more = {}) {
      const cookies = jar.list().filter(({ name }) => identities.signIn.ownsCookie(name))
      return { issuer: 'idp', resource: 'orders', origin, secure, cookies, ip: '192.0.2.1', ...more }
    },
    async begin(jar, returnTo = '/list?page=2', more = {}) {
      const answer = await identities.signIn.begin({ ...gateway.at(jar, more), returnTo })
      if (answer.kind !== 'redirect') throw new TypeError(answer.kind)
      jar.take(answer.setCookies)
      return answer.location
    },
    async callback(jar, query, more = {}) {
      const at = gateway.at(jar, more)
      const answer = await identities.signIn.callback({ callback: at.issuer, ...at, query })
      if ('setCookies' in answer) jar.take(answer.setCookies)
      return answer
    },
    async signIn(jar = new Jar()) {
      const begun = await identities.signIn.begin({ ...gateway.at(jar), returnTo: '/' })
      if (begun.kind !== 'redirect') return begun.kind
      jar.take(begun.setCookies)
      const iss: Record<string, string> = provider.issInResponse ? { iss: provider.origin } : {}
      const answer = await gateway.callback(jar, provider.approve(begun.location, iss))
      return answer.kind === 'redirect' ? jar.cookies.get(identities.signIn.sessionCookie(secure))! : answer.kind
    },
    ask(handle) {
      const presentation = { source: '192.0.2.1', time: 0, resource: 'orders' }
      return identities.authenticator.authenticate({ kind: 'session', handle: new Secret(handle) }, presentation)
    },
    present: async (handle) => tell(await gateway.ask(handle)),
    async verified(handle) {
      const result = await gateway.ask(handle)
      if (result.outcome !== 'verified') throw new TypeError(tell(result))
      return result.verified
    },
  }
  return gateway
}
