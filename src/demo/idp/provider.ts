import type Provider from 'oidc-provider'
import type { AdapterFactory, ClientMetadata, Configuration, KoaContextWithOIDC } from 'oidc-provider'
import type { Clock, Entropy } from '../../core/clock.ts'
import { CI_CLIENT, findAccount, HOME_TENANT, type Account } from './accounts.ts'
import { accessTokenClaims, accessTokenLife, idTokenClaims, issuerV2, pairwise } from './claims.ts'
import { contextClaims } from './contexts.ts'
import type { KeyRing } from './keys.ts'
import { PATHS } from './metadata.ts'
import { headerOf } from './mint.ts'
import { deviceCodePage, deviceConfirmPage, donePage, errorPage, signOutPage } from './pages.ts'
import { APIS, audienceOf, CI, CI_SECRET, CLI, findApi, findClient, GATEWAY, type Api, type Client } from './registrations.ts'
import { provenByAssertion } from './tokenrequest.ts'
import { isLoopbackHost } from '../../config/fields.ts'

export interface ProviderParts {
  readonly authority: string
  readonly keys: KeyRing
  readonly clock: Clock
  readonly entropy: Entropy
}

/** Scope that stands for `offline_access` inside: the library grants that one only after a consent page, Entra without. */
export const REFRESH_SCOPE = 'offline'

const ID_TOKEN_CLAIMS = ['sub', 'nbf', 'aio', 'rh', 'uti', 'ver', 'tid', 'roles', 'groups', 'idp', 'email', 'acrs', 'xms_cc']
const PROFILE_CLAIMS = ['name', 'oid', 'preferred_username']

/** Lifetimes in seconds, as Entra documents them. An access token's own is drawn per token. */
const TTL = {
  AuthorizationCode: 600,
  DeviceCode: 900,
  Grant: 90 * 86_400,
  IdToken: 3600,
  Interaction: 3600,
  RefreshToken: 90 * 86_400,
  Session: 86_400,
}

/**
 * The provider of one tenant, on oidc-provider. It knows paths below `/{tid}`; the listener in front strips that. Made
 * anew over the same store when the keys change.
 */
