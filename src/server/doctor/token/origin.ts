/** Refusals for where a token comes from: who signed it, for whom, in which tenant. */
import { cloudOf, isB2c, isExternalId } from '../../../identity/entra/clouds.ts'
import type { JsonValue } from '../../../identity/jose/json.ts'
import { quoted, shown } from './decoded.ts'
import type { Diagnosis } from './diagnosis.ts'
import type { IssuerConfig, Refused } from './refused.ts'

const ENTRA_V1 = /^https:\/\/sts\.(windows\.net|chinacloudapi\.cn)\//
const ENTRA_V2 = /^https:\/\/login\.(microsoftonline\.com|microsoftonline\.us|partner\.microsoftonline\.cn)\/[^/]+\/v2\.0\/?$/

/** The `iss` that tokens of an issuer have. */
export function wantedIssuers({ kind, issuer, authority = '', tenants = [], organizations }: IssuerConfig): readonly string[] {
  if (kind !== 'entra') return issuer === undefined ? [] : [issuer]
  if (isB2c(authority)) return tenants.map((tenant) => `${authority}/${tenant}/v2.0/`)
  if (isExternalId(authority)) return tenants.map((tenant) => `https://${tenant}.ciamlogin.com/${tenant}/v2.0`)
  const v1 = cloudOf(authority)?.v1Origin
  return [...tenants, ...(organizations === true ? ['<any tenant>'] : [])].flatMap((tenant) => [
    `${authority}/${tenant}/v2.0`,
    ...(v1 === undefined ? [] : [`${v1}/${tenant}/`]),
  ])
}

const listed = (values: readonly string[]): string => values.map((one) => `\`${one}\``).join(' or ')

/** What is wrong with `iss`. */
export function issuerDiagnosis({ token, issuer, issuers }: Refused): Diagnosis {
  const iss = token?.payload['iss']
  const configs = issuer === undefined ? Object.values(issuers) : [issuer.config]
  const wanted = configs.flatMap(wantedIssuers)
  const cause = issuer === undefined ? 'no issuer of this configuration has this `iss`' : `it is not of the issuer \`${issuer.name}\``
  const found = `iss ${quoted(iss)}`
  const told = { cause, found, wanted: wanted.length === 0 ? 'an issuer whose tokens are JWTs' : `iss ${listed(wanted)}` }
  if (typeof iss !== 'string') return { ...told, where: 'client', change: 'send an access token: this one does not say who issued it' }
  const slash = wanted.find((one) => one.replace(/\/$/, '') === iss.replace(/\/$/, ''))
  if (slash !== undefined && configs.some(({ issuer: url }) => url === slash))
    return { ...told, cause: 'only the slash at the end of `iss` differs', where: 'wiring', change: `write \`issuer: ${shown(iss)}\`` }
  const tenant = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/i.exec(iss)?.[0]?.toLowerCase()
  const other = wanted.find((one) => tenant !== undefined && one.toLowerCase().includes(tenant))
  // The token version is the API's own choice; whoever compares one `iss` knows half of its tokens.
  if (ENTRA_V2.test(iss) && other !== undefined && ENTRA_V1.test(other))
    return {
      ...told,
      cause: 'it is a v2 token of Entra ID, and only v1 tokens of this tenant are accepted',
      where: 'wiring',
      change: `write \`kind: entra\` with \`tenants: [${tenant}]\`, which accepts both versions; elsewhere, use the metadata at …/v2.0/.well-known/openid-configuration`,
    }
  if (ENTRA_V1.test(iss) && other !== undefined && ENTRA_V2.test(other))
    return {
      ...told,
      cause: 'it is a v1 token of Entra ID, and only v2 tokens of this tenant are accepted',
      where: 'wiring',
      change: `write \`kind: entra\` with \`tenants: [${tenant}]\`, which accepts both versions; or set \`api.requestedAccessTokenVersion\` to 2 in the manifest of the API’s registration`,
    }
  if (iss.includes('{tenantid}'))
    return {
      ...told,
      cause: 'the tenant in `iss` was never filled in',
      where: 'elsewhere',
      change: 'whatever made this token copied the template from metadata of `common`: Entra ID writes its id there',
    }
  return {
    ...told,
    where: 'wiring',
    change: 'add an issuer that has this `iss` if you trust it; otherwise have the client get its token from one that is here',
  }
}

