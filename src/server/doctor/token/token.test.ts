import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { OstiaryError } from '../../../core/errors.ts'
import { startStandInIntrospection } from '../../../testing/standin-introspection.ts'
import {
  API,
  base64url,
  CLIENT,
  entraClaims,
  OTHER_TENANT,
  signToken,
  TENANT,
  testKey,
  unsignedToken,
  USER,
  type JsonObject,
} from '../../../testing/tokens.ts'
import { character } from '../../../testing/text.ts'
import { AUTHORITY, ENTRA, explained, key, standinEntra, told, V1, type Asked } from './testing.ts'
import type { TokenReport } from './token.ts'

const now = Date.now()
const seconds = Math.floor(now / 1000)
const v2 = (more: JsonObject = {}): string => signToken(key, entraClaims.v2User(AUTHORITY, now, more))
const good = (report: TokenReport): Extract<TokenReport, { outcome: 'good' }> => {
  assert.equal(report.outcome, 'good', JSON.stringify(report))
  return report as Extract<TokenReport, { outcome: 'good' }>
}

test('a good token: who it is, what policy may speak of, which roles and why', async () => {
  const { token, standing } = good(await explained(`Bearer ${v2()}\n`))
  assert.deepEqual(standing, {
    issuer: 'entra',
    subject: `${TENANT}/${USER}`,
    kind: 'human',
    client: CLIENT,
    scopes: ['access_as_user'],
    actors: [],
    claims: {
      there: ['oid', 'tid', 'azp', 'azpacr', 'roles', 'guest', 'preferred_username', 'name'],
      absent: ['idtyp', 'groups', 'wids', 'acrs', 'amr', 'xms_cc', 'acct', 'idp', 'xms_mirid', 'unique_name', 'upn', 'email'],
    },
    unknown: [],
    roles: [
      { role: 'authenticated', because: 'built in' },
      { role: 'everyone', because: 'built in' },
      { role: 'reader', because: 'claim `roles` with `Orders.Read`' },
    ],
    unknownRoles: [],
    doubts: [],
  })
  assert.deepEqual(Object.keys(token!.claims), ['iss', 'aud', 'tid', 'ver', 'azp', 'scp', 'roles'])
  assert.deepEqual(token!.header, { typ: 'JWT', alg: 'RS256', kid: 'tenant-key' })
  assert.deepEqual(token!.times['exp'], new Date((seconds + 3_900) * 1000).toISOString().replace('.000Z', 'Z'))
  assert.deepEqual(token!.others, ['aio', 'azpacr', 'name', 'oid', 'preferred_username', 'rh', 'sub', 'uti'])
})

test('neither token, signature nor values that are nobody’s business are in the report', async () => {
  const more = { name: 'NAME-OF-SOMEBODY', email: 'somebody@example.com', groups: ['GROUP-ID'], aio: 'OPAQUE' }
  const cases = [v2(more), v2({ ...more, aud: 'api://other' }), v2({ ...more, exp: 1, iat: 1, nbf: 1 }), v2({ ...more, tid: 'x' })]
  for (const token of cases) {
    const text = JSON.stringify(await explained(token))
    const [head = '', body = '', signature = ''] = token.split('.')
    for (const secret of [head, body, signature, 'NAME-OF-SOMEBODY', 'somebody@example.com', 'GROUP-ID', 'OPAQUE'])
      assert.ok(!text.includes(secret), secret.slice(0, 20))
  }
})

test('what would be unknown is said, and what to do about it', async () => {
  const { standing } = good(await explained(signToken(key, entraClaims.overage(AUTHORITY, now))))
  assert.deepEqual(
    standing.unknown.map(({ claim }) => claim),
    ['groups'],
  )
  assert.deepEqual(standing.unknownRoles, [{ role: 'exporter', because: 'claim `groups`' }])
  assert.match(standing.doubts[0]!.help, /write `graph:` on the issuer/)
})

test('an app without a role, a token without a scope of the resource, a life that is too long', async () => {
  const doubtsOf = async (token: string, asked: Asked = {}): Promise<string> =>
    good(await explained(token, asked))
      .standing.doubts.map(({ found }) => found)
      .join('; ')
  const app = signToken(key, entraClaims.v2App(AUTHORITY, now, { roles: [] }))
  assert.match(await doubtsOf(app), /^it is app-only, has no role here, and its client is not listed/)
  assert.doesNotMatch(await doubtsOf(app, { issuers: { entra: { ...ENTRA, clients: [CLIENT] } } }), /app-only/)
  assert.match(await doubtsOf(v2({ roles: ['Other'] })), /no role but the built-in ones/)
  assert.match(
    await doubtsOf(v2(), { resource: { scopes: { 'orders.read': ['GET /**'] } } }),
    /none of its scopes is among those of the resource `orders`/,
  )
  assert.match(await doubtsOf(v2(), { resource: { maxTokenLifetime: '30m' } }), /accepts tokens of at most 30 min, and this one has 65/)
})

