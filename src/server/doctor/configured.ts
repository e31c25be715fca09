import type { IssuerBase } from '../../config/schema.ts'
import type { Finding } from './finding.ts'

/** What the kinds of issuer have that audiences are compared with. */
interface Known {
  readonly issuer?: string
  readonly provider?: string
  readonly signIn?: { readonly clientId: string }
}

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Audiences that no access token for this gateway would have, or that others have too. */
export function* audienceFindings(config: IssuerBase): Generator<Finding> {
  const { kind, audiences } = config
  const { issuer, provider, signIn } = config as IssuerBase & Known
  let doubts = 0
  for (const audience of audiences) {
    const doubt = doubtOf(audience)
    if (doubt === undefined) continue
    doubts++
    yield { check: 'audience', outcome: 'doubtful', ...doubt }
  }
  if (doubts === 0) yield { check: 'audience', outcome: 'ok', found: `tokens are for ${audiences.map((one) => `\`${one}\``).join(' or ')}` }

  function doubtOf(audience: string): Pick<Finding, 'found' | 'help'> | undefined {
    if (audience !== audience.trim()) return { found: `\`${audience}\` begins or ends with a space`, help: 'write it without' }
    if (audience === issuer)
      return { found: `\`${audience}\` is the issuer itself`, help: 'write the identifier that the API has at the provider' }
    if (kind === 'entra' && !GUID.test(audience) && !/^(api|https):\/\//.test(audience))
      return {
        found: `\`${audience}\` is no form of Entra ID`,
        help: 'write the application (client) id of the API; it covers `api://` and the same id',
      }
    if (provider === 'keycloak' && audience === 'account')
      return { found: 'every token of a realm is for `account`', help: 'give the client an audience mapper, and write its audience here' }
    if (kind === 'oidc' && provider !== 'cognito' && provider !== 'google' && audience === signIn?.clientId)
      return {
        found: `\`${audience}\` is the client that people sign in with`,
        help: 'give the API an identifier of its own at the provider, so that ID tokens are not for it',
      }
    return undefined
  }
}
