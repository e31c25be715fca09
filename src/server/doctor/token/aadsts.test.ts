/** Errors of a sign-in at Entra ID, by number, and of OAuth, by name. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { API, CLIENT, TENANT, type JsonObject } from '../../../testing/tokens.ts'
import { rows } from './aadsts.ts'
import { AUTHORITY, ENTRA, explained, told } from './testing.ts'

/** Each row of the table of errors: its numbers, where the change is made, and what is said of each number. */
const table: readonly (readonly [name: string, says: Readonly<Record<number, RegExp>>])[] = [
  ['redirect URI not registered', { 50011: /^error AADSTS50011 \| AADSTS50011: the redirect URI .* \| registration: / }],
  ['resource principal not in tenant', { 500011: /not in that tenant.* \| client: name the API by its App ID URI or client id/ }],
  [
    'resource not in requiredResourceAccess',
    { 650057: /does not list the API.*registration: add the permission/, 650056: /does not list the API/, 65005: /does not list the API/ },
  ],
  [
    'no consent',
    {
      65001: new RegExp(`nobody has consented.*have an administrator open ${AUTHORITY}/${TENANT}/adminconsent\\?client_id=${CLIENT}$`),
      90094: /only an administrator may consent.*adminconsent/,
      65004: /the person declined.*registration: sign in again and consent/,
    },
  ],
  [
    'client id not in that tenant or cloud',
    {
      700016: new RegExp(`no such client in that tenant.* \\| client \`${CLIENT}\`, tenant \`${TENANT}\``),
      90002: /no such tenant in that cloud.*wiring: compare/,
      90038: /in another cloud.*`authority` of their own/,
      900432: /in another cloud/,
    },
  ],
  ['secret invalid', { 7000215: /often it is the secret’s id, not its value.*URL-encoded/ }],
  [
    'secret expired, application disabled',
    { 7000222: /client secret has ended.*no restart is needed/, 7000112: /disabled in its tenant.*registration: enable it/ },
  ],
  ['user not assigned', { 50105: /not assigned to the application.*registration: assign the person or a group/ }],
  [
    'account not in tenant',
    {
      50020: /the account is not in the tenant.*invited there as a guest/,
      16000: /the account is not in the tenant/,
      51004: /the account is not in the tenant/,
      50034: /the account is not in the tenant/,
      50194: /for one tenant, and was asked for by way of `common`.*wiring: leave `organizations` out/,
    },
  ],
  [
    'MFA, device, Conditional Access',
    Object.fromEntries(
      [50076, 50079, 50074, 50078, 53000, 53003, 530032].map((code) => [
        code,
        /Conditional Access asks for more.*client: sign in interactively, and pass `claims`/,
      ]),
    ),
  ],
  [
    'refresh token revoked or over',
    Object.fromEntries(
      [50173, 70043, 70008, 700082, 700084].map((code) => [code, /refresh token has ended or was revoked.*client: sign in anew/]),
    ),
  ],
  [
    'certificate of the client',
    Object.fromEntries(
      [700027, 7000274, 700024, 7000214, 7000277, 1000502].map((code) => [
        code,
        /certificate or assertion of the client is refused.*registration: upload the certificate/,
      ]),
    ),
  ],
  [
    'federated credential of the client',
    Object.fromEntries(
      [70021, 700211, 700212, 700213, 7002137, 7002138].map((code) => [
        code,
        /no federated credential of the client trusts the token.*registration: compare `iss`, `sub` and `aud`/,
      ]),
    ),
  ],
  [
    'confidential client without credential, public client with one',
    {
      7000218: /has to prove itself.*issuer `entra` without `clientSecret` and `clientAuth`.*"Allow public client flows"/,
      700025: /registered as public, and sent a secret.*under "Web"/,
    },
  ],
  [
    'bad or missing scope, `resource` on v2',
    {
      70011: /the `scope` is not one that Entra ID knows/,
      28002: /the `scope` is not one/,
      28003: /the `scope` is not one/,
      900144: /has no `scope`/,
      901002: /has `resource`, which belongs to v1/,
    },
  ],
  ['scope does not exist on the resource', { 650053: new RegExp(`taken for one of Microsoft Graph.*\`api://${API}/<scope>\``) }],
  [
    'code redeemed twice, PKCE, bad grant',
    { 54005: /redeemed before/, 501481: /PKCE verifier is not that of the request/, 70000: /the grant is not good/ },
  ],
  ['token for itself', { 90009: new RegExp(`for itself by its URI.*\`scope=${API}/.default\`.*client id, a GUID`) }],
  ['client loop', { 50196: /again and again.*client: keep tokens until shortly before they end/ }],
  [
    'assertion of the wrong kind or over',
    Object.fromEntries(
      [500133, 50013, 240002, 700229].map((code) => [code, /assertion .* of the wrong kind.*no ID token, no token for Graph/]),
    ),
  ],
]

