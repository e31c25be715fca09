import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { holdsOf, test as ask, type Formula, type NativeIssuer } from '../../core/token.ts'
import { regexes } from '../../testing/regexes.ts'
import { runs, untilEnough } from '../../testing/runs.ts'
import { AGENT, API, CLIENT, entraClaims, signToken, TENANT, testKey, USER, type JsonObject } from '../../testing/tokens.ts'
import { issuerKinds } from '../index.ts'
import { ask as authenticate, issuerConfig, openIssuerWorld } from '../testing.ts'

const key = testKey('k')
const ABSENT = Symbol('absent')

function mostly(usual: readonly unknown[], unusual: readonly unknown[] = [null, 5, {}, [], '', 'x y']): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 60, arbitrary: fc.constantFrom(...usual) }, { weight: 1, arbitrary: fc.constantFrom(...unusual) })
}

/** Members that are laid over those of a token of a person or of an app. */
const more = (now: number): fc.Arbitrary<Readonly<Record<string, unknown>>> =>
  fc.record({
    ver: mostly(['2.0'], ['1.0', 2, ABSENT]),
    tid: mostly([TENANT, TENANT.toUpperCase()], ['x', ABSENT, 5]),
    oid: mostly([USER, USER.toUpperCase()], ['x', ABSENT, `${USER} `]),
    aud: mostly([API], [[API], `api://${API}`, API.toUpperCase(), 'x']),
    azp: mostly([CLIENT, CLIENT.toUpperCase(), AGENT], ['', ABSENT, 5]),
    appid: mostly([ABSENT], [CLIENT, AGENT]),
    scp: mostly([ABSENT, 'Orders.Read', 'Orders.Write Orders.Read', '/', ' '], [['Orders.Read'], 5]),
    idtyp: mostly([ABSENT, ABSENT, 'app', 'user'], ['device', 'other', 5]),
    name: mostly([ABSENT, 'Somebody']),
    preferred_username: mostly([ABSENT, 'somebody@example.com']),
    unique_name: mostly([ABSENT]),
    upn: mostly([ABSENT], ['somebody@example.com']),
    sid: mostly([ABSENT], ['x']),
    xms_mirid: mostly([ABSENT, '/subscriptions/x'], [5]),
    xms_act_fct: mostly([ABSENT], ['11', '3']),
    xms_sub_fct: mostly([ABSENT], ['13']),
    hasgroups: mostly([ABSENT, false], [true, 'true']),
    _claim_names: mostly([ABSENT], [{ groups: 'src1' }]),
    cnf: mostly([ABSENT], [{ jkt: 'x' }]),
    nonce: mostly([ABSENT], ['n']),
    roles: mostly([ABSENT, ['Orders.Read'], [], [5]]),
    groups: mostly([ABSENT, ['g1', 'g2'], []]),
    wids: mostly([ABSENT, ['w']]),
    acrs: mostly([ABSENT, ['c1']]),
    acct: mostly([ABSENT, ABSENT, 0, 1], [2, '1']),
    idp: mostly(
      [ABSENT, `https://sts.windows.net/${TENANT.toUpperCase()}/`, 'https://sts.windows.net/other/', 'mail', TENANT],
      [5, '', `${TENANT}x`],
    ),
    exp: mostly([now + 300], [now + 31 * 3600]),
    iat: mostly([now], [now + 31, now + 29, 'x', ABSENT]),
  })

function laidOver(base: JsonObject, over: Readonly<Record<string, unknown>>): JsonObject {
  const all = Object.entries({ ...base, ...over }).filter(([, value]) => value !== ABSENT)
  return Object.fromEntries(all) as JsonObject
}

