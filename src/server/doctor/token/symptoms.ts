/** Errors without a number: of libraries that validate tokens, of Azure API Management, of browsers, of other providers. */
import type { HttpResource } from '../../../doors/http/schema.ts'
import { quoted } from './decoded.ts'
import type { Diagnosis } from './diagnosis.ts'
import type { ErrorContext } from './errors.ts'
import { redirectDiagnosis } from './redirecturi.ts'

interface Symptom {
  readonly says: RegExp
  readonly explain: (context: ErrorContext) => Diagnosis
}

/** The more exact before the less exact. */
const symptoms: readonly Symptom[] = [
  { says: /IDX10205|issuer validation failed/i, explain: issuerMismatch },
  { says: /IDX10214|IDX10208|audience validation failed/i, explain: audienceMismatch },
  {
    says: /IDX10501|signing key.{0,40}not found|unable to (find|match).{0,30}(kid|key)/i,
    explain: () => ({
      cause: 'the key that signed is not among those that the provider publishes where it was looked for',
      wanted: 'metadata with the key: of the tenant, or with `?appid=<client id>` where the application has a signing key of its own',
      where: 'registration',
      change:
        'remove the custom signing key of the enterprise application, or use metadata with `?appid=`; after a rotation, have the keys read anew. Give this command the token: it looks for the key at both places',
    }),
  },
  {
    says: /IDX1050[03]|IDX10511|IDX10517|signature (validation|verification) failed/i,
    explain: () => ({
      cause:
        'the signature was not found good, on a token that looks right: most often it is one for Microsoft Graph, or of a key that is not known yet',
      found: 'whether its header has `nonce`, or its `aud` is Graph, shows here if the token itself is given',
      wanted: 'a token for the API, by a key of its tenant',
      where: 'client',
      change: 'ask for a scope of the API (`api://<client id>/.default`), and give this command the token: it compares key and audience',
    }),
  },
  {
    says: /IDX10222|IDX10223|lifetime validation failed|token is (not yet valid|expired)|jwt expired/i,
    explain: () => ({
      cause: 'the token is over, or not valid yet by the clock that was asked',
      where: 'elsewhere',
      change: 'set that clock by NTP, and allow 30 s of skew: API Management allows none unless `clock-skew` is written',
    }),
  },
  {
    says: /missing subscription key/i,
    explain: () => ({
      cause: 'the subscription key is missing, which is looked at before anything else: the token was not looked at',
      wanted: '`Ocp-Apim-Subscription-Key`',
      where: 'elsewhere',
      change: 'send the key as well, or turn "Subscription required" off for that API: a key tells apart, and proves nobody',
    }),
  },
  {
    says: /invalid subscription key/i,
    explain: () => ({
      cause: 'the subscription key is wrong, or so new that not every node knows it yet: the token was not looked at',
      where: 'elsewhere',
      change: 'wait ten minutes after making a key; then compare it, and that its product or API is active and has this operation',
    }),
  },
  {
    says: /not allowed in the specified (scope|section)|not (allowed|supported) in this (sku|tier)/i,
    explain: () => ({
      cause: 'API Management has this policy not at that scope, or not in that tier',
      wanted: '`rate-limit` at product, API or operation; `quota` at product; `…-by-key` in no Consumption tier',
      where: 'elsewhere',
      change: 'move the element to a scope that takes it, or use the one by key',
    }),
  },
  {
    says: /renewal-period/i,
    explain: () => ({
      cause: 'API Management refuses the period of a limit',
      wanted: '`rate-limit`: at most 300 s; `quota-by-key`: at least 300 s; none on `api` and `operation` inside `quota`',
      where: 'elsewhere',
      change: 'change the period; without a subscription key `rate-limit` and `quota` count nothing, so use the ones by key',
    }),
  },
  {
    says: /claim value mismatch:?\s*aud/i,
    explain: (context) => ({
      cause:
        'the token that was validated is not the caller’s: `authentication-managed-identity` stands before the validation and has replaced `Authorization`',
      found: 'the `aud` of the managed identity’s token',
      wanted: `the caller’s, for ${audiencesOf(context)}`,
      where: 'elsewhere',
      change: 'move the validation before it, or give it `output-token-variable-name` and set the header in `backend`',
    }),
  },
  { says: /key ?vault|vault\.azure\.(net|cn)|SecretNotFound|ForbiddenByFirewall|ForbiddenByRbac/i, explain: vault },
  {
    says: /redirect_uri.{0,60}(login redirect uri|mismatch)|callback url mismatch|invalid (parameter: )?redirect[_ ]uri|redirect uri mismatch/i,
    explain: redirectDiagnosis,
  },
  { says: /CORS|preflight|Access-Control-Allow/i, explain: cors },
]

export function explainSymptom(context: ErrorContext): Diagnosis | undefined {
  return symptoms.find(({ says }) => says.test(context.error.text))?.explain(context)
}

/** What a library quotes of what it found and what it wanted. */
function compared(
  text: string,
  found: RegExp,
  wanted: RegExp,
): { readonly found: string | undefined; readonly wanted: string | undefined } {
  return { found: found.exec(text)?.[1], wanted: wanted.exec(text)?.[1] }
}

const V1 = /\/\/sts\.(windows\.net|chinacloudapi\.cn)\//

