/** Authorities other than one tenant of the global cloud: national clouds, all organizations, External ID, Azure AD B2C. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import {
  API,
  CLIENT,
  entraClaims,
  OTHER_TENANT,
  signToken,
  TENANT,
  testKey,
  times,
  USER,
  type JsonObject,
  type TestKey,
} from '../../testing/tokens.ts'
import type { Identities } from '../index.ts'
import { identified, issuerConfig, said, testDeps, testIdentity, type TestDeps } from '../testing.ts'

const ORGANIZATION = '11111111-2222-4333-8444-555555555555'
const CONSUMERS = '9188040d-6c67-4c5b-b112-36a304b66dad'
const GLOBAL = 'https://login.microsoftonline.com'
const own = testKey('own')
const shared = testKey('shared')
const consumers = testKey('consumers')
const unnamed = testKey('unnamed')

interface Published {
  readonly issuer: string
  readonly keys: readonly JsonObject[]
}

interface World {
  readonly identities: Identities
  readonly deps: TestDeps
  readonly now: number
  /** URLs that were asked for. */
  readonly asked: Set<string>
  close(): Promise<void>
}

/** A provider without sockets: documents by the URL of the discovery document, whatever its host is. */
async function open(published: Readonly<Record<string, Published>>, config: JsonObject): Promise<World> {
  const asked = new Set<string>()
  const json = (value: JsonObject): Response => new Response(JSON.stringify(value))
  const provider = (input: unknown): Promise<Response> => {
    const url = String(input)
    asked.add(url)
    const base = url.replace(/\/(\.well-known\/openid-configuration|keys)$/, '')
    const found = published[base]
    if (found === undefined) return Promise.resolve(new Response('{}', { status: 404 }))
    return Promise.resolve(json(url.endsWith('/keys') ? { keys: found.keys } : { issuer: found.issuer, jwks_uri: `${base}/keys` }))
  }
  const deps = testDeps({ fetch: provider as typeof fetch })
  const identities = testIdentity({ entra: { kind: 'entra', tenants: [TENANT], audiences: [API], ...config } }, deps)
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
  return {
    identities,
    deps,
    now: deps.clock.now(),
    asked,
    async close() {
      await identities.close()
      deps.remove()
    },
  }
}