export async function tenantProvider(parts: ProviderParts, tenant: string, store: AdapterFactory, cookieKey: string): Promise<Provider> {
  const { default: ProviderClass, errors, interactionPolicy } = await import('oidc-provider')
  const { authority, keys, clock, entropy } = parts
  const { Prompt, Check } = interactionPolicy
  const now = (): number => Math.floor(clock.now() / 1000)

  // The account picker comes at every sign-in, so that one can be another account by one click; `prompt=none` skips it.
  const chosen = new Check('no_account_chosen', 'an account has to be chosen', 'login_required', ({ oidc }) =>
    oidc.result?.login !== undefined || (oidc.prompts.has('none') && oidc.session?.accountId !== undefined)
      ? Check.NO_NEED_TO_PROMPT
      : Check.REQUEST_PROMPT,
  )

  const configuration: Configuration = {
    adapter: store,
    clients: clientsOf(tenant),
    jwks: { keys: keys.all.map(({ kid, privateJwk }) => ({ ...privateJwk, kid, use: 'sig', alg: 'RS256' })) },
    routes: {
      authorization: PATHS.authorize,
      token: PATHS.token,
      device_authorization: PATHS.devicecode,
      code_verification: PATHS.device,
      end_session: PATHS.logout,
      jwks: PATHS.keysV2,
    },
    cookies: {
      // One host serves several tenants, and cookies don't tell ports apart.
      names: {
        session: `ostiary_demo_idp_${tenant.slice(-2)}`,
        interaction: `ostiary_demo_idp_${tenant.slice(-2)}_signin`,
        resume: `ostiary_demo_idp_${tenant.slice(-2)}_resume`,
      },
      keys: [cookieKey],
      long: { httpOnly: true, sameSite: 'lax', signed: true },
      short: { httpOnly: true, sameSite: 'lax', signed: true },
    },
    scopes: ['openid', 'profile', 'email', 'offline_access', REFRESH_SCOPE, ...APIS.flatMap((api) => scopesOf(api))],
    claims: { openid: ID_TOKEN_CLAIMS, profile: PROFILE_CLAIMS },
    clientAuthMethods: ['none', 'client_secret_post', 'client_secret_basic'],
    responseTypes: ['code'],
    pkce: { required: () => true },
    ttl: { ...TTL, AccessToken: lifeOf, ClientCredentials: lifeOf },
    expiresWithSession: () => false,
    rotateRefreshToken: true,
    issueRefreshToken: (_, client, source) =>
      client.grantTypeAllowed('refresh_token') && (source.scopes.has(REFRESH_SCOPE) || source.scopes.has('offline_access')),
    features: {
      devInteractions: { enabled: false },
      userinfo: { enabled: false },
      claimsParameter: { enabled: true },
      dPoP: { enabled: false },
      clientCredentials: { enabled: true },
      deviceFlow: {
        enabled: true,
        charset: 'base-20',
        mask: '****-****',
        userCodeInputSource: (ctx, form, _out, failure) => {
          ctx.type = 'html'
          ctx.body = deviceCodePage(actionOf(form), valueOf(form, 'xsrf'), failure !== undefined)
        },
        userCodeConfirmSource: (ctx, form, client, _info, userCode) => {
          ctx.type = 'html'
          ctx.body = deviceConfirmPage(
            actionOf(form),
            valueOf(form, 'xsrf'),
            userCode,
            findClient(client.clientId)?.name ?? client.clientId,
          )
        },
        successSource: (ctx) => {
          ctx.type = 'html'
          ctx.body = donePage('Signed in', 'You can close this page: the device has its token.')
        },
      },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => {
          ctx.type = 'html'
          ctx.body = signOutPage(actionOf(form), valueOf(form, 'xsrf'), ctx.oidc.session?.accountId ?? '')
        },
        postLogoutSuccessSource: (ctx) => {
          ctx.type = 'html'
          ctx.body = donePage('Signed out', 'This browser has no session at the demo’s identity provider any more.')
        },
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: (ctx, _client, oneOf) => oneOf?.[0] ?? requestedApi(ctx)?.uri ?? [],
        getResourceServerInfo: (_, indicator) => {
          const api = findApi(indicator)
          if (api === undefined)
            throw new errors.InvalidTarget(
              `AADSTS500011: the resource principal named ${indicator.slice(0, 100)} was not found in the tenant`,
            )
          return {
            scope: scopesOf(api).join(' '),
            audience: audienceOf(api),
            accessTokenFormat: 'jwt',
            accessTokenTTL: accessTokenLife(entropy),
            jwt: { sign: { alg: 'RS256', kid: keys.signing.kid } },
          }
        },
        useGrantedResource: () => true,
      },
    },
    formats: {
      customizers: {
        jwt: (ctx, token, jwt) => {
          const api = findApi(String(token.aud))!
          const known = findClient(token.clientId!)!
          const client: Client = provenByAssertion(ctx.req) ? { ...known, authentication: '2' } : known
          const accountId = 'accountId' in token ? token.accountId : client.name
          const claims = accessTokenClaims(
            {
              authority,
              account: accountOf(accountId),
              client,
              api,
              scopes: shortScopes(api, token.scopes),
              issuedAt: now(),
              life: token.expiration,
            },
            entropy,
          )
          Object.assign(claims, contextClaims(ctx, 'access_token'))
          jwt.payload = claims
          jwt.header = headerOf(keys.signing, claims)
        },
      },
    },
    findAccount: (ctx, id) => {
      const account = findAccount(id)
      if (account?.tenant !== tenant) return undefined
      return {
        accountId: account.name,
        claims: () => {
          const client = findClient(ctx.oidc.client!.clientId)!
          const known = idTokenClaims({ authority, account, client, issuedAt: now(), life: TTL.IdToken }, entropy)
          return { ...known, ...contextClaims(ctx, 'id_token'), sub: account.name }
        },
      }
    },
    // There is nothing to consent to: whatever a client asks for, it has been granted to all.
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({ accountId: ctx.oidc.session!.accountId!, clientId: ctx.oidc.client!.clientId })
      grant.addOIDCScope(`openid profile email offline_access ${REFRESH_SCOPE}`)
      for (const [indicator, server] of Object.entries(ctx.oidc.resourceServers ?? {})) grant.addResourceScope(indicator, server.scope)
      await grant.save()
      return grant
    },
    interactions: {
      policy: [
        new Prompt({ name: 'login', requestable: true }, chosen),
        ...['select_account', 'consent'].map((name) => new Prompt({ name, requestable: true })),
      ],
      url: (_, { uid }) => `/${tenant}/signin/${uid}`,
    },
    renderError: (ctx, out) => {
      ctx.type = 'html'
      ctx.body = errorPage(out.error, out.error_description ?? '')
    },
  }

  const provider = new ProviderClass(issuerV2(authority, tenant), configuration)
  // As Entra does for http://localhost: the port doesn't count, because who listens there chose it at start.
  provider.Client.prototype.redirectUriAllowed = isLoopbackUri
  provider.Client.prototype.postLogoutRedirectUriAllowed = isLoopbackUri
  pairwiseSubjects(provider)
  refreshedByName(provider)
  provider.use(async (ctx, next) => {
    await next()
    if (ctx.path === PATHS.devicecode && ctx.status === 200) ctx.body = deviceAnswer(ctx.body as DeviceAnswer)
    if (ctx.path === PATHS.token && ctx.status === 400) ctx.body = deviceRefusal(ctx as KoaContextWithOIDC)
    if (ctx.path === PATHS.token && ctx.status === 200) ctx.body = tokenAnswer(ctx as KoaContextWithOIDC)
  })
  return provider
}

