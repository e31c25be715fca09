/** Attacks that only Microsoft Entra ID's tokens allow, and the shapes of its good ones. */
import assert from 'node:assert/strict'
import { AGENT, API, CLIENT, entraClaims, OTHER_TENANT, SERVICE_PRINCIPAL, TENANT, USER } from '../../../src/testing/tokens.ts'
import { PERSONAL_TENANT, signToken, type JsonObject, type Kit, type TokenRow } from './row.ts'

type Make = (kit: Kit) => JsonObject

const v2 =
  (more: JsonObject | ((kit: Kit) => JsonObject) = {}): Make =>
  (kit) =>
    entraClaims.v2User(kit.origin, kit.now, typeof more === 'function' ? more(kit) : more)
const v1 =
  (more: JsonObject | ((kit: Kit) => JsonObject) = {}): Make =>
  (kit) =>
    entraClaims.v1User(kit.v1Issuer(TENANT), kit.now, typeof more === 'function' ? more(kit) : more)

function row(attack: number, name: string, expect: TokenRow['expect'], make: Make, holds?: TokenRow['holds']): TokenRow {
  const token = (kit: Kit): string => signToken(kit.keys.rsa, make(kit))
  return { attack, name, to: 'entra', expect, token, ...(holds === undefined ? {} : { holds }) }
}

/** The payload without some of its members. */
const without =
  (make: Make, ...names: readonly string[]): Make =>
  (kit) =>
    Object.fromEntries(Object.entries(make(kit)).filter(([name]) => !names.includes(name)))

const versions: readonly TokenRow[] = [
  row(93, 'v2 with a client id as audience', 'verified', v2(), ({ subject, evidence }) => {
    assert.equal(subject, `${TENANT}/${USER}`)
    assert.equal(evidence.audience, API)
  }),
  row(93, 'v1 with an App ID URI as audience', 'verified', v1(), ({ subject }) => assert.equal(subject, `${TENANT}/${USER}`)),
  row(93, 'v1 with a client id as audience', 'verified', v1({ aud: API })),
  row(93, 'v2 with an App ID URI as audience', ['audience'], v2({ aud: `api://${API}` })),
  row(93, 'v2 issuer, `ver` of v1', ['claim'], v2({ ver: '1.0' })),
  row(93, 'v1 issuer, `ver` of v2', ['claim'], v1({ ver: '2.0' })),
  row(
    93,
    'v1 shape under a v2 issuer',
    ['claim', 'audience'],
    v1(({ origin }) => ({ iss: `${origin}/${TENANT}/v2.0` })),
  ),
  row(
    93,
    'v2 shape under a v1 issuer',
    ['claim'],
    v2(({ v1Issuer }) => ({ iss: v1Issuer(TENANT) })),
  ),
  row(93, 'no `ver`', ['claim'], without(v2(), 'ver')),
  ...[2, 2.0, '2', '2.0 ', ['2.0'], null].map((ver) => row(93, `ver ${JSON.stringify(ver)}`, ['claim'], v2({ ver }))),
]

