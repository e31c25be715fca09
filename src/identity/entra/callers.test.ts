import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import {
  AGENT,
  API,
  CLIENT,
  entraClaims,
  OTHER_TENANT,
  SERVICE_PRINCIPAL,
  signToken,
  TENANT,
  USER,
  type JsonObject,
} from '../../testing/tokens.ts'
import { identified, without } from '../testing.ts'
import { key, LISTED_AGENT, openEntraWorld, type EntraWorld } from './testing.ts'

let world: EntraWorld
let { fixture, identities, now, authority, v1, user } = {} as EntraWorld

before(async () => {
  world = await openEntraWorld()
  ;({ fixture, identities, now, authority, v1, user } = world)
})
after(() => world.close())

test('a user of a v2 token is a human, keyed by tenant and object id', async () => {
  const identity = await identified(identities, signToken(key, user({ oid: USER.toUpperCase(), department: 'sales' })))
  assert.equal(identity.issuer, 'entra')
  assert.equal(identity.subject, `${TENANT}/${USER}`)
  assert.equal(identity.kind, 'human')
  assert.deepEqual(identity.scopes, ['access_as_user'])
  assert.equal(identity.appOnly, false)
  assert.equal(identity.actor, undefined)
  assert.equal(identity.display, 'reader@example.com')
  assert.deepEqual(identity.claims['roles'], ['Orders.Read'])
  assert.equal(identity.claims['department'], 'sales')
  assert.equal(identity.claims['guest'], false)
  assert.equal(identity.claims['azp'], CLIENT)
  assert.deepEqual(identity.evidence, {
    credential: 'bearer',
    issuerUrl: `${authority}/${TENANT}/v2.0`,
    audience: API,
    client: CLIENT,
    tokenId: 'fqiBqXLPj0eQa82S-IYFAA',
    keyId: 'rsa-1',
    algorithm: 'RS256',
    issuedAt: now,
    expiresAt: now + 3_930_000,
    sessionId: undefined,
  })
})

test('a user of a v1 token is the same human', async () => {
  const identity = await identified(identities, signToken(key, entraClaims.v1User(v1, now)))
  assert.equal(identity.subject, `${TENANT}/${USER}`)
  assert.equal(identity.kind, 'human')
  assert.equal(identity.claims['azp'], CLIENT)
  assert.equal(identity.display, 'reader@example.com')
})

test('a client that calls for itself is a workload, with or without idtyp', async () => {
  for (const claims of [entraClaims.v2App(authority, now), without(entraClaims.v2App(authority, now), 'idtyp')]) {
    const identity = await identified(identities, signToken(key, claims))
    assert.equal(identity.kind, 'workload')
    assert.equal(identity.appOnly, true)
    assert.equal(identity.scopes, undefined)
    assert.equal(identity.listedClient, false)
    assert.equal(identity.display, CLIENT)
  }
})

test('a listed client is marked, for itself only', async () => {
  const listed = { azp: SERVICE_PRINCIPAL, roles: [] }
  assert.equal((await identified(identities, signToken(key, entraClaims.v2App(authority, now, listed)))).listedClient, true)
  assert.equal((await identified(identities, signToken(key, user(listed)))).listedClient, false)
})

test('a managed identity is told by its resource id, and its token of a day passes', async () => {
  const identity = await identified(identities, signToken(key, entraClaims.v1ManagedIdentity(v1, now)))
  assert.equal(identity.kind, 'managed-identity')
  assert.equal(identity.evidence.expiresAt, now + 86_730_000)
})

test('an agent for a user is a party of its own', async () => {
  const identity = await identified(identities, signToken(key, entraClaims.agentForUser(authority, now)))
  assert.equal(identity.kind, 'human-via-agent')
  assert.equal(identity.subject, `${TENANT}/${USER}`)
  const { actor } = identity
  assert.equal(actor?.kind, 'agent')
  assert.equal(actor?.subject, `${TENANT}/${AGENT}`)
  assert.deepEqual({ ...actor?.claims }, { azp: AGENT, tid: TENANT, oid: AGENT })
  assert.deepEqual([...(actor?.unknownClaims ?? [])], ['groups', 'wids', 'roles'])
  assert.equal(actor?.actor, undefined)
})

