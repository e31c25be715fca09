/** Group overage, resolved: a gateway's identity in front of stand-ins for the tenant's keys, its token endpoint and Graph. */
import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, test } from 'node:test'
import * as fc from 'fast-check'
import { Secret } from '../../../core/secret.ts'
import { STANDIN_CLIENT, standInTokenEndpoint, type StandInTokenEndpoint } from '../../../secrets/clientauth/testdata/standin-azure.ts'
import {
  API,
  CLIENT,
  entraClaims,
  keyFixture,
  SERVICE_PRINCIPAL,
  signToken,
  TENANT,
  testKey,
  USER,
  type JsonObject,
  type KeyFixture,
} from '../../../testing/tokens.ts'
import type { Identities } from '../../index.ts'
import { ask, identified, issuerConfig, testDeps, testIdentity, type TestDeps } from '../../testing.ts'
import { Directory } from './directory.ts'
import { groupsNamed, standInGraph, type StandInGraph, type StandInGroup } from './testdata/standin-graph.ts'

const key = testKey('rsa-1')
const MINUTE = 60_000
const READERS = 'aaaaaaaa-0000-4000-8000-000000000001'
const NEWS = 'aaaaaaaa-0000-4000-8000-000000000002'

let fixture: KeyFixture
let endpoint: StandInTokenEndpoint
let graph: StandInGraph
let deps: TestDeps
let identities: Identities
let authority: string

before(async () => {
  fixture = await keyFixture([key])
  authority = fixture.origin
  endpoint = await standInTokenEndpoint(() => deps.clock.now())
  graph = await standInGraph()
})

after(async () => {
  await fixture.close()
  await endpoint.close()
  await graph.close()
})

beforeEach(() => {
  deps = testDeps({
    // The token endpoint is below the authority, as at Entra.
    fetch: (input, init) => fetch((input as string).replace(`${authority}/${TENANT}/oauth2`, `${endpoint.origin}/${TENANT}/oauth2`), init),
  })
  process.env['GRAPH_TEST_SECRET'] = 's3cret'
  endpoint.secret = 's3cret'
  endpoint.calls.length = 0
  endpoint.misbehaviour.length = 0
  graph.requests.length = 0
  graph.misbehaviour.length = 0
  graph.tokens = undefined
  graph.pageSize = 999
  graph.nextLink = undefined
  graph.members.clear()
  graph.members.set(`users/${USER}`, [...groupsNamed('b', 3), { id: READERS, displayName: 'Orders readers' }])
  identities = open()
})

function config(more: JsonObject = {}) {
  return {
    kind: 'entra',
    authority,
    tenants: [TENANT],
    audiences: [API],
    claims: { teams: { type: 'list', path: ['groups'] } },
    graph: { clientId: STANDIN_CLIENT, clientSecret: { env: 'GRAPH_TEST_SECRET' }, endpoint: graph.origin, ...more },
  }
}

function open(more: JsonObject = {}): Identities {
  return testIdentity({ entra: config(more) }, deps, { cold: { rate: 1e6, burst: 1e6, sources: 10 } })
}

afterEach(async () => {
  await identities.close()
  deps.remove()
  delete process.env['GRAPH_TEST_SECRET']
})

let made = 0
/** Each another token, so that none is known. */
function overage(more: JsonObject = {}): string {
  return signToken(key, entraClaims.overage(authority, deps.clock.now(), { uti: `t${++made}`, ...more }))
}

/** Groups, or why they are unknown. */
async function groups(token = overage()): Promise<readonly string[] | string> {
  const identity = await settle(identified(identities, token))
  if (!identity.unknownClaims.has('groups')) return identity.claims['groups'] as readonly string[]
  assert.equal('groups' in identity.claims, false)
  return identity.unknownBecause?.['groups'] ?? 'no reason'
}

/** Moves the clock while `work` goes on. */
async function settle<T>(work: Promise<T>, step = 0): Promise<T> {
  const going = { on: true }
  void work.finally(() => (going.on = false)).catch(() => undefined)
  while (going.on) {
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
    if (step > 0) deps.clock.advance(step)
  }
  return work
}

const WHY = 'Microsoft Graph can not be asked for groups: '