function issuerMismatch({ error }: ErrorContext): Diagnosis {
  const { found, wanted } = compared(
    error.text,
    /issuer(?:\(s\))?: ['"]?(?:\[PII[^']{0,80})?(https:\/\/[^\s'"]{1,200}?)['".]*(?:\s|$)/i,
    /ValidIssuers?: ['"]?(https:\/\/[^\s'",]{1,200}?)['".]*(?:\s|,|$)/i,
  )
  const told = {
    found: found === undefined ? undefined : `iss ${quoted(found)}`,
    wanted: wanted === undefined ? undefined : `iss ${quoted(wanted)}`,
  }
  if (found !== undefined && V1.test(found))
    return {
      cause: 'a v1 token meets metadata of v2: the manifest of the API leaves `requestedAccessTokenVersion` at null',
      ...told,
      where: 'registration',
      change:
        'set `api.requestedAccessTokenVersion` to 2 in the manifest of the API; or have the API use the metadata without `/v2.0`. `kind: entra` takes both versions',
    }
  if (found !== undefined && /\/v2\.0\/?$/.test(found))
    return {
      cause: 'a v2 token meets metadata of v1',
      ...told,
      where: 'elsewhere',
      change:
        'have the API use …/v2.0/.well-known/openid-configuration: the version is that of the token, not of the endpoint. `kind: entra` takes both versions',
    }
  return {
    cause: 'the token is of another issuer than the API wants',
    ...told,
    where: 'elsewhere',
    change: 'compare the two byte by byte, the slash at the end included',
  }
}

function audienceMismatch(context: ErrorContext): Diagnosis {
  const { found, wanted } = compared(
    context.error.text,
    /audiences?: ['"]?([A-Za-z][A-Za-z0-9:/._-]{3,200}|[0-9a-f-]{36})['"]?/i,
    /ValidAudiences?: ['"]?([A-Za-z0-9][A-Za-z0-9:/._-]{3,200})['"]?/i,
  )
  return {
    cause: 'the token is for another API, or for this one under another form of its name',
    found: found === undefined ? undefined : `aud ${quoted(found)}`,
    wanted: wanted === undefined ? audiencesOf(context) : `aud ${quoted(wanted)}`,
    where: 'elsewhere',
    change:
      'write both forms where audiences are compared: v2 tokens have the client id, v1 tokens `api://…` as it was asked for, with its slash if there is one',
  }
}

function audiencesOf({ issuer }: ErrorContext): string {
  return (issuer?.config.audiences ?? []).map((one) => `\`${one}\``).join(' or ') || 'the API'
}

function vault({ error, wiring }: ErrorContext): Diagnosis {
  const references = [...JSON.stringify(wiring.issuers).matchAll(/"keyVault":\{"vault":"([\w-]+)","name":"([\w-]+)"\}/g)].map(
    ([, name, secret]) => `keyvault://${name}/${secret}`,
  )
  const versioned = /vault\.azure\.\w+\/(?:secrets|certificates|keys)\/[\w-]+\/[0-9a-f]{32}/i.test(error.text)
  return {
    cause: versioned
      ? 'a version of a Key Vault secret is named, so that it never rotates'
      : 'a secret of Key Vault can not be read: role, firewall, name or form',
    found: references.length === 0 ? undefined : `this configuration reads ${references.slice(0, 5).join(', ')}`,
    wanted: 'the role Key Vault Secrets User, also for certificates; a URL without version; at most 4096 characters in API Management',
    where: 'elsewhere',
    change:
      'give the identity that role on the vault, and let the vault’s firewall admit it; name no version; of a system-assigned identity, give no client id',
  }
}

function cors({ error, wiring }: ErrorContext): Diagnosis {
  const origin = /from origin ['"]?(https?:\/\/[\w.:[\]-]{1,200})['"]?/i.exec(error.text)?.[1]
  const asked = /(?:at|resource at) ['"]?(https?:\/\/[^\s'"]{1,300})['"]?/i.exec(error.text)?.[1]
  const host = asked !== undefined && URL.canParse(asked) ? new URL(asked).host : undefined
  const [name, resource] = Object.entries(wiring.resources as unknown as Readonly<Record<string, Partial<HttpResource>>>).find(
    ([, { hosts = [] }]) => host !== undefined && hosts.some((one) => one === host || one === host.replace(/:\d+$/, '')),
  ) ?? [undefined, undefined]
  const found = origin === undefined ? undefined : `origin ${quoted(origin)}`
  if (resource === undefined)
    return {
      cause: 'a browser was not told that it may use the answer, or its preflight was not answered',
      found,
      where: 'elsewhere',
      change:
        'list the origin where CORS is answered, and let preflights (`OPTIONS`) reach it without a token. In API Management: `cors` in effect at that scope (is `<base/>` there?), no operation for `OPTIONS`, no version in a header, and not at product scope with the key in a header',
    }
  const { cors: configured } = resource
  if (configured === undefined)
    return {
      cause: `the resource \`${name}\` answers no preflight: without \`cors\`, \`OPTIONS\` is an action like any other, and needs a rule`,
      found,
      wanted: '`cors` on the resource',
      where: 'wiring',
      change: `write \`cors: { origins: [${origin ?? 'https://app.example.com'}] }\` on \`${name}\``,
    }
  if (origin !== undefined && !configured.origins.includes(origin))
    return {
      cause: `the resource \`${name}\` does not list this origin, so browsers keep the answer from the page, whatever its status`,
      found,
      wanted: configured.origins.map((one) => `\`${one}\``).join(' or '),
      where: 'wiring',
      change: `add it to \`cors.origins\` of \`${name}\`, if its pages may read what people see here`,
    }
  return {
    cause: `the resource \`${name}\` does not list the method or header that the page uses`,
    found,
    wanted: `methods ${configured.methods.join(', ')}; headers ${configured.headers.join(', ') || 'none'}`,
    where: 'wiring',
    change: `add it to \`cors.methods\` or \`cors.headers\` of \`${name}\``,
  }
}
