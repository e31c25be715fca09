import { readFileSync } from 'node:fs'
import { systemClock } from '../../core/clock.ts'
import { OstiaryError } from '../../core/errors.ts'
import { federatedAuth } from '../../secrets/clientauth/federated.ts'
import { clientTokens } from '../../secrets/clientauth/apptoken.ts'
import { managedIdentity } from '../../secrets/clientauth/managedidentity.ts'
import { localSecret } from '../../secrets/source.ts'
import { jsonOf, request } from '../../secrets/request.ts'

/** Where this machine's own identity is got from, without asking anybody. */
interface Ambient {
  readonly name: string
  get(audience: string): Promise<string>
}

const deps = { fetch, clock: systemClock }
const LIMITS = { timeout: 10_000, maxBytes: 256 * 1024 }

/**
 * A token for `audience` by which the platform proves what runs on it: GitHub Actions, Azure workload identity, a managed identity of App
 * Service or Azure Functions, or a file that a platform keeps renewed (Kubernetes, GitLab CI). @throws OstiaryError `cli/no-workload`, `cli/login-failed`
 */
export async function workloadToken(
  audience: string | undefined,
  file: string | undefined,
  env: NodeJS.ProcessEnv = process.env,
): Promise<{ readonly token: string; readonly from: string }> {
  const ambient = file === undefined ? ambientOf(env) : fromFile(file)
  if (ambient === undefined) throw new OstiaryError('cli/no-workload', {})
  if (audience === undefined && file === undefined)
    throw new OstiaryError('cli/usage', {
      problem: '`--workload` needs the audience that the gateway’s issuer has: `--audience VALUE`',
      command: 'login',
    })
  const token = await ambient.get(audience ?? '')
  if (!/^[\x21-\x7e]{1,16384}$/.test(token)) throw new OstiaryError('cli/login-failed', { reason: `${ambient.name} gave no token` })
  return { token, from: ambient.name }
}

function ambientOf(env: NodeJS.ProcessEnv): Ambient | undefined {
  const { ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: bearer } = env
  if (url !== undefined && bearer !== undefined) return githubActions(url, bearer)
  const { AZURE_FEDERATED_TOKEN_FILE: file, AZURE_CLIENT_ID: clientId, AZURE_TENANT_ID: tenant, AZURE_AUTHORITY_HOST: authority } = env
  if (file !== undefined && clientId !== undefined && tenant !== undefined)
    return azureWorkload(file, clientId, tenant, authority ?? 'https://login.microsoftonline.com/')
  if (env['IDENTITY_ENDPOINT'] !== undefined && env['IDENTITY_HEADER'] !== undefined)
    return {
      name: 'the managed identity',
      get: async (audience) => (await managedIdentity({ clientId }, { ...deps, env }).token(audience)).reveal(),
    }
  const { OSTIARY_TOKEN_FILE: own } = env
  return own === undefined ? undefined : fromFile(own)
}

function fromFile(file: string): Ambient {
  return {
    name: file,
    get: () => {
      try {
        return Promise.resolve(readFileSync(file, 'utf8').trim())
      } catch (error) {
        return Promise.reject(
          new OstiaryError('cli/login-failed', {
            reason: `${file} can not be read: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}`,
          }),
        )
      }
    },
  }
}

/** “About security hardening with OpenID Connect”: jobs with `permissions: id-token: write` may ask. */
function githubActions(url: string, bearer: string): Ambient {
  return {
    name: 'GitHub Actions',
    async get(audience) {
      const at = new URL(url)
      at.searchParams.set('audience', audience)
      const answer = await request(deps, at.href, { headers: { authorization: `Bearer ${bearer}`, accept: 'application/json' } }, LIMITS)
      const value = answer.outcome === 'answer' && answer.status === 200 ? jsonOf(answer.body)?.['value'] : undefined
      if (typeof value === 'string') return value
      const reason = answer.outcome === 'failed' ? answer.detail : `it answered ${answer.status}`
      throw new OstiaryError('cli/login-failed', { reason: `GitHub Actions gave no token: ${reason}` })
    },
  }
}

/** What the webhook of Azure workload identity projects into a pod, exchanged for a token of Entra. */
function azureWorkload(file: string, clientId: string, tenant: string, authority: string): Ambient {
  return {
    name: 'Azure workload identity',
    async get(audience) {
      const endpoint = new URL(`${tenant}/oauth2/v2.0/token`, authority.endsWith('/') ? authority : `${authority}/`)
      const auth = federatedAuth(clientId, localSecret({ file }, process.cwd()))
      return (await clientTokens(endpoint.href, auth, deps).token(audience)).reveal()
    },
  }
}