export function tenantDiagnosis({ token, issuer }: Refused): Diagnosis {
  const { iss, tid } = token?.payload ?? {}
  return {
    cause: 'it is of another tenant',
    found: `tid ${quoted(tid)}, iss ${quoted(iss)}`,
    wanted: `tid ${listed(issuer?.config.tenants ?? [])}`,
    where: 'client',
    change:
      'sign in at a tenant that is listed, or have the account invited there as a guest; add the id to `tenants` only if you trust that tenant’s administrators',
  }
}

const GRAPH = 'https://graph.microsoft.com'

/** What is wrong with `aud`. */
export function audienceDiagnosis(refused: Refused): Diagnosis {
  const { token, issuer } = refused
  const aud = token?.payload['aud']
  const audiences = issuer?.config.audiences ?? []
  const told = { cause: 'it is for another API', found: `aud ${quoted(aud)}`, wanted: `aud ${listed(audiences)}` }
  if (resourceOf(aud) === GRAPH) return graphDiagnosis(refused)
  const near = audiences.find((one) => bare(one) === bare(shown(aud)))
  if (near !== undefined) {
    const form = issuer?.config.kind === 'entra' && token?.payload['ver'] === '2.0' ? shown(aud) : undefined
    return {
      ...told,
      cause: 'it is for this API under another form of its name: only prefix or slash differ',
      where: 'wiring',
      change:
        form === undefined
          ? `write it in \`audiences\` as the token has it: \`${shown(aud)}\``
          : `write the client id in \`audiences\`: \`${form}\`. A v2 token always has that, and it covers \`api://\` of v1 tokens`,
    }
  }
  if (aud !== undefined && aud === issuer?.config.signIn?.clientId)
    return {
      ...told,
      cause: 'it is for the client itself, as ID tokens are',
      where: 'client',
      change: `send the access token, and ask for the API’s scope: ${scopeFor(refused)}`,
    }
  return { ...told, where: 'client', change: `ask the provider for a token for this API: ${scopeFor(refused)}` }
}

/** A token for Microsoft Graph, whose signature nobody else can verify. */
export function graphDiagnosis(refused: Refused): Diagnosis {
  const { token, issuer } = refused
  const nonce = token?.header['nonce'] === undefined ? '' : ', with `nonce` in its header'
  return {
    cause: 'it is for Microsoft Graph, which alone can verify it: its signature looks wrong to everybody else',
    found: `aud ${quoted(token?.payload['aud'])}${nonce}`,
    wanted: `aud ${listed(issuer?.config.audiences ?? [])}`,
    where: 'client',
    change: `name the API in the scope: ${scopeFor(refused)}. Without one, or with a bare scope such as \`user_impersonation\`, Entra ID means Graph`,
  }
}

/** What a client has to ask for. */
function scopeFor({ issuer }: Refused): string {
  const [audience] = issuer?.config.audiences ?? []
  if (audience === undefined) return 'its own scope or audience'
  if (issuer?.config.kind !== 'entra') return `\`audience\` or \`resource\` \`${audience}\`, or a scope of it`
  const uri = /^(api|https):\/\//.test(audience) ? audience.replace(/\/$/, '') : `api://${audience}`
  return `\`scope=${uri}/.default\`, or one scope of it in full`
}

const GRAPH_AUDIENCES = new Set([
  '00000003-0000-0000-c000-000000000000',
  '00000002-0000-0000-c000-000000000000',
  GRAPH,
  'https://graph.windows.net',
])

/** Microsoft Graph under any of its names. */
function resourceOf(aud: JsonValue | undefined): string | undefined {
  return typeof aud === 'string' && GRAPH_AUDIENCES.has(aud.replace(/\/$/, '')) ? GRAPH : undefined
}

function bare(audience: string): string {
  return audience
    .replace(/^(api|https?|spn):(\/\/)?/, '')
    .replace(/\/+$/, '')
    .toLowerCase()
}

export function keyDiagnosis({ token, ownKey, issuer }: Refused): Diagnosis {
  const found = `kid ${quoted(token?.header['kid'])}`
  if (ownKey)
    return {
      cause: 'the application has a signing key of its own, which is not among the tenant’s',
      found,
      wanted: 'a key of the tenant',
      where: 'registration',
      change:
        'remove the custom signing key (claims mapping, SAML) from the API’s enterprise application; its keys are published with `?appid=` only, and are not believed here',
    }
  return {
    cause: 'its provider publishes no key with this id',
    found,
    wanted: issuer === undefined ? 'a key of its issuer' : `a key that \`${issuer.name}\` publishes now`,
    where: 'client',
    change:
      'get a new token. If that is refused as well, the keys have changed within the last minutes, or the token is of another environment with the same `iss`',
  }
}
