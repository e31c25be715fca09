import { z } from 'zod'
import { anyClientAuth } from '../config/clientauth.ts'
import { anySecretReference } from '../config/fields.ts'
import { openClientAuth } from '../secrets/clientauth/index.ts'
import type { Issuer, IssuerDeps, SignInSettings } from './issuer.ts'

/** `signIn:` of an issuer: the client that browsers and the command line sign in with. */
export const signInSchema = z
  .strictObject({
    clientId: z.string().min(1).max(256).describe('Client id of the gateway at the provider'),
    clientSecret: anySecretReference().optional().describe('Where the client secret is; leave it out for a public client'),
    clientAuth: anyClientAuth().optional().describe('How the client proves itself without a secret, in place of `clientSecret`'),
    scopes: z
      .array(z.string().min(1))
      .min(1)
      .default(['openid', 'profile'])
      .describe('Scopes that a browser sign-in asks for; `openid` is among them'),
    refresh: z
      .boolean()
      .optional()
      .describe('Whether sessions are proven anew by a refresh token before the ID token ends; default: if `scopes` has `offline_access`'),
    cliScopes: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .describe('Scopes that the command line asks for, so that its token is for the gateway'),
  })
  .refine(({ clientSecret, clientAuth: how }) => clientSecret === undefined || how === undefined, {
    path: ['clientSecret'],
    error: 'write either `clientSecret` or `clientAuth`',
  })

/** The settings of sign-in of issuer `name`. */
export function signInSettings(
  name: string,
  config: z.output<typeof signInSchema> | undefined,
  defaultCliScopes: readonly string[],
  deps: IssuerDeps,
): SignInSettings | undefined {
  if (config === undefined) return undefined
  const { clientId, clientSecret, clientAuth: how, scopes, cliScopes = defaultCliScopes } = config
  const { refresh = scopes.includes('offline_access') } = config
  const auth = openClientAuth({ clientId, owner: `issuer ${name}`, clientSecret, clientAuth: how }, deps)
  return { clientId, auth, scopes, refresh, cliScopes }
}

/** The status of an issuer, with what its parts need the operator for. */
export function attended(
  status: ReturnType<Issuer['status']>,
  ...parts: readonly ({ warning(): string | undefined } | undefined)[]
): ReturnType<Issuer['status']> {
  const warnings = parts.map((part) => part?.warning()).filter((one) => one !== undefined)
  return { ...status, detail: [status.detail, ...warnings].join('; ') }
}
