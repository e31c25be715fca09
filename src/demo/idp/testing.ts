/** A client and a browser for tests of the provider. Nothing of the provider's own code is in them. */
import { createRemoteJWKSet, jwtVerify } from 'jose'
import * as oidc from 'openid-client'
import { fetch, type Dispatcher, type Response } from 'undici'
import { HOME_TENANT } from './accounts.ts'
import { GATEWAY, ORDERS_API } from './registrations.ts'

export const REDIRECT = 'http://orders.localhost:12345/.ostiary/callback/entra'
export const SCOPE = `openid profile offline_access ${ORDERS_API.uri}/access_as_user`

/** What a browser does with redirects, cookies and forms, and no more. */
export class Browser {
  readonly #authority: string
  readonly #dispatcher: Dispatcher | undefined
  readonly #jar = new Map<string, string>()

  /** @param dispatcher For a provider whose certificate not everybody trusts. */
  constructor(authority: string, dispatcher?: Dispatcher) {
    this.#authority = authority
    this.#dispatcher = dispatcher
  }

  async #send(url: string, form?: Readonly<Record<string, string>>): Promise<Response> {
    const cookie = [...this.#jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, {
      redirect: 'manual',
      ...(this.#dispatcher === undefined ? {} : { dispatcher: this.#dispatcher }),
      headers: { accept: 'text/html', cookie, ...(form === undefined ? {} : { origin: this.#authority }) },
      ...(form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) }),
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (value === '') this.#jar.delete(name)
      else this.#jar.set(name, value)
    }
    return response
  }

  /** Follows redirects within the provider; answers the page, or where a redirect leads out of it. */
  async open(
    url: string,
    form?: Readonly<Record<string, string>>,
  ): Promise<{ readonly url: string; readonly status: number; readonly html: string }> {
    let response = await this.#send(url, form)
    let at = url
    for (let hops = 0; hops < 10 && response.headers.has('location'); hops++) {
      at = new URL(response.headers.get('location')!, at).href
      if (!at.startsWith(`${this.#authority}/`)) return { url: at, status: response.status, html: '' }
      response = await this.#send(at)
    }
    return { url: at, status: response.status, html: await response.text() }
  }

  /** Fills a page's hidden fields and sends it off. */
  async submit(page: { readonly url: string; readonly html: string }, fields: Readonly<Record<string, string>>) {
    const hidden = [...page.html.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)].map(([, name, value]) => [name!, value!])
    const action = /<form[^>]* action="([^"]+)"/.exec(page.html)?.[1]
    return this.open(action === undefined ? page.url : new URL(action, page.url).href, { ...Object.fromEntries(hidden), ...fields })
  }
}

export interface SignedIn {
  readonly config: oidc.Configuration
  readonly tokens: oidc.TokenEndpointResponse & oidc.TokenEndpointResponseHelpers
}

/** What a relying party of the provider at `authority` does. */
export function relyingParty(authority: () => string) {
  function discover(clientId: string, authentication: oidc.ClientAuth = oidc.None(), tenant = HOME_TENANT): Promise<oidc.Configuration> {
    return oidc.discovery(new URL(`${authority()}/${tenant}/v2.0`), clientId, undefined, authentication, {
      execute: [oidc.allowInsecureRequests],
    })
  }

  async function signIn(browser: Browser, account: string, scope = SCOPE, more: Readonly<Record<string, string>> = {}): Promise<SignedIn> {
    const config = await discover(GATEWAY.clientId)
    const verifier = oidc.randomPKCECodeVerifier()
    const [state, nonce] = [oidc.randomState(), oidc.randomNonce()]
    const url = oidc.buildAuthorizationUrl(config, {
      redirect_uri: REDIRECT,
      scope,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
      ...more,
    })
    const picker = await browser.open(url.href)
    const back = picker.html === '' ? picker : await browser.submit(picker, { account })
    const tokens = await oidc.authorizationCodeGrant(config, new URL(back.url), {
      pkceCodeVerifier: verifier,
      expectedState: state,
      expectedNonce: nonce,
    })
    return { config, tokens }
  }

  async function verified(token: string, tenant = HOME_TENANT) {
    const keys = createRemoteJWKSet(new URL(`${authority()}/${tenant}/discovery/v2.0/keys`))
    return (await jwtVerify(token, keys, { algorithms: ['RS256'] })).payload
  }

  return { newBrowser: () => new Browser(authority()), discover, signIn, verified }
}
