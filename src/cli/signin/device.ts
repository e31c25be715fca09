import * as client from 'openid-client'
import { OstiaryError } from '../../core/errors.ts'
import { failureOf, tokensOf, type Provider, type Tokens } from './provider.ts'

/** Signs in by the device authorization grant (RFC 8628): on any other machine, by a code. */
export async function byDevice({ config, scopes }: Provider, say: (line: string) => void): Promise<Tokens> {
  try {
    const begun = await client.initiateDeviceAuthorization(config, { scope: scopes.join(' ') })
    say(`open ${begun.verification_uri_complete ?? begun.verification_uri} and enter the code ${begun.user_code}`)
    return tokensOf(await client.pollDeviceAuthorizationGrant(config, begun))
  } catch (error) {
    throw new OstiaryError('cli/login-failed', { reason: failureOf(error) }, { cause: error })
  }
}