describe('tokens of Entra ID that an enforcement point may accept by itself, Ostiary accepts, and as the same', () => {
  const kinds: readonly (readonly [string, object])[] = [
    ['without agents', {}],
    ['with a listed agent', { agents: [AGENT] }],
  ]
  for (const [title, extra] of kinds)
    test(title, async () => {
      const config = { audiences: [API], tenants: [TENANT], clients: [CLIENT], ...extra }
      const world = await openIssuerWorld([key], (authority) => ({ kind: 'entra', authority, ...config }))
      try {
        const { identities, now } = world
        const authority = world.fixture.origin
        const forms = issuerKinds['entra']!.native!('one', issuerConfig({ kind: 'entra', authority, ...config })) as readonly NativeIssuer[]
        assert.deepEqual(
          forms.map(({ iss }) => iss),
          [`${authority}/${TENANT}/v2.0`],
        )
        const [native] = forms as readonly [NativeIssuer]
        let accepted = 0
        let narrower = 0
        await untilEnough(
          () =>
            fc.assert(
              fc.asyncProperty(
                fc.boolean(),
                more(Math.floor(now / 1000)),
                mostly(['JWT', 'jwt'], ['at+jwt', ABSENT]),
                async (person, over, typ) => {
                  const payload = laidOver(person ? entraClaims.v2User(authority, now) : entraClaims.v2App(authority, now), over)
                  const header = laidOver({ alg: 'RS256', kid: 'k', typ: 'JWT' }, { typ })
                  const holds = (formula: Formula): boolean => holdsOf(formula, { header, payload }, now, regexes.wholly)
                  const result = await authenticate(identities, signToken(key, payload, JSON.stringify(header)))
                  const { aud, exp } = payload
                  if (!native.audiences.includes(aud as string) || typeof exp !== 'number' || !holds(native.credential)) {
                    if (result.outcome === 'verified') narrower++
                    return
                  }
                  accepted++
                  assert.equal(result.outcome, 'verified', JSON.stringify([header, payload, result]))
                  if (result.outcome !== 'verified') return
                  const { identity } = result.verified
                  assert.equal(identity.actor, undefined)
                  assert.deepEqual(
                    [...identity.unknownClaims].filter((claim) => claim in native.claims),
                    [],
                  )
                  assert.equal(holds(native.appOnly), identity.appOnly, 'app-only')
                  assert.equal(holds(native.listedClient), identity.listedClient, 'listed')
                  assert.equal(holds(native.capped), identity.scopes !== undefined, 'capped')
                  assert.equal(
                    holds(native.hasScope('Orders.Read')),
                    identity.scopes?.includes('Orders.Read') ?? payload['scp'] === 'Orders.Read',
                  )
                  assert.deepEqual(
                    Object.entries(native.kinds)
                      .filter(([, kind]) => holds(kind))
                      .map(([kind]) => kind),
                    [identity.kind],
                  )
                  for (const [claim, found] of Object.entries(native.claims)) {
                    const value = identity.claims[claim]
                    const { path, type } = found
                    if (path === undefined) {
                      assert.equal(holds(found.isTrue), value, claim)
                      continue
                    }
                    assert.equal(holds(ask({ is: 'present', path })), value !== undefined, claim)
                    for (const one of ['Orders.Read', 'g1', 'w', 'c1', CLIENT, USER, 0, 1]) {
                      if (typeof one !== (type === 'list' ? 'string' : type)) continue
                      const has = value !== undefined && (typeof value === 'object' ? value.includes(one as string) : value === one)
                      assert.equal(holds(ask({ is: 'value', path, type, values: [one] })), has, `${claim} ${one}`)
                    }
                  }
                },
              ),
              { numRuns: runs(150) },
            ),
          () => accepted > 100 && narrower > 3,
          () => ({ accepted, narrower }),
        )
      } finally {
        await world.close()
      }
    })

  test('a cloud whose issuers are known has a form for each token version, and B2C has none', () => {
    const config = issuerConfig({ kind: 'entra', audiences: [API, 'api://orders'], tenants: [TENANT] })
    const forms = issuerKinds['entra']!.native!('entra', config) as readonly NativeIssuer[]
    assert.deepEqual(
      forms.map(({ iss, audiences }) => [iss, audiences]),
      [
        [`https://login.microsoftonline.com/${TENANT}/v2.0`, [API]],
        [`https://sts.windows.net/${TENANT}/`, [API, 'api://orders', `api://${API}`]],
      ],
    )
    const uri = issuerConfig({ kind: 'entra', audiences: ['api://orders'], tenants: [TENANT] })
    assert.deepEqual(
      (issuerKinds['entra']!.native!('entra', uri) as readonly NativeIssuer[]).map(({ iss, audiences }) => [iss, audiences]),
      [[`https://sts.windows.net/${TENANT}/`, ['api://orders']]],
    )
    const b2c = issuerConfig({
      kind: 'entra',
      audiences: [API],
      tenants: [TENANT],
      authority: 'https://contoso.b2clogin.com',
      policies: ['B2C_1_x'],
    })
    assert.match((issuerKinds['entra']!.native!('b2c', b2c) as { readonly refused: string }).refused, /B2C/)
  })
})