test('an agent that acts for somebody is named', async () => {
  const { standing } = good(await explained(signToken(key, entraClaims.agentForUser(AUTHORITY, now))))
  assert.equal(standing.kind, 'human-via-agent')
  assert.match(standing.actors[0]!, /^agent /)
})

test('a policy that is wrong does not keep a token from being judged', async () => {
  const { standing } = good(await explained(v2(), { policy: { apiVersion: 'ostiary.dev/v1', rules: [] } }))
  assert.equal(standing.roles, undefined)
  assert.match(standing.doubts[0]!.found, /the policy is refused/)
})

const cut = (token: string): string => token.slice(0, token.lastIndexOf('.'))
const refusals: readonly (readonly [string, string, RegExp, Asked?])[] = [
  [
    'expired',
    v2({ iat: seconds - 7200, nbf: seconds - 7200, exp: seconds - 3600 }),
    /^refused expired \| it has ended \| exp \d{4}-.*Z \| later than now, .* \| client: get a new one/,
  ],
  ['not valid yet', v2({ nbf: seconds + 86_400 }), /^refused not-yet-valid \| .* \| nbf .* \| elsewhere: set the clocks by NTP/],
  ['of the future', v2({ iat: seconds + 86_400 }), /^refused issued-in-future/],
  [
    'too long',
    v2({ exp: seconds + 40 * 3600 }),
    /^refused lifetime \| it lives longer than is accepted \| 2400 min from iat to exp \| at most 1740 min/,
  ],
  [
    'of another tenant',
    signToken(key, entraClaims.v2User(AUTHORITY, now, { tid: OTHER_TENANT, iss: `${AUTHORITY}/${OTHER_TENANT}/v2.0` })),
    new RegExp(
      `^refused tenant \\| it is of another tenant \\| tid \`${OTHER_TENANT}\`.* \\| tid \`${TENANT}\` \\| client: sign in at a tenant that is listed`,
    ),
  ],
  [
    'of nobody here',
    signToken(key, { ...entraClaims.v2User(AUTHORITY, now), iss: 'https://id.example.net' }),
    new RegExp(
      `^refused issuer \\| no issuer of this configuration has this .iss. \\| iss .https://id.example.net. \\| iss .${AUTHORITY}/${TENANT}/v2.0. or .${V1}. \\| wiring: `,
    ),
  ],
  [
    'for another API',
    v2({ aud: 'fa15d692-0000-4000-8000-000000000000' }),
    new RegExp(
      `^refused audience \\| it is for another API .* client: ask the provider for a token for this API: \`scope=api://${API}/.default\``,
    ),
  ],
  [
    'an ID token',
    signToken(key, entraClaims.idToken(AUTHORITY, now)),
    /^refused id-token \| it is an ID token.* client: send the `access_token`/,
  ],
  ['unsigned', unsignedToken(entraClaims.v2User(AUTHORITY, now)), /^refused unsigned \| it is not signed \| alg `none` \| alg `RS256`/],
  [
    'in another algorithm',
    signToken(testKey('tenant-key', 'ES256'), entraClaims.v2User(AUTHORITY, now)),
    /^refused algorithm \| .* \| alg `ES256` \| alg `RS256`/,
  ],
  ['forged', signToken(testKey('tenant-key'), entraClaims.v2User(AUTHORITY, now)), /^refused signature \| its signature is wrong/],
  ['cut off', cut(v2()), /^refused malformed/],
  ['broken into lines', v2().replace('.', '.\n'), /^refused malformed \| .* without line breaks/],
  [
    'encrypted',
    `${base64url('{"alg":"RSA-OAEP","enc":"A256GCM"}')}.a.b.c.d`,
    /^refused encrypted \| it is encrypted.*turn token encryption off/,
  ],
  [
    'without `oid`',
    v2({ oid: undefined! }),
    /^refused claim oid \| the claim `oid` is missing or wrong \| it is not there \| the object id \| client: have the client ask for the scope `profile`/,
  ],
  ['enormous', `ey${'x'.repeat(20_000)}`, /^refused too-large/],
  [
    'bound to a key',
    v2({ cnf: { jkt: 'x'.repeat(43) } }),
    /^refused unproven \| it is bound to a key, .* client: send it as `Authorization: DPoP`/,
  ],
]
for (const [name, token, expected, asked] of refusals)
  test(`a token that is ${name}`, async () => {
    assert.match(await told(token, asked), expected)
  })

test('a token that only lacks its proof is somebody’s all the same', async () => {
  const report = await explained(v2({ cnf: { jkt: 'x'.repeat(43) } }))
  assert.equal(report.outcome === 'refused' && report.standing?.subject, `${TENANT}/${USER}`)
})

