import type { Given } from '../answers.ts'
import type { InitProvider } from '../flags.ts'
import { auth0, google, other } from './consoles.ts'
import { entra } from './entra.ts'
import { keycloak, okta } from './terraformed.ts'
import type { Registration, Way } from './text.ts'

const ways: Readonly<Record<InitProvider, (registration: Registration) => readonly Way[]>> = {
  entra,
  okta,
  keycloak,
  auth0,
  google,
  oidc: other,
}

/** How to register the gateway at a provider. */
export function registrationWays(provider: InitProvider, redirects: readonly string[], given: Given): readonly Way[] {
  const home = given.url ?? ''
  const https = home.startsWith('https://')
  return ways[provider]({
    title: `Ostiary ${given.name ?? 'api'}`,
    redirects,
    home: `${home}/`,
    frontchannel: https ? `${home}/.ostiary/frontchannel-logout/${provider}` : undefined,
    backchannel: https ? `${home}/.ostiary/backchannel-logout/${provider}` : undefined,
    given,
  })
}
