import { OstiaryError } from '../core/errors.ts'
import { causeOf } from './admin.ts'

/** Asks the demo's identity provider for a token of one of its accounts. Works on loopback only, as that provider does. */
export async function demoToken(
  provider: string,
  account: string,
  options: {
    readonly version?: string | undefined
    readonly shape?: string | undefined
    readonly acrs?: readonly string[] | undefined
    readonly cp1?: boolean | undefined
  },
): Promise<string> {
  const response = await fetch(`${provider}/demo/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ as: account, ...options }),
  }).catch((error: unknown) => {
    throw new OstiaryError('demo/no-provider', { url: provider, cause: causeOf(error) })
  })
  const answer = (await response.json()) as { access_token?: string; error_description?: string }
  if (answer.access_token === undefined)
    throw new OstiaryError('demo/no-account', { account, reason: answer.error_description ?? `status ${response.status}` })
  return answer.access_token
}