test('a listed agent is a party also where only the client shows it', async () => {
  const azp = LISTED_AGENT
  const identity = await identified(identities, signToken(key, user({ azp })))
  assert.equal(identity.kind, 'human-via-agent')
  assert.equal(identity.actor?.subject, `${TENANT}/${azp}`)
  assert.equal(identity.actor?.claims['oid'], undefined)
  assert.ok(identity.actor?.unknownClaims.has('oid'))
  const alone = await identified(identities, signToken(key, entraClaims.v2App(authority, now, { azp })))
  assert.equal(alone.kind, 'agent')
  assert.equal(alone.actor, undefined)
})

test('an autonomous agent is an agent, whatever its empty scope looks like', async () => {
  for (const scp of [undefined, '', '/']) {
    const identity = await identified(
      identities,
      signToken(key, entraClaims.autonomousAgent(authority, now, scp === undefined ? {} : { scp })),
    )
    assert.equal(identity.kind, 'agent')
    assert.equal(identity.appOnly, true)
    assert.equal(identity.actor, undefined)
  }
})

test("an agent's user account is an agent, acted for by the agent", async () => {
  const identity = await identified(identities, signToken(key, entraClaims.agentForUser(authority, now, { xms_sub_fct: '2 13' })))
  assert.equal(identity.kind, 'agent')
  assert.equal(identity.actor?.subject, `${TENANT}/${AGENT}`)
})

test('guests are told by acct, or else by the home that idp names', async () => {
  const guest = async (more: JsonObject): Promise<unknown> => {
    const identity = await identified(identities, signToken(key, user(more)))
    return identity.unknownClaims.has('guest') ? 'unknown' : identity.claims['guest']
  }
  assert.equal(await guest({}), false)
  assert.equal(await guest({ acct: 1 }), true)
  assert.equal(await guest({ acct: 0 }), false)
  assert.equal(await guest({ idp: `https://sts.windows.net/${OTHER_TENANT}/` }), true)
  assert.equal(await guest({ idp: `https://sts.windows.net/${TENANT}/` }), false)
  assert.equal(await guest({ idp: 'live.com' }), true)
  assert.equal(await guest({ acct: 0, idp: `https://sts.windows.net/${OTHER_TENANT}/` }), false)
  assert.equal(await guest({ acct: '1' }), 'unknown')
  assert.equal(await guest({ idp: 7 }), 'unknown')
  assert.equal(await guest({ guest: true }), false, 'a claim that the token itself calls so is none')
})

test('groups after an overage are unknown, never none', async () => {
  const groups = async (more: JsonObject): Promise<unknown> => {
    const identity = await identified(identities, signToken(key, user(more)))
    assert.equal(identity.unknownClaims.has('groups') && identity.claims['groups'] !== undefined, false)
    return identity.unknownClaims.has('groups') ? 'unknown' : identity.claims['groups']
  }
  assert.equal(await groups({}), undefined)
  assert.deepEqual(await groups({ groups: ['g1'] }), ['g1'])
  assert.equal(await groups(entraClaims.overage(authority, now)), 'unknown')
  assert.equal(await groups({ hasgroups: true }), 'unknown')
  assert.equal(await groups({ hasgroups: 'true' }), 'unknown')
  assert.equal(await groups({ hasgroups: false }), undefined)
  assert.equal(await groups({ groups: ['g1'], hasgroups: true }), 'unknown')
  assert.equal(await groups({ groups: ['g1'], _claim_names: { groups: 'src1' } }), 'unknown')
  assert.equal(await groups({ _claim_names: ['groups'] }), 'unknown')
  assert.equal(await groups({ groups: 'g1' }), 'unknown')
  assert.deepEqual(await groups({ groups: ['g1', 2] }), ['g1'])
})

test('nobody asks the address that an overage names', async () => {
  const hits = [...fixture.hits.values()].reduce((a, b) => a + b)
  const endpoint = `${authority}/ask-me`
  await identified(identities, signToken(key, entraClaims.overage(authority, now, { _claim_sources: { src1: { endpoint } } })))
  assert.equal(
    [...fixture.hits.values()].reduce((a, b) => a + b),
    hits,
  )
})