function lifeOf(
  _: unknown,
  { resourceServer }: { readonly resourceServer?: { readonly accessTokenTTL?: number | undefined } | undefined },
): number {
  return resourceServer?.accessTokenTTL ?? 3600
}

interface IdTokenPrototype {
  readonly client: { readonly clientId: string }
  payload: (this: IdTokenPrototype) => Promise<Record<string, unknown>>
}

/** The library has pairwise subjects, but not for public clients that use the device flow, which Entra has. */
function pairwiseSubjects(provider: Provider): void {
  const prototype = provider.IdToken.prototype as unknown as IdTokenPrototype
  const { payload } = prototype
  prototype.payload = async function () {
    const claims = await payload.call(this)
    return { ...claims, sub: pairwise(accountOf(String(claims['sub'])), this.client.clientId) }
  }
}

/** A refresh may ask for what its token was given by the name that Entra has for it. */
function refreshedByName(provider: Provider): void {
  Object.defineProperty(provider.RefreshToken.prototype, 'scopes', {
    get(this: { readonly scope?: string }) {
      const scopes = new Set((this.scope ?? '').split(' '))
      return scopes.has(REFRESH_SCOPE) ? scopes.add('offline_access') : scopes
    },
  })
}

/** Entra names scopes as they were asked for, and none to an app: Microsoft's libraries look for theirs among them. */
function tokenAnswer({ body, oidc }: KoaContextWithOIDC): unknown {
  const { scope, ...answer } = body as { readonly scope?: string }
  if (scope === undefined || oidc?.params?.['grant_type'] === 'client_credentials') return answer
  const { scope: asked } = (oidc?.body ?? {}) as { readonly scope?: unknown }
  const names = new Map((typeof asked === 'string' ? asked : '').split(' ').map((one) => [meant(one).scope, one]))
  const told = scope.split(' ').map((one) => names.get(one) ?? one)
  return { ...answer, scope: told.join(' ') }
}