test('an issuer that is named judges what is not its own', async () => {
  const issuers = { entra: ENTRA, okta: { kind: 'oidc', issuer: 'https://example.okta.com/oauth2/default', audiences: ['orders'] } }
  assert.match(
    await told(v2(), { issuers, issuer: 'okta' }),
    /^refused issuer \| it is not of the issuer `okta` \| iss .* \| iss `https:\/\/example\.okta\.com\/oauth2\/default` /,
  )
  await assert.rejects(explained(v2(), { issuer: 'okt' }), (error) => error instanceof OstiaryError && error.code === 'identity/no-issuer')
})

test('only the slash at the end of `iss` differs', async () => {
  const issuers = { auth0: { kind: 'oidc', issuer: 'https://id.example.com', audiences: ['orders'] } }
  const policy = { apiVersion: 'ostiary.dev/v1' }
  const token = signToken(key, { iss: 'https://id.example.com/', aud: 'orders' })
  assert.match(
    await told(token, { issuers, policy, resource: { signIn: undefined! } }),
    /only the slash at the end of `iss` differs.* wiring: write `issuer: https:\/\/id\.example\.com\/`/,
  )
})

test('while keys can not be had, nothing is said of the token but that', async () => {
  const fetch = (): Promise<Response> => Promise.resolve(new Response('', { status: 503 }))
  assert.match(
    await told(v2(), { fetch }),
    /^unavailable keys \| whether it is good can not be told now.* \| no keys from .*503.* \| .* `ostiary doctor issuer entra`/,
  )
})

test('another issuer’s trouble is not this one’s', async () => {
  const entraFetch = standinEntra()
  const fetch: typeof globalThis.fetch = (input, init) =>
    (input as string).startsWith('https://id.example.com') ? Promise.resolve(new Response('', { status: 503 })) : entraFetch(input, init)
  const issuers = { down: { kind: 'oidc', issuer: 'https://id.example.com', audiences: ['orders'] }, entra: ENTRA }
  assert.equal(await told(v2(), { issuers, fetch }), 'good')
  assert.match(
    await told(signToken(key, { iss: 'https://id.example.com', aud: 'orders', exp: seconds + 60, iat: seconds }, { typ: 'at+jwt' }), {
      issuers,
      fetch,
    }),
    /^unavailable keys .* \| no keys from https:\/\/id\.example\.com.*503/,
  )
})

test('an opaque token goes to whoever knows its form, and to nobody else', async () => {
  assert.match(
    await told('opaque-token-of-somebody'),
    /^refused malformed \| it is no JWT, and no issuer of this configuration takes a token of this form/,
  )
  const provider = await startStandInIntrospection()
  try {
    const auth = { clientId: 'ostiary', clientSecret: { env: 'PATH' } }
    provider.admitted.add(`Basic ${Buffer.from(`ostiary:${encodeURIComponent(process.env['PATH'] ?? '')}`).toString('base64')}`)
    const issuers = {
      opaque: {
        kind: 'oauth2-introspection',
        issuer: 'https://id.example.com',
        endpoint: provider.endpoint,
        auth,
        audiences: ['orders'],
        tokenPrefixes: ['ghx_'],
      },
    }
    const asked = { issuers, policy: { apiVersion: 'ostiary.dev/v1' }, resource: { signIn: undefined! }, fetch }
    assert.match(await told('other', asked), /takes a token of this form \| .* what begins as `tokenPrefixes` of `opaque` say/)
    assert.deepEqual(provider.asked, [])
    assert.match(await told('ghx_nobody', asked), /^refused inactive \| its provider says that it is not active/)
  } finally {
    await provider.close()
  }
})

test('nothing, and what could be anything', async () => {
  assert.equal(await told(' \n'), 'nothing')
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string({ unit: character, maxLength: 200 }), fc.base64String(), hostileJwt()), async (input) => {
      const report = await explained(input)
      assert.notEqual(report.outcome, 'good')
      assert.doesNotMatch(JSON.stringify(report), /\\u00[01]|[\u007f-\u009f]/)
    }),
    { numRuns: 60 },
  )
})

/** JWTs whose every part is somebody else's idea. */
function hostileJwt(): fc.Arbitrary<string> {
  return fc
    .tuple(
      fc.dictionary(fc.constantFrom('alg', 'typ', 'kid', 'nonce'), fc.jsonValue({ maxDepth: 2 })),
      fc.dictionary(fc.constantFrom('iss', 'aud', 'tid', 'exp', 'iat', 'roles', 'scp', 'ver', '\u001b[2J'), fc.jsonValue({ maxDepth: 3 })),
      fc.base64String(),
    )
    .map(([header, payload, signature]) => `${base64url(JSON.stringify(header))}.${base64url(JSON.stringify(payload))}.${signature}`)
}

test('the stand-in knows only what Microsoft documents', async () => {
  assert.equal((await standinEntra()('https://login.microsoftonline.com/other')).status, 404)
})