describe('all organizations', () => {
  let world: World
  const template = `${GLOBAL}/{tenantid}/v2.0`
  before(async () => {
    const published: Record<string, Published> = {
      [`${GLOBAL}/${TENANT}/v2.0`]: { issuer: `${GLOBAL}/${TENANT}/v2.0`, keys: [own.jwk] },
      [`${GLOBAL}/${TENANT}`]: { issuer: `https://sts.windows.net/${TENANT}/`, keys: [own.jwk] },
      [`${GLOBAL}/organizations/v2.0`]: {
        issuer: template,
        keys: [
          { ...shared.jwk, issuer: template },
          { ...consumers.jwk, issuer: `${GLOBAL}/${CONSUMERS}/v2.0` },
          { ...own.jwk, issuer: `${GLOBAL}/${TENANT}/v2.0` },
          unnamed.jwk,
        ],
      },
      [`${GLOBAL}/organizations`]: { issuer: 'https://sts.windows.net/{tenantid}/', keys: [shared.jwk] },
    }
    const graph = { clientId: CLIENT, clientAuth: { managedIdentity: {} } }
    world = await open(published, {
      organizations: true,
      clients: [CLIENT],
      claims: { department: 'string' },
      signIn: { clientId: CLIENT },
      graph,
    })
  })
  after(() => world.close())

  const v2 = (key: TestKey, tenant: string, more: JsonObject = {}): string =>
    signToken(
      key,
      entraClaims.v2User(GLOBAL, world.now, { iss: `${GLOBAL}/${tenant}/v2.0`, tid: tenant, groups: ['g'], department: 'sales', ...more }),
    )

  test('a user of any is who they are, and nothing that their administrators chose', async () => {
    const identity = await identified(world.identities, v2(shared, ORGANIZATION))
    assert.equal(identity.subject, `${ORGANIZATION}/${USER}`)
    assert.equal(identity.evidence.issuerUrl, `${GLOBAL}/${ORGANIZATION}/v2.0`)
    assert.deepEqual({ ...identity.claims }, { oid: USER, tid: ORGANIZATION, azp: CLIENT, azpacr: '0', guest: false })
    for (const name of ['roles', 'groups', 'wids', 'acrs', 'amr', 'email', 'upn', 'name', 'department'])
      assert.ok(identity.unknownClaims.has(name), name)
  })

  test('one that is configured is so in full', async () => {
    const identity = await identified(world.identities, v2(own, TENANT))
    assert.deepEqual(identity.claims['roles'], ['Orders.Read'])
    assert.equal(identity.unknownClaims.size, 0)
  })

  test('v1 tokens are judged by the v1 metadata of all', async () => {
    const claims = entraClaims.v1User(`https://sts.windows.net/${ORGANIZATION}/`, world.now, { tid: ORGANIZATION })
    const identity = await identified(world.identities, signToken(shared, claims))
    assert.equal(identity.subject, `${ORGANIZATION}/${USER}`)
    assert.ok(identity.unknownClaims.has('roles'))
  })

  test('a client of another tenant is not a listed one', async () => {
    const claims = entraClaims.v2App(GLOBAL, world.now, { iss: `${GLOBAL}/${ORGANIZATION}/v2.0`, tid: ORGANIZATION })
    const identity = await identified(world.identities, signToken(shared, claims))
    assert.deepEqual([identity.appOnly, identity.listedClient], [true, false])
  })

  test('another tenant is never asked for groups', async () => {
    const identity = await identified(world.identities, v2(shared, ORGANIZATION, { _claim_names: { groups: 's' }, _claim_sources: {} }))
    assert.ok(identity.unknownClaims.has('groups'))
    assert.ok([...world.asked].every((url) => url.startsWith(GLOBAL) && !url.includes('/oauth2/')))
  })

  const refused: readonly (readonly [name: string, token: () => string, reason: string])[] = [
    ['of consumers, by the key of consumers', () => v2(consumers, CONSUMERS), 'tenant'],
    ['of an organization, by the key of consumers', () => v2(consumers, ORGANIZATION), 'key-issuer'],
    ['of an organization, by the key of one tenant', () => v2(own, ORGANIZATION), 'key-issuer'],
    ['of an organization, by a key without issuer', () => v2(unnamed, ORGANIZATION), 'key-issuer'],
    ['of the configured tenant, by the key of all', () => v2(shared, TENANT), 'unknown-key'],
    ['of one tenant in `iss` and another in `tid`', () => v2(shared, ORGANIZATION, { tid: OTHER_TENANT }), 'tenant'],
    ['of the template itself', () => v2(shared, ORGANIZATION, { iss: template }), 'issuer'],
    ['of `organizations`', () => v2(shared, ORGANIZATION, { iss: `${GLOBAL}/organizations/v2.0` }), 'issuer'],
    [
      'of a tenant in capital letters',
      () => v2(shared, ORGANIZATION, { iss: `${GLOBAL}/${'A'.repeat(8)}-2222-4333-8444-555555555555/v2.0` }),
      'tenant',
    ],
    ['with a slash too many', () => v2(shared, ORGANIZATION, { iss: `${GLOBAL}/${ORGANIZATION}/v2.0/` }), 'tenant'],
    ['of another cloud', () => v2(shared, ORGANIZATION, { iss: `https://login.microsoftonline.us/${ORGANIZATION}/v2.0` }), 'issuer'],
    ['that claims to be v1', () => v2(shared, ORGANIZATION, { ver: '1.0' }), 'claim ver'],
    ['of another API', () => v2(shared, ORGANIZATION, { aud: CLIENT }), 'audience'],
  ]
  for (const [name, token, reason] of refused)
    test(`a token ${name} is refused`, async () => {
      assert.equal(await said(world.identities, token()), reason)
    })

  test('people sign in at all organizations', () => {
    assert.equal(world.identities.issuers[0]!.discoveryUrl, `${GLOBAL}/organizations/v2.0/.well-known/openid-configuration`)
    assert.equal(world.identities.status()['entra']!.ready, true)
  })
})

describe('national clouds', () => {
  for (const [authority, v1] of [
    ['https://login.microsoftonline.us', 'https://sts.windows.net'],
    ['https://login.partner.microsoftonline.cn', 'https://sts.chinacloudapi.cn'],
  ] as const)
    test(`${new URL(authority).hostname} has issuers of its own, in both versions`, async () => {
      const published = {
        [`${authority}/${TENANT}/v2.0`]: { issuer: `${authority}/${TENANT}/v2.0`, keys: [own.jwk] },
        [`${authority}/${TENANT}`]: { issuer: `${v1}/${TENANT}/`, keys: [own.jwk] },
      }
      const world = await open(published, { authority })
      try {
        assert.equal(await said(world.identities, signToken(own, entraClaims.v2User(authority, world.now))), 'verified')
        assert.equal(await said(world.identities, signToken(own, entraClaims.v1User(`${v1}/${TENANT}/`, world.now))), 'verified')
        assert.equal(await said(world.identities, signToken(own, entraClaims.v2User(GLOBAL, world.now))), 'issuer')
      } finally {
        await world.close()
      }
    })
})

test('External ID: the issuer has the tenant as its host, and there are no v1 tokens', async () => {
  const authority = 'https://orders.ciamlogin.com'
  const issuer = `https://${TENANT}.ciamlogin.com/${TENANT}/v2.0`
  const world = await open({ [`${authority}/${TENANT}/v2.0`]: { issuer, keys: [own.jwk] } }, { authority })
  try {
    assert.equal(await said(world.identities, signToken(own, entraClaims.v2User(authority, world.now, { iss: issuer }))), 'verified')
    assert.equal(await said(world.identities, signToken(own, entraClaims.v2User(authority, world.now))), 'issuer')
    assert.ok([...world.asked].every((url) => url.includes('/v2.0/')))
  } finally {
    await world.close()
  }
})