const issuers: readonly TokenRow[] = [
  ...(
    [
      ['with a slash after it', (o) => `${o}/${TENANT}/v2.0/`],
      ['without its end', (o) => `${o}/${TENANT}`],
      ['of more than its end', (o) => `${o}/${TENANT}/v2.0.evil`],
      ['with a query', (o) => `${o}/${TENANT}/v2.0?`],
      ['with a fragment', (o) => `${o}/${TENANT}/v2.0#`],
      ['with user information', (o) => `${o.replace('://', '://x@')}/${TENANT}/v2.0`],
      ['with a doubled slash', (o) => `${o}//${TENANT}/v2.0`],
      ['with a dot segment', (o) => `${o}/x/../${TENANT}/v2.0`],
      ['percent-encoded', (o) => `${o}/${TENANT.replace('7', '%37')}/v2.0`],
      ['with the tenant in capitals', (o) => `${o}/${TENANT.toUpperCase()}/v2.0`],
      ['with the scheme in capitals', (o) => `${o.replace('http', 'HTTP')}/${TENANT}/v2.0`],
      ['with a space after it', (o) => `${o}/${TENANT}/v2.0 `],
      ['still a template', (o) => `${o}/{tenantid}/v2.0`],
      ['of `common`', (o) => `${o}/common/v2.0`],
      ['of another port', (o) => `${o}0/${TENANT}/v2.0`],
      ['of the real Entra', () => `https://login.microsoftonline.com/${TENANT}/v2.0`],
      ['of the real Entra, v1', () => `https://sts.windows.net/${TENANT}/`],
      ['that is a path', () => `/${TENANT}/v2.0`],
      ['that is empty', () => ''],
    ] as const satisfies readonly (readonly [string, (origin: string) => string])[]
  ).map(([name, iss]) =>
    row(
      88,
      `iss ${name}`,
      ['issuer'],
      v2(({ origin }) => ({ iss: iss(origin) })),
    ),
  ),
  row(
    88,
    'iss in a list',
    ['issuer'],
    v2(({ origin }) => ({ iss: [`${origin}/${TENANT}/v2.0`] })),
  ),
  row(88, 'iss that is null', ['issuer'], v2({ iss: null })),
  row(88, 'no iss', ['issuer'], without(v2(), 'iss')),
  row(
    88,
    'v1 iss without its slash',
    ['issuer'],
    v1(({ v1Issuer }) => ({ iss: v1Issuer(TENANT).slice(0, -1) })),
  ),
  row(
    88,
    'v1 iss with two slashes',
    ['issuer'],
    v1(({ v1Issuer }) => ({ iss: `${v1Issuer(TENANT)}/` })),
  ),
]

const audiences: readonly TokenRow[] = [
  ...[
    '',
    `${API} `,
    ` ${API}`,
    `${API}/`,
    `${API}-evil`,
    `x${API}`,
    API.toUpperCase(),
    `{${API}}`,
    `urn:${API}`,
    `api://${API}`,
    CLIENT,
    '*',
    `${API},${CLIENT}`,
    `${API} ${CLIENT}`,
  ].map((aud) => row(87, `aud ${JSON.stringify(aud)}`, ['audience'], v2({ aud }))),
  ...[null, 1, true, {}, [], [API], [API, CLIENT], { [API]: true }].map((aud) =>
    row(87, `aud ${JSON.stringify(aud)}`, ['audience'], v2({ aud })),
  ),
  row(87, 'no aud', ['audience'], without(v2(), 'aud')),
  ...[`api://${API}/`, `API://${API}`, `api://${API}/x`, `api:///${API}`, `api://${CLIENT}`, `https://${API}`].map((aud) =>
    row(87, `v1 aud ${JSON.stringify(aud)}`, ['audience'], v1({ aud })),
  ),
]

const tenants: readonly TokenRow[] = [
  row(
    94,
    'another tenant, signed by a key of all tenants',
    ['tenant'],
    v2(({ origin }) => ({ iss: `${origin}/${OTHER_TENANT}/v2.0`, tid: OTHER_TENANT })),
  ),
  row(94, 'our issuer, the other tenant as `tid`', ['tenant'], v2({ tid: OTHER_TENANT })),
  row(
    94,
    "the other's issuer, our `tid`",
    ['tenant'],
    v2(({ origin }) => ({ iss: `${origin}/${OTHER_TENANT}/v2.0` })),
  ),
  row(
    94,
    'another tenant, v1',
    ['tenant'],
    v1(({ v1Issuer }) => ({ iss: v1Issuer(OTHER_TENANT), tid: OTHER_TENANT })),
  ),
  {
    ...row(94, 'our tenant, signed by a key of the other tenant', ['key-issuer'], v2()),
    token: (kit) => signToken(kit.keys.otherTenant, v2()(kit)),
  },
  {
    ...row(100, 'our tenant, signed by the key of personal accounts', ['key-issuer'], v2()),
    token: (kit) => signToken(kit.keys.personal, v2()(kit)),
  },
  {
    ...row(100, 'a personal account', ['tenant'], v2()),
    token: (kit) =>
      signToken(kit.keys.personal, v2(({ origin }) => ({ iss: `${origin}/${PERSONAL_TENANT}/v2.0`, tid: PERSONAL_TENANT }))(kit)),
  },
  row(94, 'no tid', ['claim'], without(v2(), 'tid')),
  ...['', TENANT.slice(1), `${TENANT} `, `{${TENANT}}`, 'contoso.com', 'common'].map((tid) =>
    row(94, `tid ${JSON.stringify(tid)}`, ['claim'], v2({ tid })),
  ),
  ...[null, 1, [TENANT], { a: TENANT }].map((tid) => row(94, `tid ${JSON.stringify(tid)}`, ['claim'], v2({ tid }))),
  row(94, 'tid twice, by case', ['claim'], v2({ TID: OTHER_TENANT })),
  row(94, 'oid twice, by case', ['claim'], v2({ Oid: SERVICE_PRINCIPAL })),
  row(94, 'roles twice, by case', ['claim'], v2({ Roles: ['Admin'] })),
  row(94, 'scp twice, by case', ['claim'], v2({ SCP: 'admin' })),
  row(96, 'no oid', ['claim'], without(v2(), 'oid')),
  ...['', 'reader@example.com', `${USER}/x`, `${USER}\n`].map((oid) => row(96, `oid ${JSON.stringify(oid)}`, ['claim'], v2({ oid }))),
  row(
    96,
    "somebody with another's address is not that other",
    'verified',
    v2({ oid: SERVICE_PRINCIPAL, email: 'admin@example.com', preferred_username: 'admin@example.com', upn: 'admin@example.com' }),
    ({ subject }) => assert.equal(subject, `${TENANT}/${SERVICE_PRINCIPAL}`),
  ),
]