describe('more groups than fit into a token', () => {
  test('are those that Graph names, with their names beside them', async () => {
    const identity = await identified(identities, overage())
    const ids = [READERS, ...groupsNamed('b', 3).map(({ id }) => id)].toSorted()
    assert.deepEqual(identity.claims['groups'], ids)
    assert.deepEqual(identity.claims['teams'], ids, 'a claim of another name that is read from them')
    assert.equal(identity.unknownClaims.size, 0)
    assert.equal(identity.valueNames?.get(READERS), 'Orders readers')
    assert.equal(graph.requests.length, 1)
    const [{ url, authorization, headers }] = graph.requests as [StandInGraph['requests'][number]]
    assert.equal(url, `/v1.0/users/${USER}/transitiveMemberOf?$select=id,displayName,securityEnabled&$top=999`)
    assert.equal(authorization, 'Bearer token-1')
    assert.equal('consistencylevel' in headers, false)
    assert.equal(endpoint.calls[0]!.form.get('scope'), `${graph.origin}/.default`)
  })

  test('of the implicit flow, too', async () => {
    const token = signToken(key, entraClaims.v2User(authority, deps.clock.now(), { hasgroups: true }))
    assert.ok((await groups(token)).includes(READERS))
  })

  test('of an application are asked for as such', async () => {
    graph.members.set(`servicePrincipals/${SERVICE_PRINCIPAL}`, [{ id: READERS, displayName: 'Orders readers' }])
    const more = { _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint: 'https://graph.windows.net/' } } }
    assert.deepEqual(await groups(signToken(key, entraClaims.v2App(authority, deps.clock.now(), more))), [READERS])
  })

  test('are never asked for where the token says', async () => {
    const source = { _claim_sources: { src1: { endpoint: `${graph.origin}/v1.0/users/${SERVICE_PRINCIPAL}/getMemberObjects` } } }
    assert.ok((await groups(overage(source))).includes(READERS))
    assert.deepEqual(
      graph.requests.map(({ url }) => url.split('?')[0]),
      [`/v1.0/users/${USER}/transitiveMemberOf`],
    )
  })

  test('come page by page', async () => {
    graph.members.set(`users/${USER}`, groupsNamed('c', 25))
    graph.pageSize = 10
    assert.equal((await groups()).length, 25)
    assert.equal(graph.requests.length, 3)
  })

  test('that are no security groups count only where that is configured', async () => {
    const all: readonly StandInGroup[] = [
      { id: READERS, displayName: 'Orders readers' },
      { id: NEWS, displayName: 'newsletter', securityEnabled: false },
      { id: 'aaaaaaaa-0000-4000-8000-000000000003', displayName: 'Global Reader', type: 'directoryRole' },
    ]
    graph.members.set(`users/${USER}`, all)
    assert.deepEqual(await groups(), [READERS])
    await identities.close()
    identities = open({ groups: 'all' })
    assert.deepEqual(await groups(), [READERS, NEWS])
  })

  test('none at all are none, and not unknown', async () => {
    graph.members.set(`users/${USER}`, [])
    assert.deepEqual(await groups(), [])
  })

  test('are asked for once, however many tokens of one account come at once', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => groups()))
    assert.equal(new Set(all.map(String)).size, 1)
    assert.equal(graph.requests.length, 1)
    assert.equal(endpoint.calls.length, 1)
  })

  test('cost tokens that name their groups nothing: they are answered at once', async () => {
    await groups()
    graph.misbehaviour.push('hang')
    const hanging = identified(identities, overage({ oid: SERVICE_PRINCIPAL }))
    const named = signToken(key, entraClaims.v2User(authority, deps.clock.now(), { groups: [NEWS] }))
    const answer = ask(identities, named)
    assert.ok(!(answer instanceof Promise))
    assert.ok(answer.outcome === 'verified')
    assert.deepEqual(answer.verified.identity.claims['groups'], [NEWS])
    await settle(hanging, 1_000)
  })

  test('of an agent that acts for the account stay unknown', async () => {
    const agent = entraClaims.agentForUser(authority, deps.clock.now(), { _claim_names: { groups: 'src1' }, _claim_sources: {} })
    const identity = await identified(identities, signToken(key, agent))
    assert.ok((identity.claims['groups'] as readonly string[]).includes(READERS))
    assert.ok(identity.actor!.unknownClaims.has('groups'))
  })

  test('of a token whose `_claim_names` is no map are unknown, and nobody is asked', async () => {
    const identity = await identified(identities, overage({ _claim_names: ['groups'] }))
    assert.ok(identity.unknownClaims.has('groups'))
    assert.equal(graph.requests.length, 0)
  })
})

