/** The twenty failures that callers of an API behind Entra ID and API Management meet most, each a test by its number and name. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { API, CLIENT, entraClaims, signToken, TENANT, type JsonObject } from '../../../testing/tokens.ts'
import { AUTHORITY, ENTRA, key, ownKey, standinEntra, told, V1 } from './testing.ts'

const now = Date.now()
const v2 = (more: JsonObject = {}): string => signToken(key, entraClaims.v2User(AUTHORITY, now, more))
const v1 = (more: JsonObject = {}): string => signToken(key, entraClaims.v1User(V1, now, more))
const GRAPH = '00000003-0000-0000-c000-000000000000'

test('1: a v2 token with metadata of v1', async () => {
  const idx = `IDX10205: Issuer validation failed. Issuer: '${AUTHORITY}/${TENANT}/v2.0'. Did not match: validationParameters.ValidIssuer: '${V1}' or validationParameters.ValidIssuers: 'null'.`
  assert.match(
    await told(idx),
    new RegExp(
      `a v2 token meets metadata of v1 \\| iss \`${AUTHORITY}/${TENANT}/v2.0\` \\| iss \`${V1}\` \\| elsewhere: have the API use …/v2\\.0/`,
    ),
  )
  // The same mistake here: one `iss` is compared where Entra ID has two.
  const issuers = { entra: { kind: 'oidc', issuer: V1, audiences: [API] } }
  const fetch = standinEntra()
  assert.match(
    await told(v2(), { issuers, resource: { signIn: undefined! }, fetch, policy: ADMIN }),
    /^refused issuer \| it is a v2 token of Entra ID, and only v1 tokens of this tenant are accepted \| .* \| wiring: write `kind: entra` with `tenants: \[72f988bf/,
  )
  assert.equal(await told(v2()), 'good', 'of kind entra, both are accepted')
})

test('2: a v1 token with metadata of v2', async () => {
  const idx = `IDX10205: Issuer validation failed. Issuer: '${V1}'. Did not match: validationParameters.ValidIssuer: '${AUTHORITY}/${TENANT}/v2.0'.`
  assert.match(await told(idx), /a v1 token meets metadata of v2.* \| registration: set `api\.requestedAccessTokenVersion` to 2/)
  const issuers = { entra: { kind: 'oidc', issuer: `${AUTHORITY}/${TENANT}/v2.0`, audiences: [API] } }
  assert.match(
    await told(v1(), { issuers, resource: { signIn: undefined! }, policy: ADMIN }),
    /^refused issuer \| it is a v1 token .* \| wiring: write `kind: entra` .*; or set `api\.requestedAccessTokenVersion` to 2/,
  )
  assert.equal(await told(v1()), 'good')
})

test('3: audience with and without `api://`', async () => {
  const issuers = { entra: { ...ENTRA, audiences: [`api://${API}`] } }
  assert.match(
    await told(v2(), { issuers }),
    new RegExp(
      `^refused audience \\| it is for this API under another form of its name: only prefix or slash differ \\| aud \`${API}\` \\| aud \`api://${API}\` \\| wiring: write the client id in \`audiences\`: \`${API}\``,
    ),
  )
  assert.match(
    await told(v1({ aud: 'api://orders/' }), { issuers: { entra: { ...ENTRA, audiences: ['api://orders'] } } }),
    /only prefix or slash differ \| aud `api:\/\/orders\/` \| aud `api:\/\/orders` \| wiring: write it in `audiences` as the token has it: `api:\/\/orders\/`/,
  )
  assert.match(
    await told(
      `IDX10214: Audience validation failed. Audiences: 'api://${API}'. Did not match: validationParameters.ValidAudience: '${API}'`,
    ),
    new RegExp(`another form of its name \\| aud \`api://${API}\` \\| aud \`${API}\` \\| elsewhere: write both forms`),
  )
})

test('4: the signature of a token for Microsoft Graph', async () => {
  const graph = signToken(key, entraClaims.v1User(V1, now, { aud: GRAPH }), { nonce: 'AQABAAAAAAD' })
  assert.match(
    await told(graph),
    new RegExp(
      `^refused graph-token \\| it is for Microsoft Graph, .* \\| aud \`${GRAPH}\`, with \`nonce\` in its header \\| aud \`${API}\` \\| client: name the API in the scope: \`scope=api://${API}/.default\``,
    ),
  )
  assert.match(await told(v1({ aud: 'https://graph.windows.net' })), /^refused audience \| it is for Microsoft Graph/)
  assert.match(
    await told('IDX10511: Signature validation failed. Keys tried: ...'),
    /most often it is one for Microsoft Graph.* \| client: /,
  )
  assert.match(await told('IDX10503: Signature validation failed.'), /most often it is one for Microsoft Graph/)
})

test('5: a console’s token is for Graph, its scope was ignored', async () => {
  assert.match(
    await told(v1({ aud: 'https://graph.microsoft.com' })),
    new RegExp(`client: name the API in the scope: .*${API}.* bare scope such as \`user_impersonation\``),
  )
  assert.match(
    await told("AADSTS650053: The application 'console' asked for scope 'user_impersonation' that doesn't exist on the resource"),
    new RegExp(`^error AADSTS650053 \\| .* \\| \`api://${API}/<scope>\` \\| client: write the scope in full`),
  )
})

test('6: AADSTS900144, no `scope`', async () => {
  assert.match(
    await told("AADSTS900144: The request body must contain the following parameter: 'scope'."),
    new RegExp(`no \`scope\` \\| \`scope=openid api://${API}/.default\` \\| client: `),
  )
})

test('7: AADSTS901002, `resource` at the v2 endpoint', async () => {
  assert.match(
    await told("AADSTS901002: The 'resource' request parameter isn't supported."),
    /`resource`, which belongs to v1 \| `resource` \| .* \| client: write `scope=<resource>\/\.default`/,
  )
})

const mismatch = (uri: string): string =>
  `AADSTS50011: The redirect URI '${uri}' specified in the request does not match the redirect URIs configured for the application '${CLIENT}'.`

test('8: AADSTS50011, what is sent next to what is registered', async () => {
  const own = 'https://orders.example.com/.ostiary/callback/entra'
  assert.match(
    await told(mismatch(own)),
    new RegExp(
      `is not registered for this client \\| sent: \`${own}\` \\| registered, byte for byte: \`${own}\` \\| registration: add it to the registration of \`${CLIENT}\``,
    ),
  )
  const near: readonly (readonly [string, string])[] = [
    ['https://orders.example.com/.ostiary/Callback/entra', 'upper and lower case'],
    ['https://orders.example.com/.ostiary/callback/entra/', 'the slash at the end'],
    ['http://orders.example.com/.ostiary/callback/entra', 'its scheme'],
    ['https://orders.example.com:8443/.ostiary/callback/entra', 'its port'],
    ['https://orders.example.net/.ostiary/callback/entra', 'its host'],
    ['https://orders.example.com/signin-oidc', 'its path'],
    ['https://orders.example.com/.ostiary/callback', 'its path'],
    ['https://orders.example.com/.ostiary/callback/other', 'its path'],
  ]
  for (const [sent, differs] of near)
    assert.match(await told(mismatch(sent)), new RegExp(`it differs from \`${own}\` by ${differs} \\|`), sent)
  assert.match(
    await told(mismatch('https://portal.example.net/signin-aad')),
    /this configuration does not send it \| .* \| client: it was another program/,
  )
  assert.match(await told('AADSTS50011'), /not in the text that was given .* \| registration: add it/)
  const resource = { publicUrl: 'http://orders.localhost:8080', hosts: ['orders.localhost'] }
  assert.match(
    await told(mismatch('http://orders.localhost:8080/.ostiary/callback/entra'), { resource }),
    /is not registered for this client, and can not be \| .* \| wiring: use `localhost` as the host of the resource/,
  )
})

const blocked = (more: string): string =>
  `Access to fetch at 'https://orders.example.com/orders' from origin 'https://app.example.com' has been blocked by CORS policy: ${more}`

test('9: CORS error in the browser, although the status is 200', async () => {
  const resource = { cors: { origins: ['https://other.example.com'] } }
  assert.match(
    await told(blocked("No 'Access-Control-Allow-Origin' header is present on the requested resource."), { resource }),
    /does not list this origin.* \| origin `https:\/\/app\.example\.com` \| `https:\/\/other\.example\.com` \| wiring: add it to `cors\.origins` of `orders`/,
  )
})

test('10: a preflight that is 404 or 401', async () => {
  const resource = { cors: { origins: ['https://app.example.com'], methods: ['GET'] } }
  assert.match(
    await told(blocked('Method PUT is not allowed by Access-Control-Allow-Methods in preflight response.'), { resource }),
    /does not list the method or header.* \| methods GET; headers none \| wiring: add it to `cors\.methods`/,
  )
  assert.match(
    await told(
      "Access to fetch at 'https://api.example.net/x' from origin 'https://app.example.com' has been blocked by CORS policy: Response to preflight request doesn't pass access control check: It does not have HTTP ok status.",
    ),
    /elsewhere: list the origin where CORS is answered, .* no operation for `OPTIONS`, no version in a header/,
  )
})

test('11: a preflight that nobody answers', async () => {
  assert.match(
    await told(blocked("Response to preflight request doesn't pass access control check")),
    /the resource `orders` answers no preflight: without `cors`, .* \| wiring: write `cors: \{ origins: \[https:\/\/app\.example\.com\] \}` on `orders`/,
  )
})

test('12: 401 for a subscription key that is missing, although the token is good', async () => {
  const body =
    '{ "statusCode": 401, "message": "Access denied due to missing subscription key. Make sure to include subscription key when making requests to an API." }'
  assert.match(await told(body), /the token was not looked at \| .* \| `Ocp-Apim-Subscription-Key` \| elsewhere: /)
})

test('13: 401 for a subscription key just made', async () => {
  const body =
    '{"statusCode":401,"message":"Access denied due to invalid subscription key. Make sure to provide a valid key for an active subscription."}'
  assert.match(await told(body), /so new that not every node knows it yet.*elsewhere: wait ten minutes/)
})

test('14: a policy at a scope or in a tier that does not take it', async () => {
  assert.match(
    await told("Error in element 'quota' on line 3, column 10: Policy is not allowed in the specified scope"),
    /not at that scope, or not in that tier/,
  )
  assert.match(await told('Policy is not allowed in this sku'), /not at that scope, or not in that tier/)
})

test('15: the period of a limit', async () => {
  assert.match(
    await told("Error in element 'rate-limit': The value of attribute 'renewal-period' must be less than 300"),
    /refuses the period of a limit .* at most 300 s/,
  )
})

test('16: AADSTS500011 from a managed identity', async () => {
  assert.match(
    await told(`AADSTS500011: The resource principal named api://${API}/scope was not found in the tenant named Orders.`),
    new RegExp(`the API that a token was asked for is not in that tenant.* \`resource=${API}\` \\| client: .* never \`<uri>/<scope>\``),
  )
})

test('17: `Claim value mismatch: aud` although the token is right', async () => {
  assert.match(
    await told('Claim value mismatch: aud=https://management.azure.com'),
    /`authentication-managed-identity` stands before the validation.* \| elsewhere: move the validation before it/,
  )
})

test('18: a value of Key Vault that can not be read, or does not rotate', async () => {
  const signIn = { clientId: CLIENT, clientSecret: 'keyvault://orders/client-secret' }
  assert.match(
    await told('The user, group or application does not have secrets get permission on key vault orders. ForbiddenByRbac', {
      issuers: { entra: { ...ENTRA, signIn } },
    }),
    /can not be read: role, firewall, name or form \| this configuration reads keyvault:\/\/orders\/client-secret \| the role Key Vault Secrets User/,
  )
  assert.match(
    await told('https://orders.vault.azure.net/secrets/x/0123456789abcdef0123456789abcdef is expired'),
    /a version of a Key Vault secret is named, so that it never rotates/,
  )
})

test('19: sign-in broken for everybody: the secret has ended, or its id was used', async () => {
  assert.match(
    await told('AADSTS7000222: The provided client secret keys for app are expired.'),
    /the client secret has ended, .* \| `signIn\.clientSecret` of the issuer `entra` \| .* \| registration: add a new secret before/,
  )
  assert.match(
    await told('AADSTS7000215: Invalid client secret provided.'),
    /often it is the secret’s id, not its value .* the column "Value"/,
  )
})

test('20: a key that is not found, although the tenant is right', async () => {
  const asked: string[] = []
  const token = signToken(ownKey, entraClaims.v2User(AUTHORITY, now))
  assert.match(
    await told(token, { fetch: standinEntra(asked) }),
    /^refused unknown-key \| the application has a signing key of its own, .* \| kid `key-of-one-application` \| a key of the tenant \| registration: remove the custom signing key/,
  )
  assert.ok(asked.some((url) => url.endsWith(`?appid=${API}`)))
  const stranger = signToken({ ...key, kid: 'nobody-has-it' }, entraClaims.v2User(AUTHORITY, now))
  assert.match(
    await told(stranger),
    /^refused unknown-key \| its provider publishes no key with this id \| kid `nobody-has-it` \| a key that `entra` publishes now \| client: get a new token/,
  )
  assert.match(await told("IDX10501: Signature validation failed. Unable to match key: kid: 'abc'."), /with `\?appid=<client id>`/)
})

/** Roles of the gateway alone: for configurations whose issuer has other claims. */
const ADMIN: JsonObject = {
  apiVersion: 'ostiary.dev/v1',
  roles: { admin: { bind: [{ issuer: 'ostiary', claim: 'via', any: ['one-time-link'] }] } },
  rules: [{ id: 'administer', role: 'admin', resource: 'ostiary', actions: ['* /**'] }],
}