describe('Azure AD B2C', () => {
  const authority = 'https://orders.b2clogin.com'
  const iss = `${authority}/${TENANT}/v2.0/`
  const signUp = testKey('b2c-sign-up')
  const reset = testKey('b2c-reset')
  let world: World
  before(async () => {
    const published = {
      [`${authority}/${TENANT}/B2C_1_signin/v2.0`]: { issuer: iss, keys: [signUp.jwk] },
      [`${authority}/${TENANT}/B2C_1A_RESET/v2.0`]: { issuer: iss, keys: [reset.jwk] },
    }
    world = await open(published, { authority, policies: ['B2C_1_signin', 'B2C_1A_RESET'], signIn: { clientId: CLIENT } })
  })
  after(() => world.close())

  const claims = (more: JsonObject = {}): JsonObject => ({
    iss,
    aud: API,
    ...times(world.now),
    sub: USER,
    oid: USER,
    name: 'reader',
    tfp: 'B2C_1_signin',
    scp: 'orders.read',
    azp: CLIENT,
    ver: '1.0',
    ...more,
  })
  const token = (more: JsonObject = {}, key = signUp): string => signToken(key, claims(more))

  test('a token is judged by the keys of its policy, whatever the case of its name', async () => {
    const identity = await identified(world.identities, token())
    assert.equal(identity.subject, `${TENANT}/${USER}`)
    assert.deepEqual([identity.kind, identity.scopes, identity.evidence.issuerUrl], ['human', ['orders.read'], iss])
    assert.equal(await said(world.identities, token({ tfp: 'b2c_1a_reset' }, reset)), 'verified')
    assert.equal(await said(world.identities, token({ tfp: null, acr: 'b2c_1_signin' })), 'claim tfp')
    const { tfp: _, ...older } = claims({ acr: 'b2c_1_signin' })
    assert.equal(await said(world.identities, signToken(signUp, older)), 'verified')
  })

  test('without `oid` the subject is `sub`', async () => {
    const { oid: _, ...bare } = claims()
    assert.equal((await identified(world.identities, signToken(signUp, bare))).subject, `${TENANT}/${USER}`)
    assert.equal(await said(world.identities, signToken(signUp, { ...bare, sub: 'Not supported currently. Use oid claim.' })), 'claim oid')
  })

  const refused: readonly (readonly [name: string, token: () => string, reason: string])[] = [
    ['of a policy that is not configured', () => token({ tfp: 'B2C_1_other' }), 'claim tfp'],
    ['of one policy, signed by the key of another', () => token({}, reset), 'unknown-key'],
    ['without policy', () => signToken(signUp, { ...claims(), tfp: 7 }), 'claim tfp'],
    ['of another tenant', () => token({ tid: OTHER_TENANT }), 'tenant'],
    ['whose `iss` lacks the slash', () => token({ iss: iss.replace(/\/$/, '') }), 'issuer'],
    ['of another tenant’s issuer', () => token({ iss: iss.replace(TENANT, OTHER_TENANT) }), 'tenant'],
    ['of another API', () => token({ aud: CLIENT }), 'audience'],
  ]
  for (const [name, make, reason] of refused)
    test(`one ${name} is refused`, async () => {
      assert.equal(await said(world.identities, make()), reason)
    })

  test('people sign in by the first policy', () => {
    assert.equal(world.identities.issuers[0]!.discoveryUrl, `${authority}/${TENANT}/B2C_1_signin/v2.0/.well-known/openid-configuration`)
  })

  test('an issuer that has the policy in it is one of that policy', async () => {
    const flow = `${authority}/tfp/${TENANT}/b2c_1_signin/v2.0/`
    const other = await open(
      { [`${authority}/${TENANT}/B2C_1_signin/v2.0`]: { issuer: flow, keys: [signUp.jwk] } },
      { authority, policies: ['B2C_1_signin'] },
    )
    try {
      assert.equal(await said(other.identities, token({ iss: flow })), 'verified')
      assert.equal(await said(other.identities, token()), 'issuer')
    } finally {
      await other.close()
    }
  })
})

test('what does not go together is refused when it is read', () => {
  const parse = (more: JsonObject) => issuerConfig({ kind: 'entra', tenants: [TENANT], audiences: [API], ...more } as never)
  assert.throws(() => parse({ policies: ['B2C_1_signin'] }), /b2clogin\.com/)
  assert.throws(() => parse({ authority: 'https://orders.b2clogin.com' }), /b2clogin\.com/)
  assert.throws(() => parse({ authority: 'https://orders.b2clogin.com', policies: ['a/b'] }), /user flow or custom policy/)
  assert.throws(() => parse({ authority: 'https://orders.ciamlogin.com', organizations: true }), /only clouds of Microsoft Entra ID/)
  const graph = { clientId: CLIENT, clientAuth: { managedIdentity: {} }, endpoint: 'https://graph.microsoft.com' }
  assert.throws(() => parse({ authority: 'https://orders.b2clogin.com', policies: ['B2C_1_signin'], graph }), /name no groups/)
})