describe('an answer lasts five minutes', () => {
  test('and so does what was proven by it', async () => {
    const answer = await ask(identities, overage())
    assert.ok(answer.outcome === 'verified')
    assert.equal(answer.verified.expiresAt, deps.clock.now() + 5 * MINUTE)
    deps.clock.advance(2 * MINUTE)
    const later = await ask(identities, overage())
    assert.ok(later.outcome === 'verified')
    assert.equal(later.verified.expiresAt, deps.clock.now() + 3 * MINUTE, 'from when it was asked')
    assert.equal(graph.requests.length, 1)
  })

  test('then who was removed has lost the group, with the same token', async () => {
    const token = overage()
    assert.ok((await groups(token)).includes(READERS))
    graph.members.set(`users/${USER}`, groupsNamed('b', 3))
    deps.clock.advance(5 * MINUTE - 1)
    assert.ok((await groups(token)).includes(READERS))
    deps.clock.advance(1)
    assert.equal((await groups(token)).includes(READERS), false)
  })

  test('what is open is asked for again ahead of the end, and ends where the answer is another', async () => {
    const answer = await ask(identities, overage())
    assert.ok(answer.outcome === 'verified')
    const { verified } = answer
    deps.clock.advance(5 * MINUTE - 9_000)
    verified.inUse!()
    for (let i = 0; i < 50 && graph.requests.length < 2; i++) await settle(Promise.resolve())
    await settle(new Promise((resolve) => setImmediate(resolve)))
    assert.equal(verified.expiresAt, deps.clock.now() + 5 * MINUTE, 'the same answer: it goes on')
    graph.members.set(`users/${USER}`, groupsNamed('b', 3))
    deps.clock.advance(5 * MINUTE - 9_000)
    verified.inUse!()
    for (let i = 0; i < 200 && !verified.revoked; i++) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(verified.revoked, true)
  })

  test('and no longer when Graph is down: then they are unknown', async () => {
    const token = overage()
    await groups(token)
    deps.clock.advance(5 * MINUTE - 10_000)
    graph.misbehaviour.push('drop')
    assert.ok((await groups()).includes(READERS), 'asked for ahead of its end: the last good answer stands')
    assert.equal(graph.requests.length, 2)
    graph.misbehaviour.push('drop')
    deps.clock.advance(10_000)
    assert.equal(await groups(token), `${WHY}no connection`)
  })

  test('at most so many accounts and groups are kept', async () => {
    const limits = { accounts: 3, groups: 8 }
    const source = { token: () => Promise.resolve(new Secret('t')), forget: () => undefined }
    const parts = {
      ...deps,
      fetch,
      issuer: 'entra',
      endpoint: graph.origin,
      tokensOf: () => source,
      kinds: 'all',
      cacheFor: MINUTE,
      limits,
    } as const
    const directory = new Directory(parts)
    const member = (n: number): string => `${String(n).repeat(8)}-0000-4000-8000-000000000000`
    for (let n = 1; n <= 4; n++) graph.members.set(`users/${member(n)}`, groupsNamed('d', n === 4 ? 7 : 1))
    for (let n = 1; n <= 3; n++) await directory.membership(TENANT, 'users', member(n))
    assert.equal(graph.requests.length, 3)
    assert.ok(!(directory.membership(TENANT, 'users', member(1)) instanceof Promise))
    await directory.membership(TENANT, 'users', member(4)) // seven more: two of the older have to go
    assert.ok(!(directory.membership(TENANT, 'users', member(3)) instanceof Promise))
    const again = directory.membership(TENANT, 'users', member(1))
    assert.ok(again instanceof Promise)
    await again
  })
})

