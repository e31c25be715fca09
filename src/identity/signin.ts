import { z } from 'zod'
import { secretReference } from '../config/fields.ts'
import { resolveSecret } from '../secrets/references.ts'
import type { SignInSettings } from './issuer.ts'

/** `signIn:` of an issuer: the client that browsers and the command line sign in with. */
export const signInSchema = z.strictObject({
  clientId: z.string().min(1).max(256).describe('Client id of the gateway at the provider'),
  clientSecret: secretReference().optional().describe('Where the client secret is; leave it out for a public client'),
  scopes: z
    .array(z.string().min(1))
    .min(1)
    .default(['openid', 'profile'])
    .describe('Scopes that a browser sign-in asks for; `openid` is among them'),
  cliScopes: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe('Scopes that the command line asks for, so that its token is for the gateway'),
})

/** The settings of sign-in with references made resolvable. `folder` is where relative file names start. */
export function signInSettings(
  config: z.output<typeof signInSchema> | undefined,
  defaultCliScopes: readonly string[],
  folder: string,
): SignInSettings | undefined {
  if (config === undefined) return undefined
  const { clientId, clientSecret, scopes, cliScopes = defaultCliScopes } = config
  return { clientId, clientSecret: clientSecret && (() => resolveSecret(clientSecret, folder)), scopes, cliScopes }
}