const wrongKind: readonly TokenRow[] = [
  row(89, 'ID token', ['id-token', 'audience'], ({ origin, now }) => entraClaims.idToken(origin, now)),
  row(89, 'ID token of an app that is its own API', ['id-token'], ({ origin, now }) => entraClaims.idToken(origin, now, { aud: API })),
  row(
    89,
    'ID token without nonce',
    ['id-token'],
    without(({ origin, now }) => entraClaims.idToken(origin, now, { aud: API }), 'nonce'),
  ),
  row(
    89,
    'ID token without nonce, with app roles',
    ['id-token'],
    without(({ origin, now }) => entraClaims.idToken(origin, now, { aud: API, roles: ['Orders.Write'] }), 'nonce'),
  ),
  row(
    89,
    'ID token without nonce that names its client',
    ['id-token'],
    without(({ origin, now }) => entraClaims.idToken(origin, now, { aud: API, azp: API, roles: ['Orders.Write'] }), 'nonce'),
  ),
  row(89, 'hash of a code in it', ['id-token'], v2({ c_hash: 'a' })),
  row(89, 'hash of an access token in it', ['id-token'], v2({ at_hash: 'a' })),
  row(89, 'token for Microsoft Graph, by its id', ['graph-token'], v2({ aud: '00000003-0000-0000-c000-000000000000' })),
  row(89, 'token for Microsoft Graph, by its URL', ['graph-token'], v1({ aud: 'https://graph.microsoft.com' })),
  row(89, 'token for Microsoft Graph, by its URL with a slash', ['graph-token'], v1({ aud: 'https://graph.microsoft.com/' })),
  { ...row(89, 'nonce in the header', ['graph-token'], v2()), token: (kit) => signToken(kit.keys.rsa, v2()(kit), { nonce: 'x' }) },
  ...['at+jwt', 'application/jwt', 'JWE', 'dpop+jwt', 'logout+jwt', 'JWT ', ''].map((typ): TokenRow => ({
    ...row(89, `typ ${JSON.stringify(typ)}`, ['token-type'], v2()),
    token: (kit) => signToken(kit.keys.rsa, v2()(kit), { typ }),
  })),
  row(89, 'bound to a key that is not proven', ['token-type'], v2({ cnf: { jkt: 'x' } })),
  row(89, 'of a device', ['token-type'], v2({ idtyp: 'device' })),
  ...['App', 'application', '', 1, null, ['app']].map((idtyp) =>
    row(99, `idtyp ${JSON.stringify(idtyp)}`, ['claim', 'token-type'], v2({ idtyp })),
  ),
]