describe('when Graph does not say, groups are unknown, and the reason is told', () => {
  const failing: readonly (readonly [name: string, arrange: () => void, why: RegExp, requests?: number])[] = [
    ['is down', () => graph.misbehaviour.push('drop'), /no connection$/],
    ['never answers', () => graph.misbehaviour.push('hang'), /no answer within 5000 ms$/],
    ['fails', () => graph.misbehaviour.push({ status: 500 }), /it answered 500$/],
    ['redirects', () => graph.misbehaviour.push({ status: 302, headers: { location: 'http://127.0.0.1:1/' } }), /it answered 302$/],
    ['says no', () => graph.misbehaviour.push({ status: 403 }), /may not read groups \(403\).*GroupMember\.Read\.All$/],
    ['does not know the account', () => graph.members.clear(), /does not know the account \(404\)$/],
    ['refuses its token twice', () => (graph.tokens = new Set()), /refuses the token of the gateway \(401\)$/, 2],
    ['answers with a page of HTML', () => graph.misbehaviour.push({ status: 200, body: '<html>' }), /not understood$/],
    ['answers with no list', () => graph.misbehaviour.push({ status: 200, body: '{"value":{}}' }), /not understood$/],
    ['answers with names twice', () => graph.misbehaviour.push({ status: 200, body: '{"value":[],"value":[]}' }), /not understood$/],
    ['answers with ids that are none', () => graph.misbehaviour.push(page({ id: 'admins' })), /not understood$/],
    ['answers without types', () => graph.misbehaviour.push(page({ '@odata.type': 7 })), /not understood$/],
    ['answers without end', () => graph.misbehaviour.push({ status: 200, body: ' '.repeat(1_100_000) }), /larger than 1048576 bytes$/],
    [
      'may not tell security groups',
      () => graph.members.set(`users/${USER}`, [{ id: READERS, displayName: null, securityEnabled: null }]),
      /does not tell which groups are security groups$/,
    ],
    [
      'has too many pages',
      () => ((graph.pageSize = 1), graph.members.set(`users/${USER}`, groupsNamed('e', 12))),
      /more than 10 pages/,
      10,
    ],
    ...(
      [
        ['another server', () => 'https://attacker.example/v1.0/users'],
        ['another port', () => 'http://127.0.0.1:1/v1.0/users'],
        ['another version', (url: string) => url.replace('/v1.0/', '/beta/')],
        ['a name and a password', (url: string) => url.replace('http://', 'http://a:b@')],
      ] as const
    ).map(
      ([name, link]) =>
        [
          `names a next page on ${name}`,
          () => ((graph.pageSize = 1), (graph.nextLink = link)),
          /next page is on another server$/,
          1,
        ] as const,
    ),
    ['names a next page that is none', () => ((graph.pageSize = 1), (graph.nextLink = () => 7)), /not understood$/],
    ['breaks off after the first page', () => ((graph.pageSize = 2), graph.misbehaviour.push(first(), 'drop')), /no connection$/, 2],
    ['has a token endpoint that refuses the gateway', () => (endpoint.secret = 'another'), /invalid_client, AADSTS7000215\)$/, 0],
    ['has a token endpoint that is down', () => endpoint.misbehaviour.push('drop'), /no connection\)$/, 0],
  ]
  for (const [name, arrange, why, requests = 1] of failing)
    test(`Graph ${name}`, async () => {
      arrange()
      const said = await settle(groups(), name === 'never answers' ? 1_000 : 0)
      assert.equal(typeof said, 'string', 'it must not be known')
      assert.match(said as string, why)
      assert.ok((said as string).startsWith(WHY))
      assert.doesNotMatch(said as string, /nobody should see/)
      assert.equal(graph.requests.length, requests)
      assert.equal(deps.lines.filter((line) => line.includes('Microsoft Graph can not be asked')).length, 1)
      assert.match(identities.status()['entra']!.detail, /Microsoft Graph can not be asked: /)
    })

  function page(more: JsonObject): { status: number; body: string } {
    return {
      status: 200,
      body: JSON.stringify({ value: [{ '@odata.type': '#microsoft.graph.group', id: READERS, securityEnabled: true, ...more }] }),
    }
  }

  function first(): { status: number; body: string } {
    const link = `${graph.origin}/v1.0/users/${USER}/transitiveMemberOf?$skiptoken=1`
    const body = JSON.parse(page({}).body) as JsonObject
    return { status: 200, body: JSON.stringify({ ...body, '@odata.nextLink': link }) }
  }

  test('it is asked again half a minute later, not at once', async () => {
    graph.misbehaviour.push({ status: 500 })
    const token = overage()
    assert.equal(typeof (await groups(token)), 'string')
    assert.equal(typeof (await groups()), 'string')
    assert.equal(graph.requests.length, 1)
    deps.clock.advance(30_000)
    assert.ok((await groups(token)).includes(READERS))
    assert.match(deps.lines.at(-1)!, /answers again$/)
  })

  test('a token that ended is got anew', async () => {
    graph.tokens = new Set(['none'])
    const answer = groups()
    while (graph.requests.length === 0) await new Promise((resolve) => setImmediate(resolve))
    graph.tokens = undefined
    assert.ok((await answer).includes(READERS))
    assert.equal(endpoint.calls.length, 2)
  })

  test('no answer makes it fail otherwise', async () => {
    const json = fc.json({ maxDepth: 4 })
    const shaped = fc
      .array(
        fc.record({
          '@odata.type': fc.constantFrom('#microsoft.graph.group', 'x', 7),
          id: fc.oneof(fc.uuid(), fc.jsonValue()),
          securityEnabled: fc.jsonValue(),
        }),
      )
      .map((value) => JSON.stringify({ value }))
    await fc.assert(
      fc.asyncProperty(fc.oneof(json, shaped, fc.string()), async (body) => {
        graph.misbehaviour.push({ status: 200, body })
        const said = await groups(overage({ oid: crypto.randomUUID() }))
        assert.ok(typeof said === 'string' ? said.startsWith(WHY) : said.every((id) => /^[0-9a-f-]{36}$/.test(id)))
        graph.misbehaviour.length = 0
      }),
      { numRuns: 100 },
    )
  })
})

