import * as client from 'openid-client'
import { isLoopbackHost } from '../../config/fields.ts'
import { OstiaryError } from '../../core/errors.ts'
import { causeOf } from '../admin.ts'

/** What a gateway tells a client that wants to sign in (`GET /.ostiary/client.json` of the admin listener). */
interface ClientDocument {
  readonly issuers: readonly {
    readonly name: string
    readonly discovery: string
    readonly clientId: string
    readonly scopes: readonly string[]
  }[]
}

/** The provider that a gateway's people sign in with. */
export interface Provider {
  /** Configured name of the gateway's issuer. */
  readonly issuer: string
  readonly config: client.Configuration
  readonly scopes: readonly string[]
}

/** Asks the gateway whom to sign in with, and the provider how. @throws OstiaryError `cli/no-gateway`, `cli/no-login`, `cli/login-failed` */
export async function findProvider(admin: string, wanted: string | undefined): Promise<Provider> {
  const response = await fetch(`${admin}/.ostiary/client.json`).catch((error: unknown) => {
    throw new OstiaryError('cli/no-gateway', { url: admin, cause: causeOf(error) })
  })
  const { issuers = [] } = (await response.json().catch(() => ({}))) as Partial<ClientDocument>
  const found = issuers.find(({ name }) => wanted === undefined || name === wanted)
  if (found === undefined) throw new OstiaryError('cli/no-login', { url: admin })
  const discovery = new URL(found.discovery)
  // Plain http is for this machine alone, as everywhere.
  const execute = isLoopbackHost(discovery.hostname) ? [client.allowInsecureRequests] : []
  try {
    const config = await client.discovery(discovery, found.clientId, undefined, client.None(), { execute })
    // So that a sign-in lasts longer than one token (OpenID Connect Core §11).
    const lasting = config.serverMetadata().scopes_supported?.includes('offline_access') === true ? ['offline_access'] : []
    return { issuer: found.name, config, scopes: [...new Set([...found.scopes, ...lasting])] }
  } catch (error) {
    throw new OstiaryError(
      'cli/login-failed',
      { reason: `the provider at ${discovery.origin} can not be used: ${causeOf(error)}` },
      { cause: error },
    )
  }
}

export interface Tokens {
  readonly token: string
  /** Milliseconds since the epoch. */
  readonly expires: number
  readonly refresh: string | undefined
}

export function tokensOf(answer: client.TokenEndpointResponse & client.TokenEndpointResponseHelpers): Tokens {
  const { access_token: token, refresh_token: refresh } = answer
  return { token, expires: Date.now() + (answer.expiresIn() ?? 3600) * 1000, refresh }
}

/** What a provider or the library says of a failure, in one line, without anything that was sent. */
export function failureOf(error: unknown): string {
  if (error instanceof client.ResponseBodyError || error instanceof client.AuthorizationResponseError)
    return printable(error.error_description ?? error.error)
  return printable(causeOf(error))
}

function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').slice(0, 300)
}