const apps: readonly TokenRow[] = [
  row(
    99,
    'an app for itself',
    'verified',
    ({ origin, now }) => entraClaims.v2App(origin, now),
    ({ kind, appOnly, scopes, listedClient }) =>
      assert.deepEqual(
        { kind, appOnly, scopes, listedClient },
        { kind: 'workload', appOnly: true, scopes: undefined, listedClient: false },
      ),
  ),
  row(
    99,
    'an app for itself, without `idtyp` and with other `oid` than `sub`',
    'verified',
    without(({ origin, now }) => entraClaims.v2App(origin, now, { sub: USER }), 'idtyp'),
    ({ kind, appOnly }) => assert.deepEqual({ kind, appOnly }, { kind: 'workload', appOnly: true }),
  ),
  row(
    99,
    'an app without any role',
    'verified',
    without(({ origin, now }) => entraClaims.v2App(origin, now), 'roles'),
    ({ appOnly, claims }) => {
      assert.equal(appOnly, true)
      assert.equal('roles' in claims, false)
    },
  ),
  row(99, 'an app with scopes', ['claim'], ({ origin, now }) => entraClaims.v2App(origin, now, { scp: 'access_as_user' })),
  row(
    99,
    'a managed identity, 24 h and 5 min',
    'verified',
    ({ v1Issuer, now }) => entraClaims.v1ManagedIdentity(v1Issuer(TENANT), now),
    ({ kind, appOnly }) => assert.deepEqual({ kind, appOnly }, { kind: 'managed-identity', appOnly: true }),
  ),
  row(99, 'two clients', ['claim'], v2({ appid: SERVICE_PRINCIPAL })),
  row(99, 'no client', ['claim'], without(v2(), 'azp')),
  ...[null, 1, '', [CLIENT]].map((azp) => row(99, `azp ${JSON.stringify(azp)}`, ['claim'], v2({ azp }))),
  ...[['access_as_user'], 1, null, {}].map((scp) => row(99, `scp ${JSON.stringify(scp)}`, ['claim'], v2({ scp }))),
]

const people: readonly TokenRow[] = [
  row(100, 'a member', 'verified', v2(), ({ claims, kind, scopes }) => {
    assert.equal(claims['guest'], false)
    assert.equal(kind, 'human')
    assert.deepEqual(scopes, ['access_as_user'])
  }),
  row(100, 'a guest, by `acct`', 'verified', v2({ acct: 1 }), ({ claims }) => assert.equal(claims['guest'], true)),
  row(100, 'a guest, by `idp`', 'verified', v2({ idp: `https://sts.windows.net/${OTHER_TENANT}/` }), ({ claims }) =>
    assert.equal(claims['guest'], true),
  ),
  row(100, 'a guest with a personal account', 'verified', v2({ idp: 'live.com' }), ({ claims }) => assert.equal(claims['guest'], true)),
  row(100, "a guest who says `guest` isn't so", 'verified', v2({ acct: 1, guest: false }), ({ claims }) =>
    assert.equal(claims['guest'], true),
  ),
  row(100, 'a member who can not be told from a guest', 'verified', v2({ acct: '0' }), ({ claims, unknownClaims }) => {
    assert.equal('guest' in claims, false)
    assert.ok(unknownClaims.has('guest'))
  }),
]

const overage = { _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint: 'http://127.0.0.1:1/canary' } } }
const unknownGroups: TokenRow['holds'] = ({ claims, unknownClaims }) => {
  assert.equal('groups' in claims, false)
  assert.ok(unknownClaims.has('groups'), 'groups are unknown')
  assert.ok(unknownClaims.has('teams'), 'and so is every claim that is read from them')
}