describe('when Graph throttles', () => {
  for (const status of [429, 503])
    test(`with ${status} and a short Retry-After, it is waited for`, async () => {
      graph.misbehaviour.push({ status, headers: { 'retry-after': '2' } })
      const from = deps.clock.now()
      assert.ok((await settle(groups(), 250)).includes(READERS))
      assert.ok(deps.clock.now() - from >= 2_000)
      assert.equal(graph.requests.length, 2)
    })

  test('with a long one, it is left alone for so long, and everybody is told at once', async () => {
    graph.misbehaviour.push({ status: 429, headers: { 'retry-after': '120' } })
    assert.equal(await groups(), `${WHY}it answered 429`)
    graph.members.set(`users/${SERVICE_PRINCIPAL}`, [])
    assert.equal(await groups(overage({ oid: SERVICE_PRINCIPAL })), `${WHY}it asked to be left alone for a while`)
    deps.clock.advance(60_000)
    assert.equal(await groups(), `${WHY}it asked to be left alone for a while`)
    assert.equal(graph.requests.length, 1)
    deps.clock.advance(60_000)
    assert.ok((await groups()).includes(READERS))
  })

  test('until a date, or for a day: five minutes at most', async () => {
    for (const after of [new Date(deps.clock.now() + 86_400_000).toUTCString(), '86400']) {
      graph.misbehaviour.push({ status: 503, headers: { 'retry-after': after } })
      assert.equal(typeof (await groups()), 'string')
      deps.clock.advance(5 * MINUTE)
      assert.ok((await groups()).includes(READERS))
      deps.clock.advance(5 * MINUTE)
    }
  })

  test('time and again, it is given up after three tries', async () => {
    for (let i = 0; i < 3; i++) graph.misbehaviour.push({ status: 429, headers: { 'retry-after': '1' } })
    assert.equal(await settle(groups(), 250), `${WHY}it answered 429`)
    assert.equal(graph.requests.length, 3)
  })
})

test('who asks has to be configured, and where', () => {
  const parse = (more: JsonObject) => issuerConfig({ ...config(), ...more } as never)
  const graphOf = (more: JsonObject) => parse({ graph: more as never })
  assert.throws(() => graphOf({ endpoint: graph.origin }), /public client can not ask/)
  assert.throws(() => graphOf({ endpoint: graph.origin, clientId: CLIENT }), /public client can not ask/)
  assert.throws(() => graphOf({ clientId: CLIENT, clientAuth: { managedIdentity: {} } }), /where Microsoft Graph is/)
  assert.throws(() => parse({ signIn: { clientId: CLIENT }, graph: { endpoint: graph.origin } }), /public client can not ask/)
  const signIn = { clientId: CLIENT, clientAuth: { managedIdentity: {} } }
  assert.ok(parse({ signIn, graph: { endpoint: graph.origin } }))
  assert.throws(() => parse({ signIn, graph: { endpoint: graph.origin, clientId: STANDIN_CLIENT } }), /public client can not ask/)
  for (const [host, ok] of [
    ['login.microsoftonline.com', true],
    ['login.microsoftonline.us', true],
    ['login.partner.microsoftonline.cn', true],
    ['contoso.ciamlogin.com', true],
    ['login.example.com', false],
  ] as const) {
    const there = () => parse({ authority: `https://${host}`, signIn, graph: {} })
    if (ok) assert.ok(there())
    else assert.throws(there, /where Microsoft Graph is/)
  }
})