/** The API that a scope is of, and the scope as that API has it. */
function meant(scope: string): { readonly api: Api | undefined; readonly scope: string } {
  const cut = scope.lastIndexOf('/')
  const api = cut > 0 ? findApi(scope.slice(0, cut)) : undefined
  return { api, scope: api === undefined ? scope : `${api.uri}/${scope.slice(cut + 1)}` }
}

/** A scope asks for one API at most; `{guid}/.default` means the same as `api://{guid}/.default`. */
function requestedApi(ctx: KoaContextWithOIDC): Api | undefined {
  const { params } = ctx.oidc
  if (typeof params?.['scope'] !== 'string') return undefined
  const named = params['scope'].split(' ').map(meant)
  params['scope'] = named.map(({ scope }) => scope).join(' ')
  return named.find(({ api }) => api !== undefined)?.api
}

function scopesOf(api: Api): readonly string[] {
  return [...api.scopes, '.default'].map((scope) => `${api.uri}/${scope}`)
}

/** `scp` holds the short names; `.default` is all that there are. */
function shortScopes(api: Api, granted: ReadonlySet<string>): readonly string[] {
  return granted.has(`${api.uri}/.default`) ? api.scopes : api.scopes.filter((scope) => granted.has(`${api.uri}/${scope}`))
}

function accountOf(id: string): Account {
  const account = findAccount(id)
  if (account === undefined) throw new Error(`no such account: ${id}`)
  return account
}

function clientsOf(tenant: string): ClientMetadata[] {
  const interactive = {
    token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    response_types: ['code'],
    redirect_uris: ['http://localhost/'],
  } as const
  const clients: ClientMetadata[] = [GATEWAY, CLI].map(({ clientId, name }) => ({ ...interactive, client_id: clientId, client_name: name }))
  if (tenant === HOME_TENANT)
    clients.push({
      client_id: CI_CLIENT,
      client_name: CI.name,
      client_secret: CI_SECRET,
      token_endpoint_auth_method: 'client_secret_post',
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
    })
  return clients
}

function isLoopbackUri(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, hash, username } = new URL(text)
  return /^https?:$/.test(protocol) && isLoopbackHost(hostname) && hash === '' && username === ''
}

interface DeviceAnswer {
  readonly device_code: string
  readonly user_code: string
  readonly verification_uri: string
  readonly expires_in: number
}

/** Entra has an interval and a message, and no complete URI: who reads the code aloud can't be phished by a link. */
function deviceAnswer({ user_code, device_code, verification_uri, expires_in }: DeviceAnswer): object {
  const message = `To sign in, use a web browser to open the page ${verification_uri} and enter the code ${user_code} to authenticate.`
  return { user_code, device_code, verification_uri, expires_in, interval: 5, message }
}

/** How Entra says that a device's code is no good, or that somebody said no. */
const DEVICE_ERRORS: Readonly<Record<string, string>> = { access_denied: 'authorization_declined', invalid_grant: 'bad_verification_code' }

function deviceRefusal({ oidc, body }: KoaContextWithOIDC): unknown {
  const { error } = body as { readonly error?: string }
  if (oidc?.params?.['grant_type'] !== 'urn:ietf:params:oauth:grant-type:device_code' || error === undefined) return body
  return { ...(body as object), error: DEVICE_ERRORS[error] ?? error }
}

/** The library hands its forms over as HTML only; theirs have no labels, so ours are written anew around the same values. */
function valueOf(form: string, name: string): string {
  return new RegExp(`name="${name}" value="([^"]*)"`).exec(form)?.[1] ?? ''
}

function actionOf(form: string): string {
  return /action="([^"]*)"/.exec(form)?.[1] ?? ''
}