const groups: readonly TokenRow[] = [
  row(97, 'groups', 'verified', v2({ groups: ['g1'] }), ({ claims, unknownClaims }) => {
    assert.deepEqual(claims['groups'], ['g1'])
    assert.deepEqual(claims['teams'], ['g1'])
    assert.equal(unknownClaims.size, 0)
  }),
  row(97, 'no groups', 'verified', v2(), ({ claims, unknownClaims }) => {
    assert.equal('groups' in claims, false)
    assert.equal(unknownClaims.size, 0)
  }),
  row(97, 'more groups than fit', 'verified', v2(overage), unknownGroups),
  row(97, 'more groups than fit, implicit flow', 'verified', v2({ hasgroups: true }), unknownGroups),
  row(97, 'more groups than fit, as text', 'verified', v2({ hasgroups: 'true' }), unknownGroups),
  row(97, 'more groups than fit, and some of them all the same', 'verified', v2({ ...overage, groups: ['g1'] }), unknownGroups),
  row(97, 'more groups than fit, implicit flow, and some of them', 'verified', v2({ hasgroups: true, groups: ['g1'] }), unknownGroups),
  row(97, '`_claim_names` that is a list', 'verified', v2({ _claim_names: ['groups'] }), unknownGroups),
  row(97, '`_claim_names` that is null', 'verified', v2({ _claim_names: null }), unknownGroups),
  row(97, '`groups` that is text', 'verified', v2({ groups: 'g1' }), unknownGroups),
  row(97, '`groups` with a number in it, which is no group', 'verified', v2({ groups: ['g1', 1] }), ({ claims, unknownClaims }) => {
    assert.deepEqual(claims['groups'], ['g1'])
    assert.equal(unknownClaims.size, 0)
  }),
  row(97, 'roles that are lists are no roles', 'verified', v2({ roles: [['Orders.Read']] }), ({ claims }) => {
    assert.deepEqual(claims['roles'], [])
  }),
  row(97, '`groups` that is null', 'verified', v2({ groups: null }), unknownGroups),
  row(98, 'where the groups are is never asked', 'verified', v2(overage), unknownGroups),
  row(101, 'roles and more groups than fit', 'verified', v2({ ...overage, roles: ['Orders.Read'] }), (identity) => {
    assert.deepEqual(identity.claims['roles'], ['Orders.Read'])
    unknownGroups(identity)
  }),
  ...['Orders.Read', { 0: 'Orders.Read', length: 1 }, null, 1].map((roles) =>
    row(97, `roles ${JSON.stringify(roles)}`, 'verified', v2({ roles }), ({ claims, unknownClaims }) => {
      assert.equal('roles' in claims, false)
      assert.ok(unknownClaims.has('roles'))
    }),
  ),
]

const agents: readonly TokenRow[] = [
  row(
    0,
    'an agent for a person',
    'verified',
    ({ origin, now }) => entraClaims.agentForUser(origin, now),
    ({ kind, subject, actor }) => {
      assert.equal(kind, 'human-via-agent')
      assert.equal(subject, `${TENANT}/${USER}`)
      assert.deepEqual([actor?.kind, actor?.subject, actor?.actor], ['agent', `${TENANT}/${AGENT}`, undefined])
    },
  ),
  row(
    0,
    'an agent for a person says nothing of roles of its own',
    'verified',
    ({ origin, now }) => entraClaims.agentForUser(origin, now),
    ({ actor }) => assert.equal('roles' in actor!.claims, false),
  ),
  row(
    0,
    'an autonomous agent',
    'verified',
    ({ origin, now }) => entraClaims.autonomousAgent(origin, now),
    ({ kind, appOnly, actor }) => assert.deepEqual({ kind, appOnly, actor }, { kind: 'agent', appOnly: true, actor: undefined }),
  ),
  row(
    0,
    'an autonomous agent with the scope `/`',
    'verified',
    ({ origin, now }) => entraClaims.autonomousAgent(origin, now, { scp: '/' }),
    ({ appOnly }) => assert.equal(appOnly, true),
  ),
  row(
    0,
    "an agent's user account",
    'verified',
    ({ origin, now }) => entraClaims.agentForUser(origin, now, { xms_sub_fct: '13' }),
    ({ kind }) => assert.equal(kind, 'agent'),
  ),
  row(
    0,
    'unknown facets in any order',
    'verified',
    ({ origin, now }) => entraClaims.agentForUser(origin, now, { xms_act_fct: '7 3 11 999999' }),
    ({ kind }) => assert.equal(kind, 'human-via-agent'),
  ),
  ...['11 x', '11,3', '+11', '1e1', ' 11 0x0b', '-11', 11, ['11'], null].map((value) =>
    row(0, `xms_act_fct ${JSON.stringify(value)}`, ['claim'], ({ origin, now }) =>
      entraClaims.agentForUser(origin, now, { xms_act_fct: value }),
    ),
  ),
  row(0, 'a listed agent in front of a person', 'verified', v2({ azp: SERVICE_PRINCIPAL }), ({ kind, actor }) =>
    assert.deepEqual([kind, actor?.kind], ['human-via-agent', 'agent']),
  ),
]

export const entraRows: readonly TokenRow[] = [
  ...versions,
  ...issuers,
  ...audiences,
  ...tenants,
  ...wrongKind,
  ...apps,
  ...people,
  ...groups,
  ...agents,
]