for (const [name, says] of table)
  test(`AADSTS ${Object.keys(says).join(', ')}: ${name}`, async () => {
    for (const [code, expected] of Object.entries(says)) {
      const text = `AADSTS${code}: whatever it says.\r\nTrace ID: 0a1b2c3d-0000-4000-8000-000000000000\r\nCorrelation ID: x\r\nTimestamp: 2026-01-01 00:00:00Z`
      assert.match(await told(text), expected, code)
      assert.match(await told(text), new RegExp(`^error AADSTS${code} \\| AADSTS${code}: `))
    }
  })

test('every number that is explained is in a row here', () => {
  const tested = table.flatMap(([, says]) => Object.keys(says).map(Number))
  assert.deepEqual(
    rows.flatMap(({ codes }) => codes).toSorted((a, b) => a - b),
    tested.toSorted((a, b) => a - b),
  )
  assert.equal(new Set(tested).size, tested.length)
})

const json = (code: number): JsonObject => ({
  error: 'invalid_grant',
  error_description: `AADSTS${code}: x\r\nTrace ID: y`,
  error_codes: [code],
  trace_id: 'y',
  error_uri: `https://login.microsoftonline.com/error?code=${code}`,
})

test('an error is found in whatever it came in', async () => {
  const forms = [
    JSON.stringify(json(50076)),
    JSON.stringify({ ...json(50076), error_description: 'left out' }),
    'https://orders.example.com/.ostiary/callback/entra?error=access_denied&error_description=AADSTS50076%3a+x&state=y',
    'error=interaction_required&error_description=AADSTS50076%3A%20x',
    'AADSTS50076',
    '\uFEFF  Sorry, but we’re having trouble signing you in.\n\nAADSTS50076: x',
    'https://login.microsoftonline.com/error?code=50076',
  ]
  for (const form of forms) assert.match(await told(form), /^error AADSTS50076[^|]*\| AADSTS50076: Conditional Access asks for more/, form)
})

test('a number that is not known leads to Microsoft’s own words', async () => {
  assert.match(
    await told('AADSTS9999999: x'),
    /not among those that are explained here .* elsewhere: see https:\/\/login\.microsoftonline\.com\/error\?code=9999999$/,
  )
})

test('errors of OAuth, by name, and of providers, by what they say', async () => {
  assert.match(
    await told('{"error":"invalid_client"}'),
    /^error invalid_client \| invalid_client: the provider does not believe the client.*wiring: compare `signIn\.clientId`/,
  )
  assert.match(await told('invalid_scope'), /^error invalid_scope \| .*registration: compare `signIn\.scopes`/)
  assert.match(await told('?error=unauthorized_client&state=x'), /the client may not use this grant/)
  for (const text of [
    'Error 400: redirect_uri_mismatch',
    "The 'redirect_uri' parameter must be a Login redirect URI in the client app settings",
    'Callback URL mismatch. The provided redirect_uri is not in the list of allowed callback URLs.',
    'Invalid parameter: redirect_uri',
  ])
    assert.match(
      await told(text),
      /the redirect URI of the sign-in is not registered.*registered, byte for byte: `https:\/\/orders\.example\.com\/\.ostiary\/callback\/entra`/,
      text,
    )
  assert.match(await told('the dog ate it'), /this error is not known here/)
})

test('the issuer that is named is the one that is spoken of', async () => {
  const other = { ...ENTRA, tenants: ['fa15d692-e9c7-4460-a743-29f29522229d'], signIn: { clientId: 'other-client' } }
  const asked = { issuers: { entra: ENTRA, other } }
  assert.match(await told('AADSTS700016', { ...asked, issuer: 'other' }), /client `other-client`, tenant `fa15d692/)
  assert.match(await told('AADSTS700016', asked), /client `<client id>`/, 'of two, neither is guessed')
})

test('nothing of the text is repeated but what is looked for in it', async () => {
  const report = JSON.stringify(
    await explained("AADSTS50011: \u001b[31m the redirect URI 'https://x.example/`\u0007' secret-in-text eyJhbGciOi"),
  )
  assert.doesNotMatch(report, /secret-in-text|eyJ|\\u001b|\\u0007/)
})
